"""Studies of the control tasks."""
