"""Videos of a policy at work."""
