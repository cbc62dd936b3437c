"""Captions of frames beside the frames themselves."""
