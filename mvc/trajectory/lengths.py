"""Euclidean distances of sketches, to the last digit: from differences, in double precision, a block at a time.

A distance has the same bits whichever of the two functions gives it and in whichever direction, so trees that were made
in different ways can be compared.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvc.trajectory.mst import Floats, Ints

Singles = npt.NDArray[np.float32]

#: rows at once, few enough for a processor's own memory
_BLOCK = 1 << 10


def lengths(points: Singles, edges: Ints) -> Floats:
    """Lengths [m] of edges [m, 2] between points float32 [n, k]."""
    found = np.empty(len(edges))
    for at in range(0, len(edges), _BLOCK):
        a, b = edges[at : at + _BLOCK].T
        found[at : at + _BLOCK] = _norms(points[a], points[b])
    return found


def distances_from(point: Singles, points: Singles) -> Floats:
    """Distances [n] of one point float32 [k] from others [n, k]."""
    found = np.empty(len(points))
    for at in range(0, len(points), _BLOCK):
        found[at : at + _BLOCK] = _norms(points[at : at + _BLOCK], point)
    return found


def _norms(a: Singles, b: Singles) -> Floats:
    change = np.subtract(a, b, dtype=np.float64)
    norms: Floats = np.sqrt(np.einsum("ij,ij->i", change, change))
    return norms
