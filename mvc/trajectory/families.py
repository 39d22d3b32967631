"""One family of kin checkpoints as a tree of trajectories. Owns the choice of root and the order within branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvc.trajectory.direction import log_odds
from mvc.trajectory.discriminant import discriminant_squares
from mvc.trajectory.forks import Chain, absorb_noise, chains, fork_point, preorder, rehung, rooted
from mvc.trajectory.inference import Block
from mvc.trajectory.metrics import trajectory_tree
from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import order_epochs
from mvc.trajectory.parallel import split_parallel

#: principal coordinates kept before tracing a family: branches need more of them than one run does
COORDINATES = 10
#: roots that are tried
_ROOTS = 64
#: points that a subtree must have to be turned round, and by how much its log-odds must gain
_TURNABLE = 4
_TURNED = 2.2


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
    tree = trajectory_tree(vectors, squares)
    ends = np.flatnonzero(np.bincount(tree.edges.ravel(), minlength=n) == 1)
    before = rooted(n, tree.edges, int(ends[0]))
    root = _best_root(before, int(ends[0]), vectors, blocks)[0]
    before = _turned(rooted(n, tree.edges, root), root, tree.distances, vectors, blocks)
    found = absorb_noise(chains(before, root), tree.distances)
    return _ordered(found, vectors, squares, blocks)


def _best_root(before: Ints, top: int, vectors: Floats, blocks: Sequence[Block]) -> tuple[int, float]:
    """The end of the subtree below ``top`` from which its trajectories run forward most, and by what odds more."""
    here = _tree_odds(chains(before, top), vectors, blocks)
    best, odds = top, here
    order, children = preorder(before, top)
    for end in [point for point in order if not children[point]][:_ROOTS]:
        there = _tree_odds(chains(rehung(before, top, end, int(before[top])), end), vectors, blocks)
        if there > odds:
            best, odds = end, there
    return best, odds - here


def _turned(before: Ints, root: int, distances: Floats, vectors: Floats, blocks: Sequence[Block]) -> Ints:
    """The rooted tree with those subtrees turned round that hang the wrong way up.

    A fork that begins with a leap may be nearer to its family with its end than with its beginning.
    """
    for chain in chains(before, root)[1:]:
        top = chain.members[0]
        below, _ = preorder(before, top)
        if len(below) < _TURNABLE:
            continue
        end, gain = _best_root(before, top, vectors, blocks)
        if end != top and gain > _TURNED:
            outside = np.ones(len(before), dtype=bool)
            outside[below] = False
            nearest = int(np.where(outside, distances[end], np.inf).argmin())
            before = rehung(before, top, end, nearest)
    return before


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
