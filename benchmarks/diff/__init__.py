"""Measures what `mvc diff` costs beside reading two files and subtracting them."""
