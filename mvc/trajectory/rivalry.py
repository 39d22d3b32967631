"""How sure a fork is once lineages were traced without help. Owns the confidence that inference states of it.

The fork rule's probability holds where host and branch are known. Told nothing, what goes wrong is who belongs to whom,
and that shows: where lineages run beside each other, points have their nearest relative in another one. A logistic
model weighs the rule's log-odds and the shares of such points on both sides of the fork. Its coefficients were fitted
to 692 inferred forks by ``benchmarks/trajectory/fit_rivalry.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mvc.trajectory.mst import Floats, Ints

#: log-odds: constant, per log-odds of the fork rule, per share of rivalled points in the branch and in the host
COEFFICIENTS = (-0.17, 0.59, -2.79, -4.12)
#: log-odds of the rule beyond this say no more
CERTAIN = 3.0
#: points of the branch from its first, and of the host before and after the fork point, that are looked at
FIRST, BEFORE, AFTER = 6, 2, 3


def fork_confidence(stated: float, rivalled: tuple[float, float]) -> float:
    """Probability that branch and fork point are right, from what the rule ``stated`` and `rivalry`."""
    stated = min(max(stated, 1e-6), 1 - 1e-6)
    odds = min(max(math.log(stated / (1 - stated)), -CERTAIN), CERTAIN)
    constant, rule, branch, host = COEFFICIENTS
    return 1 / (1 + math.exp(-(constant + rule * odds + branch * rivalled[0] + host * rivalled[1])))


def rivalry(
    squares: Floats, home: Ints, branch: Sequence[int], host: Sequence[int], parent: int
) -> tuple[float, float]:
    """Shares of points near the fork whose nearest relative is in another lineage: of the branch, and of the host.

    ``squares`` [n, n] squared distances, ``home`` [n] lineage of each point, branch and host their points in order.
    """
    at = host.index(parent)
    around = range(max(0, at - BEFORE), min(len(host), at + AFTER + 1))
    return _share(squares, home, branch, range(min(FIRST, len(branch)))), _share(squares, home, host, around)


def _share(squares: Floats, home: Ints, path: Sequence[int], places: range) -> float:
    outside = home != home[path[0]]
    rivalled = 0
    for place in places:
        beside = [path[i] for i in (place - 1, place + 1) if 0 <= i < len(path)]
        own = min((squares[path[place], other] for other in beside), default=math.inf)
        nearest = squares[path[place], outside].min(initial=math.inf)
        rivalled += bool(nearest < own)
    return rivalled / len(places)
