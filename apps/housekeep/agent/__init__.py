"""The agents and what they learn from."""
