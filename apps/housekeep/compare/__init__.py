"""Captions of the robot's view beside the view itself."""
