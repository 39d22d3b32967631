"""Measures the rules of `mvc check` on trained populations."""
