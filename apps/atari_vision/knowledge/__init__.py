"""What is known about each world: its words, its grammar, and what an expert would say."""
