"""The way from an agent's decision to the shift of its reward."""
