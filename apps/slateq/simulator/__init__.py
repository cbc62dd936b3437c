"""Simulated users: RecSim itself behind an adapter, and the same three models vectorised in NumPy."""
