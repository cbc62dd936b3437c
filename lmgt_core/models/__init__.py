"""Language models that the project knows by name: what they are, where they come from, and the folder they lie in."""
