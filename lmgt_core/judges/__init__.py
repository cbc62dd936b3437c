"""Judges, one file each; `lmgt_core.judging.registry` imports the one that is asked for."""
