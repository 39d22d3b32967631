"""Measurements: each prints a table and the command that made it. Never run as tests."""
