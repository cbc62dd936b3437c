"""Judges, prompts, cache, shift rules, statistics and reports of LMGT; knows no domain."""
