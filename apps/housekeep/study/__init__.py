"""Studies in generated homes."""
