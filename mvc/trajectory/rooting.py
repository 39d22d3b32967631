"""How well a branch runs forward in time, to choose the root of a family of forks. Owns the signals that weigh it.

A tree's rootings differ in which branches they turn round, and in branches of few checkpoints. There the sizes of steps
and norms tell more than the steady trends by which `mvc.trajectory.direction` orients a path and states a confidence:
in two forests of SGD (`benchmarks.trajectory.forest`) this roots 8 trees of 12 rightly, that 5. Log-odds by a logistic
model fitted as there, to runs on their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mvc.geometry import EXACT
from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats

#: log-odds per unit of each signal
_COEFFICIENTS = (0.549, 1.110, 3.273, 3.807, 0.553, 0.520)
#: cosine between a step and the weights that is as likely one way as the other
_WANDERING = 0.1
#: log-odds are shrunk to what a finite number of fitted families can support: confidence never exceeds .999
_LIMIT = 6.9


def _signals(path: Floats, blocks: Sequence[Block]) -> Floats:
    """Signals [6] of an ordered path of signatures [m, k], m ≥ 2; reversing the path changes their sign.

    decay: log ratio of the mean step of the first half to that of the second (steps shrink while training settles).
    jump: log ratio of the first step to the last. growth: squared norm gained per squared length walked; a step away
    from a point is nearly orthogonal to it in high dimension, so that norms grow unless something decays them.
    radial: norm gained per net displacement.
    straightness: by how much consecutive steps align more in the first half. tails: excess kurtosis gained (initial
    values are uniform or normal).
    """
    steps = np.diff(path, axis=0)
    squares = np.einsum("ij,ij->i", steps, steps)
    lengths = np.sqrt(squares)
    walked = float(squares.sum())
    if walked <= 0:
        return np.zeros(len(_COEFFICIENTS))
    half = (len(lengths) + 1) // 2
    net = math.sqrt(float(((path[-1] - path[0]) ** 2).sum()))
    start, end = float(np.linalg.norm(path[0])), float(np.linalg.norm(path[-1]))
    radial = (end - start) / net if net > 0 else 0.0
    # where the path is short beside the norm, the norm's own wandering outweighs what the steps add to it
    wandering = _WANDERING * (start + end) / (2 * net) if net > 0 else math.inf
    growth = max(-1.0, min(1.0, (end**2 - start**2) / walked)) / math.sqrt(1 + wandering**2)
    turns = np.einsum("ij,ij->i", steps[:-1], steps[1:]) / np.maximum(lengths[:-1] * lengths[1:], 1e-300)
    middle = (len(turns) + 1) // 2
    straightness = float(turns[:middle].mean() - turns[-middle:].mean()) if len(turns) > 1 else 0.0
    return np.array(
        [
            _log_ratio(lengths[:half].mean(), lengths[-half:].mean()),
            _log_ratio(lengths[0], lengths[-1]),
            growth,
            radial,
            straightness,
            _tails_gained(path[0], path[-1], blocks),
        ]
    )


def forward_odds(path: Floats, blocks: Sequence[Block]) -> float:
    """Log-odds that the branch, an ordered path of signatures [m, k], runs forward in time."""
    if len(path) < 2:
        return 0.0
    value = float(_signals(path, blocks) @ np.array(_COEFFICIENTS))
    return max(-_LIMIT, min(_LIMIT, value))


def _log_ratio(a: float, b: float) -> float:
    if a <= 0 or b <= 0:
        return 0.0
    return max(-2.0, min(2.0, math.log(a / b)))


def _tails_gained(first: Floats, last: Floats, blocks: Sequence[Block]) -> float:
    gained, weight = 0.0, 0
    for block in blocks:
        a, b = first[block.start + 1 : block.stop], last[block.start + 1 : block.stop]
        # a sketch does not keep tails, and a few values have none to speak of
        if 64 <= block.numel <= EXACT and a.any() and b.any():
            gained += block.numel * (_kurtosis(b) - _kurtosis(a))
            weight += block.numel
    return max(-1.0, min(1.0, gained / weight)) if weight else 0.0


def _kurtosis(centred: Floats) -> float:
    variance = float(np.mean(centred**2))
    return float(np.mean(centred**4)) / variance**2 - 3.0
