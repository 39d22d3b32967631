"""Which tensors tell the order of checkpoints. Owns the weights that tensors get before seriation.

Late in training most of a step is noise, and tensors differ in how much of it: in the first paper's MLP the first layer
has nine tenths of the weights and next to nothing to say of order. A tensor is worth what Fisher's discriminant makes
of it (Fisher 1936): how much its squared distances grow from near neighbours to less near ones, over their variance
among near ones. Which neighbours are near is read from the other tensors, so that no tensor's noise praises itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import squared_distances

#: ranks of neighbours that are compared: the nearest, and some that are as far as several steps
NEAR = slice(0, 3)
MIDDLE = slice(7, 15)
#: fewer points than this have too few neighbours to learn from
LEAST_POINTS = 17
#: smallest relative variance of near distances that is believed
_LEAST_VARIANCE = 1e-4
_ITERATIONS = 3


def discriminant_squares(vectors: Floats, blocks: Sequence[Block]) -> Floats:
    """Squared distances [n, n] of signatures [n, k] in which every tensor has the weight of its discriminant.

    Plain squared distances where there are too few points, one tensor, or no tensor that says anything.
    """
    n = len(vectors)
    varying = [block for block in blocks if np.ptp(vectors[:, block.start : block.stop], axis=0).any()]
    if n < LEAST_POINTS or len(varying) < 2:
        return squared_distances(vectors)

    def squares(block: Block) -> Floats:
        return squared_distances(vectors[:, block.start : block.stop])

    weights = np.array([1.0 / max(_typical(np.sort(_others(squares(b)), axis=1)[:, 0]), 1e-300) for b in varying])
    for _ in range(_ITERATIONS):
        total = sum(weight * squares(block) for weight, block in zip(weights, varying, strict=True))
        found = np.zeros(len(varying))
        for number, block in enumerate(varying):
            own = squares(block)
            found[number] = _discriminant(own, _ranked(total - weights[number] * own))
        if not found.any():
            return squared_distances(vectors)
        weights = found
    result: Floats = np.sum([weight * squares(block) for weight, block in zip(weights, varying, strict=True)], axis=0)
    return result


def _discriminant(own: Floats, ranked: Ints) -> float:
    """Growth of the tensor's squared distances from near to middle neighbours, per variance; 0 where there is none."""
    near = np.take_along_axis(own, ranked[:, NEAR], axis=1)
    middle = np.take_along_axis(own, ranked[:, MIDDLE], axis=1)
    level = near.mean(axis=1)
    seen = level > 0
    if not seen.any():
        return 0.0
    # relative to each point's own neighbourhood: steps shrink by orders of magnitude along a run
    growth = _typical((middle.mean(axis=1)[seen] - level[seen]) / level[seen])
    spread = _typical(near.std(axis=1, ddof=1)[seen] / level[seen]) ** 2
    return max(growth, 0.0) / max(spread, _LEAST_VARIANCE) / _typical(level[seen])


def _ranked(squares: Floats) -> Ints:
    """Every point's other points, the nearest first, [n, n]; the point itself comes last."""
    ranked: Ints = np.argsort(_others(squares), axis=1, kind="stable")
    return ranked


def _others(squares: Floats) -> Floats:
    return squares + np.diag(np.full(len(squares), np.inf))


def _typical(values: Floats) -> float:
    return float(np.median(values))
