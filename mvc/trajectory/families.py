"""One family of kin checkpoints as a tree of trajectories. Owns the choice of root and the order within branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvc.trajectory.direction import log_odds
from mvc.trajectory.discriminant import discriminant_squares
from mvc.trajectory.forks import Chain, branches, fork_point, rooted_tree
from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats, minimum_spanning_tree
from mvc.trajectory.ordering import order_epochs
from mvc.trajectory.parallel import split_parallel

#: principal coordinates kept before tracing a family: branches need more of them than one run does
COORDINATES = 10
#: roots that are tried
_ROOTS = 24


@dataclass(frozen=True)
class Branch:
    """Members in order, local indices. ``parent`` is the fork point, None for the root's branch.

    ``odds`` are the log-odds that the family is oriented the right way round.
    """

    members: tuple[int, ...]
    odds: float
    parent: int | None = None
    confidence: float = 1.0
    runner_up: int | None = None


def trace_family(vectors: Floats, squares: Floats, blocks: Sequence[Block]) -> list[Branch]:
    """Branches of n kin models, the root's first, each after its parent. ``squares`` [n, n] squared distances."""
    n = len(vectors)
    if n == 1:
        return [Branch((0,), 0.0)]
    distances = np.sqrt(squares)
    candidates = _roots(distances)
    traced = [(_tree_odds(found, vectors, blocks), found) for found in candidates]
    _, best = max(enumerate(traced), key=lambda item: (item[1][0], -item[0]))
    return _ordered(best[1], vectors, squares, blocks)


def _roots(distances: Floats) -> list[list[Chain]]:
    """The family's branches as seen from each of its ends."""
    tree = minimum_spanning_tree(distances)
    _, cost = rooted_tree(len(distances), *tree, 0)
    end = int(cost.argmax())
    found = branches(distances, tree, end)
    tips = sorted(found, key=lambda chain: -len(chain.members))[: _ROOTS - 1]
    others = dict.fromkeys(chain.members[-1] for chain in tips)
    return [found, *(branches(distances, tree, tip) for tip in others if tip != end)]


def _tree_odds(found: Sequence[Chain], vectors: Floats, blocks: Sequence[Block]) -> float:
    """Log-odds of a rooted tree: those of its branches, each weighted by its share of the steps."""
    total, steps = 0.0, 0
    for chain in found:
        path = chain.members if chain.parent is None else [chain.parent, *chain.members]
        total += (len(path) - 1) * log_odds(vectors[path], blocks)
        steps += len(path) - 1
    return total / max(steps, 1)


def _ordered(found: Sequence[Chain], vectors: Floats, squares: Floats, blocks: Sequence[Block]) -> list[Branch]:
    result: list[Branch] = []
    home: dict[int, int] = {}
    for chain in found:
        path = chain.members if chain.parent is None else [chain.parent, *chain.members]
        first = None if chain.parent is None else 0
        order = order_epochs(discriminant_squares(vectors[path], blocks), start=np.arange(len(path)), first=first)
        members = [path[i] for i in order]
        if chain.parent is None:
            odds = log_odds(vectors[members], blocks)
            members = members[::-1] if odds < 0 else members
        parts = split_parallel(vectors[members])
        host, beside = members, []
        if parts is not None and (chain.parent is None or parts[0][0] == 0):
            host, beside = ([members[i] for i in part] for part in parts)
        if chain.parent is None:
            result.append(Branch(tuple(host), abs(log_odds(vectors[host], blocks))))
        else:
            result.append(_attached(host[1:], result[home[chain.parent]], result[0].odds, vectors))
        home |= dict.fromkeys(host, len(result) - 1)
        if beside:
            result.append(_attached(beside, result[-1], result[0].odds, vectors))
            home |= dict.fromkeys(beside, len(result) - 1)
    return result


def _attached(members: Sequence[int], host: Branch, odds: float, vectors: Floats) -> Branch:
    at, sure, second = fork_point(vectors[list(host.members)], vectors[list(members)])
    return Branch(tuple(members), odds, host.members[at], sure, host.members[second])
