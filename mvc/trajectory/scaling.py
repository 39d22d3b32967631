"""Points in a plane: landmark multidimensional scaling. Owns the map's coordinates and the figures that say how far to
trust them; draws nothing.

Classical scaling (Torgerson 1952) of a few landmarks gives the axes, and every other point is put where its distances
to the landmarks say (de Silva & Tenenbaum 2004, "Sparse multidimensional scaling using landmark points"). Distances of
sketches are Euclidean, so this is a principal component analysis of the landmarks and a projection of the rest: no
matrix of all pairs, no random numbers. With as many landmarks as points it is classical scaling itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.trajectory.mst import Floats, Ints

#: landmarks at most: products of all their pairs are held
LANDMARKS = 512
#: points whose vectors are held at once
_PORTION = 256

Vectors = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Plane:
    """``places`` [n, 2]. ``stress`` is Kruskal's stress-1 (1964) between distances in the plane and those of the
    vectors, over all pairs of landmarks: 0 for a faithful map, above .2 for a poor one. ``explained`` is the share of
    the landmarks' variance on each axis."""

    places: Floats
    stress: float
    explained: tuple[float, float]


def landmark_scaling(count: int, read: Callable[[Ints], Vectors]) -> Plane:
    """Places of ``count`` points; ``read`` gives the vectors [m, k] of those with these indices, ascending.

    Landmarks are spread evenly over the indices, so neighbours in a lineage should have neighbouring ones. Signs of
    axes are such that the farthest landmark on each is positive. O(LANDMARKS · k) memory.
    """
    if count < 2:
        return Plane(np.zeros((count, 2)), 0.0, (0.0, 0.0))
    landmarks = np.unique(np.linspace(0, count - 1, min(count, LANDMARKS)).round().astype(np.intp))
    vectors = np.concatenate([read(landmarks[i : i + _PORTION]) for i in range(0, len(landmarks), _PORTION)])
    vectors = np.nan_to_num(vectors.astype(np.float64), posinf=0.0, neginf=0.0)
    centre = vectors.mean(axis=0)
    vectors -= centre
    values, axes = np.linalg.eigh(vectors @ vectors.T)  # (L, L): the doubly centred matrix of classical scaling
    values, axes = np.maximum(values[::-1][:2], 0.0), axes[:, ::-1][:, :2]
    if axes.shape[1] < 2:
        values, axes = np.pad(values, (0, 1)), np.pad(axes, ((0, 0), (0, 1)))
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1.0, 1.0)
    lengths = np.sqrt(values)
    # columns of unit length in the space of the vectors: x · directions is a point's place
    directions = np.divide(vectors.T @ axes, lengths, out=np.zeros((vectors.shape[1], 2)), where=lengths > 0)
    places = np.empty((count, 2))
    for start in range(0, count, _PORTION):
        rows = np.arange(start, min(start + _PORTION, count))
        found = np.nan_to_num(read(rows).astype(np.float64), posinf=0.0, neginf=0.0)
        places[rows] = (found - centre) @ directions
    total = float(np.einsum("ij,ij->", vectors, vectors))
    first, second = (values / total if total > 0 else np.zeros(2)).tolist()
    return Plane(places, stress(vectors, places[landmarks]), (first, second))


def stress(vectors: Floats, places: Floats) -> float:
    """Kruskal's stress-1 of ``places`` [n, 2] for points with ``vectors`` [n, k]: √(Σ(bδ - d)² / Σd²) over pairs, d in
    the plane, with the scale b that fits best, as a map has one. 0 where all lie in one place in both."""
    true, drawn = (_distances(points) for points in (vectors, places))
    squares = float((drawn**2).sum()), float((true**2).sum())
    if min(squares) == 0:
        return 0.0 if max(squares) == 0 else 1.0
    together = float((true * drawn).sum())
    return float(np.sqrt(max(0.0, 1.0 - together**2 / (squares[0] * squares[1]))))


def _distances(points: Floats) -> Floats:
    squares = np.einsum("ij,ij->i", points, points)
    found: Floats = np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2 * points @ points.T, 0.0))
    return found
