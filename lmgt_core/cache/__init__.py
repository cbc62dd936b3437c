"""Judgments kept by content."""
