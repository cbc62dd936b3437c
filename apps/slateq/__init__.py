"""Recommendation on simulated users: RecSim's worlds, SlateQ and its baselines, judges that shift the reward."""
