"""Finite decision problems, solved exactly: where promises about shifts are proven, and studies run in seconds."""
