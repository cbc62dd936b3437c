"""Captioners that are neural networks; what they need is imported here and nowhere else in the package."""
