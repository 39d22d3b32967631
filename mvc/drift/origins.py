"""Whom a model goes on from, by how unlike it is to its own run and to others. Owns the limits; measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mvc.trajectory.likeness import STRANGE

#: how many times its own run's steps a model may be unlike, and how many times nearer another run must be. Squares, as
#: unlikeness is one: a step of twice the usual length, and half of the distance
_BEYOND, _NEARER = 4.0, 4.0


def follows(own: float, steps: Sequence[float], other: float | None) -> Literal["own", "other", "none"]:
    """Whom a model goes on from, by unlikeness: to the nearest of its ``own`` run and of any ``other``, None if none.

    ``steps``: of the own run's neighbours, the newest last.
    """
    usual = min(STRANGE, _BEYOND * max(steps[-3:], default=0.0))
    if other is not None and other < STRANGE and own > max(usual, _NEARER * other):
        return "other"
    # the first step from the initial weights may lose all likeness to them
    return "none" if steps and own > STRANGE else "own"
