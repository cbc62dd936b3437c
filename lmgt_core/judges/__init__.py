"""Judges, one file each; `lmgt_core.registry` imports the one that is asked for."""
