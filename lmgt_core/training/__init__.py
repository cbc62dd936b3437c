"""Running and recording trainings: processes, run folders, progress, provenance, statistics."""
