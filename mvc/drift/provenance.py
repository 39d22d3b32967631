"""Whether weights bear out what was declared of them: a place in an order, a parent. Owns when they are sure enough.

Along a walk in high dimension squared distances add up, so that a checkpoint stands between its neighbours at no cost
and anywhere else at the cost of twice the way there and back; and it is nearer to its parent than to what the parent
came from. Where a walk is stationary neither holds any more, and nothing is said. Silent also where training was so
violent that little of the parent is left: weights cannot bear out anything then.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvc.trajectory import Block
from mvc.trajectory.direction import confidence, log_odds
from mvc.trajectory.kinship import SIGMAS, Yardstick, products
from mvc.trajectory.mst import Floats, Ints

#: the most of the declared place's cost that another may have; guards steps that shrink by orders of magnitude
_SHARE = 0.5
#: places that a checkpoint must be away from its declared one: late in training neighbours are hard to tell
_AWAY = 2
#: confidence with which the declared order must run against time. On healthy windows of 12 checkpoints 0.98 is reached
BACKWARDS = 0.995
#: norms that differ by more than this factor say that training blew up
_NORMS = 2.0
#: points of an order that say something about each one's place
POINTS = 6


@dataclass(frozen=True)
class Misplaced:
    """Point ``point`` of an order belongs between points ``after`` and ``before``, None at an end.

    ``gain``: by how many typical squared steps that is cheaper.
    """

    point: int
    after: int | None
    before: int | None
    gain: float


def misplaced(squares: Floats, limit: float) -> tuple[Misplaced, ...]:
    """Points of an order with squared distances [n, n] that surely belong elsewhere; none of fewer than POINTS.

    The one whose move saves most (an "or-opt" move; Or 1976) is moved first, and all others are judged by the order
    that this leaves: beside one wrong place its neighbours look wrong too. ``limit``: typical squared steps that a move
    must save.
    """
    n = len(squares)
    nearest = np.where(np.eye(n, dtype=bool), np.inf, squares).min(axis=1) if n >= POINTS else np.zeros(1)
    unit = float(np.median(nearest))
    if not 0 < unit < math.inf:
        return ()
    order = np.arange(n)
    gains: dict[int, float] = {}
    for _ in range(n):
        gain, point, place = _best_move(squares, order)
        if gain <= limit * unit or int(order[point]) in gains:
            break
        moved = order[point]
        gains[int(moved)] = gain / unit
        order = np.insert(np.delete(order, point), place, moved)
    places = {int(point): place for place, point in enumerate(order)}
    found = []
    for point, gain in sorted(gains.items()):
        place = places[point]
        after = int(order[place - 1]) if place else None
        found.append(Misplaced(point, after, int(order[place + 1]) if place < n - 1 else None, gain))
    return tuple(found)


def _best_move(squares: Floats, order: Ints) -> tuple[float, int, int]:
    """The move of one point of an order that saves most: how much, from where, and to which place among the rest."""
    best = (0.0, 0, 0)
    for point in range(len(order)):
        rest = np.delete(order, point)
        away = squares[order[point], rest]
        costs = np.concatenate([away[:1], away[:-1] + away[1:] - squares[rest[:-1], rest[1:]], away[-1:]])
        place = int(costs.argmin())
        gain = float(costs[point] - costs[place])
        if gain > best[0] and abs(place - point) >= _AWAY and costs[place] <= _SHARE * costs[point]:
            best = gain, point, place
    return best


def runs_backwards(path: Floats, blocks: Sequence[Block], *, forked: bool) -> float | None:
    """Confidence that an order of signatures [m, k] runs against time, where that is sure, else None."""
    odds = log_odds(path, blocks, forked=forked) if len(path) >= POINTS else 0.0
    sure = confidence(odds)
    return sure if odds < 0 and sure >= BACKWARDS else None


def strangers(a: Floats, b: Floats, blocks: Sequence[Block]) -> float | None:
    """By how many standard deviations of chance signature ``a`` [k] is like ``b``, if they are surely no kin.

    None for kin, and where that is not sure. ``blocks``: those that can tell kin from strangers. Hidden units in
    another order make strangers of kin: whoever asks must have looked for that.
    """
    if not comparable(a, b):
        return None
    yardstick = Yardstick.of(blocks)
    units = yardstick.units(np.stack([a, b]))
    cosine = float(products(units[:1], units[1:])[0, 0]) / yardstick.norm**2
    chance = yardstick.null(units[0], units[1])
    return cosine / chance if chance > 0 and cosine <= min(yardstick.certain, SIGMAS * chance) else None


def comparable(a: Floats, b: Floats) -> bool:
    """Whether two signatures [k] are of like norm, as training leaves it unless it blows up."""
    small, large = sorted((float(np.linalg.norm(a)), float(np.linalg.norm(b))))
    return 0 < large <= _NORMS * small


def nearer(squares: Floats, parent: int, others: Sequence[int], limit: float) -> tuple[int, float] | None:
    """Which of ``others``, none of which descends from the parent, must be nearer to the child's true parent.

    And how many times as far as that the declared ``parent`` is, squared; None where that is no more than ``limit``.
    ``squares`` [n]: squared distances from the child. Healthy checkpoints reach 1.1 one interval after a shift of data
    or rate, the wrong sibling's from 2.1 on.
    """
    best = min(others, key=lambda other: (squares[other], other), default=parent)
    own, least = float(squares[parent]), float(squares[best])
    if own <= limit * least:
        return None
    return best, own / least if least > 0 else math.inf
