"""Measures how long the commands take that only read."""
