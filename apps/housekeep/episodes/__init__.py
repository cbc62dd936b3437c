"""Episodes: read, checked, generated."""
