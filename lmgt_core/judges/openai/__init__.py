"""Judges behind an OpenAI-compatible server, and such a server for any judge."""
