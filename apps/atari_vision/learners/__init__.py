"""Stable-Baselines3's learners on the worlds."""
