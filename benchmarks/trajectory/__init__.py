"""Measures trajectory inference on populations trained for it."""
