"""Which checkpoint of its host a branch left from. Owns the evidence and the fitted model that weighs it.

A fork may move some coordinates far (a new head, another first layer for inverted inputs) and leave the rest where they
were, and those tell the time. So every coordinate is first measured by what the fork itself moved it. Then each
checkpoint t of the host is judged by

- intrinsic time: where the branch's first two checkpoints project onto the host's polyline, carried back by one;
- shared steps: the least-squares coefficients of the branch's first checkpoint on the host's steps are one for the
  steps that both made, noise included, and not for those that only the host made;
- the branch's first step: about as long as its second, in its direction, and not back along the host's last step.

A branch that runs ahead of its host's pace (a larger learning rate) projects beyond its own time and slows down; there
the evidence weighs otherwise. A conditional logit (McFadden 1974) turns it into a probability for every checkpoint. The
coefficients are fitted by ``benchmarks/trajectory/fit_departures.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats

EVIDENCE = ("time", "shared", "along", "beyond", "short", "long", "back")
AHEAD = ("time", "ahead", "shared", "along", "beyond")
#: log-odds per unit: of EVIDENCE, then of AHEAD times how far ahead the branch runs
COEFFICIENTS = (-1.12, -11.25, 26.31, -6.76, -2.91, -7.5, -6.27, 0.61, -1.33, -21.47, -23.74, 8.55)
#: host checkpoints per branch checkpoint from which a branch runs ahead, and where its first one then projects
PACE, LEAD = 1.2, 2.75
#: differences in time beyond so many checkpoints say no more
FAR = 3.0
#: effective number of directions that noise has, for how much a coefficient is worth; and the scatter it has anyway
DIRECTIONS, SCATTER = 150, 0.05
_LEAST = 1e-100


#: confidence in the nearest checkpoint where there is nothing to extrapolate from
LONE = 0.5


def fork_point(host: Floats, branch: Floats, blocks: Sequence[Block] = ()) -> tuple[int, float, int]:
    """Index into ``host`` [m, k] of the checkpoint that ``branch`` [b, k] left from, confidence, and the runner-up.

    The nearest checkpoint where either is a single one.
    """
    if len(host) < 2 or len(branch) < 2:
        ranked = np.argsort(((host - branch[0]) ** 2).sum(axis=1), kind="stable")
        return int(ranked[0]), LONE, int(ranked[min(1, len(ranked) - 1)])
    odds = departure_odds(host, branch, blocks)
    ranked = np.argsort(-odds, kind="stable")
    sure = 1.0 / float(np.exp(odds - odds.max()).sum())
    return int(ranked[0]), sure, int(ranked[1])


def departure_odds(host: Floats, branch: Floats, blocks: Sequence[Block] = ()) -> Floats:
    """Log-odds [m] up to a constant that ``branch`` [b ≥ 2, k] left each checkpoint of ``host`` [m ≥ 2, k]."""
    found = evidence(host, branch, blocks)
    odds: Floats = found @ np.array(COEFFICIENTS)
    return odds


def evidence(host: Floats, branch: Floats, blocks: Sequence[Block] = ()) -> Floats:
    """Evidence [m, 12] for every checkpoint of the host, in the order of COEFFICIENTS; free of units."""
    scale = scales(host, branch[0], blocks)
    host, branch = host * scale, branch[:2] * scale
    m = len(host)
    first, second = position(host, branch[0]), position(host, branch[1])
    ahead = min(max(second - first - PACE, 0.0), 1.0)
    places = np.arange(m, dtype=np.float64)
    time = _apart(places, 2 * first - second)
    own = branch[0] - host  # (m, k): the branch's first step, had it left from each
    lengths = np.maximum(np.linalg.norm(own, axis=1), _LEAST)
    step = branch[1] - branch[0]
    pace = max(float(np.linalg.norm(step)), _LEAST)
    longer = np.log(lengths / pace)
    along = own @ step / (lengths * pace)
    beyond = np.log(lengths / lengths.min())
    steps = np.diff(host, axis=0)
    back = np.zeros(m)
    sizes = np.maximum(np.linalg.norm(steps, axis=1), _LEAST)
    back[1:] = np.einsum("ij,ij->i", own[1:], steps) / (lengths[1:] * sizes)
    shared = np.zeros(m)
    shared[1:] = _unshared(host, branch[0], int(lengths.argmin()))
    plain = (time, shared, along, beyond, np.maximum(-longer, 0), np.maximum(longer, 0), back)
    running = (time, _apart(places, first - LEAD), shared, along, beyond)
    return np.stack([*plain, *(ahead * one for one in running)], axis=1)


def scales(host: Floats, point: Floats, blocks: Sequence[Block] = ()) -> Floats:
    """Factors [k]: one over what the fork moved each coordinate, with its tensor's mean so that none weighs too much.

    The fork's own displacement is that from the host's nearest checkpoint, tensor by tensor. A tensor that a fork left
    as it was (a frozen one) thus decides.
    """
    spans = [(block.start, block.stop) for block in blocks] or [(0, host.shape[1])]
    found = np.ones(host.shape[1])
    for start, stop in spans:
        squares = (host[:, start:stop] - point[start:stop]) ** 2
        moved = squares[int(squares.sum(axis=1).argmin())]
        least = 1e-12 * float((host[:, start:stop] ** 2).mean()) + _LEAST
        found[start:stop] = 1 / np.sqrt(moved + moved.mean() + least)
    return found


def position(path: Floats, point: Floats) -> float:
    """Where along the polyline ``path`` [m, k] the nearest place to ``point`` [k] is, in units of its checkpoints.

    Beyond the last checkpoint the last segment goes on for three more.
    """
    best, place = np.inf, 0.0
    for index in range(len(path) - 1):
        segment = path[index + 1] - path[index]
        square = float(segment @ segment)
        reach = 1.0 if index < len(path) - 2 else 4.0
        part = min(max(float((point - path[index]) @ segment) / square, 0.0), reach) if square > 0 else 0.0
        away = point - path[index] - part * segment
        if float(away @ away) < best:
            best, place = float(away @ away), index + part
    return place


def _apart(places: Floats, time: float) -> Floats:
    return np.minimum(np.abs(places - min(max(time, 0.0), len(places) - 1.0)), FAR)


def _unshared(host: Floats, point: Floats, near: int) -> Floats:
    """How much each step [m-1] of the host is missing in the branch, 0 … 1, weighed by how well that is known.

    Ridge regression towards the steps up to the nearest checkpoint.
    """
    steps = np.diff(host, axis=0)
    gram = steps @ steps.T
    inverse = np.linalg.inv(gram + (1e-3 * float(np.median(np.diag(gram))) + _LEAST) * np.eye(len(gram)))
    prior = (np.arange(len(steps)) < near).astype(float)
    rest = point - host[0] - prior @ steps
    coefficients = prior + inverse @ (steps @ rest)
    left = point - host[0] - coefficients @ steps
    variance = float(left @ left) / DIRECTIONS * np.diag(inverse)
    missing: Floats = np.clip(1 - coefficients, 0, 1) / (1 + variance / SCATTER)
    return missing
