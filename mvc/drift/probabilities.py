"""Probabilities of normal and Student's distributions. Owns that SciPy is imported when one is asked for, not before:
most commands ask for none, and importing it takes longer than they do.
"""

from __future__ import annotations

import importlib
from typing import Any


def student(freedom: float, at: Any) -> Any:
    """P(T ≤ at) of Student's t, elementwise; accurate in the lower tail."""
    return _special().stdtr(freedom, at)


def normal(at: Any) -> Any:
    """P(Z ≤ at) of the standard normal, elementwise."""
    return _special().ndtr(at)


def normal_quantile(probability: Any) -> Any:
    """The value that a standard normal one stays below with this probability, elementwise."""
    return _special().ndtri(probability)


def _special() -> Any:
    return importlib.import_module("scipy.special")  # not scipy.stats: it takes a second to import
