"""Comparing ways to let a judge know a picture: a caption of it, or the picture itself."""
