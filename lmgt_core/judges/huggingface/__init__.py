"""Judges that are models of transformers."""
