"""The world behind a protocol, and its implementation on MuJoCo."""
