"""Which way time runs along an ordered path of checkpoints. Owns the signals and the fitted model that weighs them.

No sign is set by hand: each signal is odd under reversal of the path, and a logistic model without intercept turns
them into the log-odds that the order given is the right way round. The coefficients were fitted on trained
populations by ``benchmarks/trajectory/fit_direction.py``. A late window of training is nearly a stationary walk, which
no observer can orient; the model's answer there is close to one half, and "undecided" is said below DECIDED.

Signals are few and each has its reason, so that they hold for optimisers that the fit never saw. Coefficients hold a
temperature already, the multiple of log-odds that suits families left out of the fit best: 1.00 for runs on their own,
0.95 for forks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mvc.geometry import EXACT
from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats

#: confidence from which a direction is stated
DECIDED = 0.9

SIGNALS = ("radial", "norms", "settling", "jump", "tails")
#: log-odds per unit of each signal, of a run on its own
COEFFICIENTS = (4.190, 2.225, 2.737, 1.607, 3.566)
#: the same of a branch in a family of forks: new data or another learning rate can shrink norms that grew before
FORKED = (2.791, 0.190, 3.069, 1.302, 2.836)
#: log-odds are shrunk to what a finite number of fitted families can support: confidence never exceeds .999
LIMIT = 6.9

#: norm gained per net displacement from which more of it says little more: else a weight decay that shrinks every norm
#: would outweigh all other signals
_RADIAL = 0.15
#: tensors of fewer values have no norm or tails to speak of, and rows of fewer no tails
_VALUES, _ROW = 64, 8


def signals(path: Floats, blocks: Sequence[Block]) -> Floats:
    """Signals [5] of an ordered path of signatures [m, k], m ≥ 2; reversing the path changes their sign.

    radial: norm gained per net displacement, saturating. A step away from a point is nearly orthogonal to it in high
    dimension, so that norms grow unless something decays them.
    norms: how steadily the tensors' norms grow: Fisher's z of a norm's correlation with place, mean of tensors.
    settling: share of its speed along the path's trend that is lost from start to end, -1 … 1. Progress along the
    trend outlives the noise: steps may grow with the learning rate or be all alike while it slows down.
    jump: log ratio of the first step to the last, -2 … 2. The first epoch goes farthest, as no parabola does.
    tails: how steadily rows of weights become heavy-tailed (units come to rely on few inputs; initial values have no
    tails): correlation of their mean kurtosis with place, mean of tensors. A sketch keeps no tails and says nothing.
    """
    path = np.asarray(path, dtype=np.float64)
    if len(path) < 2 or not (path != path[0]).any():
        return np.zeros(len(SIGNALS))
    norms = [(path[:, one.start : one.stop] ** 2).sum(1) for one in blocks if one.numel >= _VALUES]
    steady = np.clip(np.arctanh(_trends(norms, len(path)).clip(-0.999, 0.999)), -2.0, 2.0)
    tails = [_kurtosis(path, one) for one in blocks if _VALUES <= one.numel <= EXACT and one.numel >= _ROW * one.rows]
    # two points always correlate, three nearly so
    share = 1.0 - 2.0 / len(path)
    return np.array(
        [
            _radial(path),
            share * _mean(steady),
            _settling(path),
            _jump(path),
            share * _mean(_trends(tails, len(path))),
        ]
    )


def log_odds(path: Floats, blocks: Sequence[Block], *, forked: bool = False) -> float:
    """Log-odds that the path runs forward in time. ``forked``: it is a branch in a family of several."""
    if len(path) < 2:
        return 0.0
    value = float(signals(path, blocks) @ np.array(FORKED if forked else COEFFICIENTS))
    return max(-LIMIT, min(LIMIT, value))


def confidence(odds: float) -> float:
    """Probability of the likelier direction, 0.5 … 1."""
    return 1.0 / (1.0 + math.exp(-abs(odds)))


def _radial(path: Floats) -> float:
    net = float(np.linalg.norm(path[-1] - path[0]))
    gained = float(np.linalg.norm(path[-1]) - np.linalg.norm(path[0]))
    return gained / math.hypot(gained, _RADIAL * net) if net > 0 else 0.0


def _jump(path: Floats) -> float:
    first, last = float(np.linalg.norm(path[1] - path[0])), float(np.linalg.norm(path[-1] - path[-2]))
    return max(-2.0, min(2.0, math.log(first / last))) if first > 0 and last > 0 else 0.0


def _settling(path: Floats) -> float:
    """(speed at the start - speed at the end) / their sum, of the parabola fitted to places along the trend."""
    time = _times(len(path))
    bend = time**2 - (time**2).mean()
    slope = time @ path
    length = float(slope @ slope)
    if len(path) < 3 or length <= 0:
        return 0.0
    linear, quadratic = length / float(time @ time), float(bend @ (path @ slope)) / float(bend @ bend)
    return max(-1.0, min(1.0, -quadratic * (len(path) - 1) / linear))


def _times(points: int) -> Floats:
    return np.arange(points, dtype=np.float64) - (points - 1) / 2


def _trends(series: Sequence[Floats], points: int) -> Floats:
    """Correlation with place of each series [points] that changes at all."""
    if not series:
        return np.empty(0)
    values, time = np.stack(series), _times(points)
    centred = values - values.mean(1, keepdims=True)
    spread = np.sqrt((centred**2).sum(1))
    moving = spread > 1e-9 * np.abs(values).max(1)
    trends: Floats = centred[moving] @ time / (spread[moving] * math.sqrt(time @ time))
    return trends


def _kurtosis(path: Floats, block: Block) -> Floats:
    """Kurtosis of the tensor's rows at each point, mean of rows that are not constant [m]."""
    rows = path[:, block.start + 1 : block.stop].reshape(len(path), block.rows, -1)
    squares = (rows - rows.mean(2, keepdims=True)) ** 2
    variance = squares.mean(2)
    fourth = np.einsum("ijk,ijk->ij", squares, squares) / squares.shape[2]
    kurtosis: Floats = (fourth / np.where(variance > 0, variance, 1.0) ** 2).mean(1)
    return kurtosis


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
