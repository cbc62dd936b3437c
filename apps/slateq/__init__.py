"""Recommendation on simulated users: RecSim's worlds, SlateQ and its baselines, judges that shift the reward."""

import os

# TF-Agents needs Keras 2, which TensorFlow is told by this before it is imported, so before any file here imports it.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # no notes about instruction sets
