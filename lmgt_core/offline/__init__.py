"""Datasets that were recorded before: a judge's shifts are added to their rewards."""
