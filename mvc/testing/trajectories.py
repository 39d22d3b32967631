"""Synthetic training runs for quick tests. Owns the generator; algorithms are judged on trained populations elsewhere.

A run starts at independent normal values, moves along a smooth drift of its own that slows down, and carries noise in
every step, as training does: squared distance grows about linearly with lag, and late neighbours differ by noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: name → shape of a small network's tensors, sorted by name
SHAPES: dict[str, tuple[int, ...]] = {"fc1.weight": (16, 24), "fc2.weight": (12, 16), "fc3.weight": (10, 12)}


@dataclass(frozen=True)
class Walk:
    """``first``: length of the first step beside the initial norm. ``decay``: exponent by which steps shrink."""

    points: int = 20
    first: float = 0.5
    decay: float = 0.7
    noise: float = 0.3


def synthetic_run(seed: int, walk: Walk | None = None, *, start: Floats | None = None) -> Floats:
    """Weights [points, d] of one run; with ``start`` [d] of one that goes on from there, start left out."""
    walk = walk or Walk()
    rng = np.random.default_rng(seed)
    size = sum(int(np.prod(shape)) for shape in SHAPES.values())
    at = rng.normal(size=size) if start is None else start.copy()
    norm = np.sqrt(size)
    aims = np.linalg.qr(rng.normal(size=(size, 3)))[0].T
    points = [at.copy()]
    for step in range(1, walk.points + (start is not None)):
        length = walk.first * norm * step**-walk.decay
        phase = step / walk.points * np.pi / 2
        drift = np.cos(phase) * aims[0] + np.sin(phase) * aims[1] + 0.3 * np.cos(3 * phase) * aims[2]
        wobble = rng.normal(size=size) / norm
        at = at + length * (drift + walk.noise * wobble) / np.linalg.norm(drift + walk.noise * wobble)
        points.append(at.copy())
    return np.stack(points[start is not None :])


def tensors_of(weights: Floats) -> dict[str, npt.NDArray[np.float32]]:
    """One point [d] as named float32 tensors."""
    found, at = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        found[name] = weights[at : at + size].reshape(shape).astype(np.float32)
        at += size
    return found
