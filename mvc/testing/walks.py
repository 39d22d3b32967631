"""Tensors that move as weights do in training: the states of a random walk."""

from __future__ import annotations

import numpy as np


def walk(count: int, *, numel: int = 4096, step: float = 1e-4, scale: float = 0.02, seed: int = 0) -> list[bytes]:
    """``count`` states of one F32 tensor, oldest first, as canonical bytes."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=numel) * scale
    states = []
    for _ in range(count):
        states.append(weights.astype("<f4").tobytes())
        weights = weights + rng.normal(size=numel) * step
    return states
