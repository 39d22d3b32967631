"""One family of kin checkpoints as a tree of trajectories. Owns the choice of root and the order within branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mvc.trajectory.departures import fork_point
from mvc.trajectory.direction import log_odds
from mvc.trajectory.discriminant import discriminant_squares
from mvc.trajectory.forks import Chain, absorb_noise, chains, continue_hosts, rooted
from mvc.trajectory.inference import Block
from mvc.trajectory.metrics import trajectory_tree
from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import order_epochs
from mvc.trajectory.parallel import split_parallel
from mvc.trajectory.rivalry import fork_confidence, rivalry
from mvc.trajectory.rooting import forward_odds

#: roots that are tried
_ROOTS = 32
#: checkpoints before the host's own first that a branch may have left from
_FURTHER = 4


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
    found = _best_rooting(tree.edges, np.sqrt(squares), vectors, blocks)
    return _doubted(_ordered(found, vectors, blocks), squares)


def _best_rooting(edges: Ints, distances: Floats, vectors: Floats, blocks: Sequence[Block]) -> list[Chain]:
    """The tree's branches, hung up by that of their ends from which most of them run forward in time."""

    def hung_up(root: int) -> list[Chain]:
        return chains(rooted(len(vectors), edges, root), root, distances)

    one = hung_up(0)[0].members[-1]
    other = hung_up(one)[0].members[-1]
    branches = {end: absorb_noise(hung_up(end), distances) for end in (one, other)}
    for found in list(branches.values()):
        for chain in sorted(found, key=lambda chain: -len(chain.members))[:_ROOTS]:
            tip = chain.members[-1]
            if tip not in branches:
                branches[tip] = absorb_noise(hung_up(tip), distances)
    rootings = list(branches.values())
    odds = [_tree_odds(rooting, vectors, blocks) for rooting in rootings]
    return continue_hosts(rootings[int(np.argmax(odds))], vectors)


def _tree_odds(found: Sequence[Chain], vectors: Floats, blocks: Sequence[Block]) -> float:
    """Log-odds of a rooted tree: those of its branches, each weighted by its share of the steps."""
    total, steps = 0.0, 0
    for chain in found:
        path = chain.members if chain.parent is None else [chain.parent, *chain.members]
        total += (len(path) - 1) * forward_odds(vectors[path], blocks)
        steps += len(path) - 1
    return total / max(steps, 1)


def _ordered(found: Sequence[Chain], vectors: Floats, blocks: Sequence[Block]) -> list[Branch]:
    result: list[Branch] = []
    home: dict[int, int] = {}
    for chain in found:
        path = chain.members if chain.parent is None else [chain.parent, *chain.members]
        first = None if chain.parent is None else 0
        order = order_epochs(discriminant_squares(vectors[path], blocks), start=np.arange(len(path)), first=first)
        members = [path[i] for i in order]
        if len(found) == 1 and log_odds(vectors[members], blocks) < 0:
            members = members[::-1]
        parts = split_parallel(vectors[members])
        host, beside = members, []
        if parts is not None and (chain.parent is None or parts[0][0] == 0):
            host, beside = ([members[i] for i in part] for part in parts)
        if chain.parent is None:
            result.append(Branch(tuple(host), max(0.0, log_odds(vectors[host], blocks, forked=len(found) > 1))))
        else:
            result.append(_attached(host[1:], home[chain.parent], result, home, vectors, blocks))
        home |= dict.fromkeys(result[-1].members, len(result) - 1)
        if beside:
            result.append(_attached(beside, len(result) - 1, result, home, vectors, blocks))
            home |= dict.fromkeys(beside, len(result) - 1)
    return result


def _attached(
    members: Sequence[int],
    host: int,
    traced: Sequence[Branch],
    home: Mapping[int, int],
    vectors: Floats,
    blocks: Sequence[Block],
) -> Branch:
    """The branch with its fork point on the ``host``, or before that on what the host itself forked from."""
    way, above = list(traced[host].members), traced[host].parent
    if above is not None:
        before = traced[home[above]].members
        way = [*before[: before.index(above) + 1][-_FURTHER:], *way]
    at, sure, second = fork_point(vectors[way], vectors[list(members)], blocks)
    return Branch(tuple(members), traced[0].odds, way[at], sure, way[second])


def _doubted(traced: Sequence[Branch], squares: Floats) -> list[Branch]:
    """The same branches with confidences that count in how sure their points are."""
    home = np.empty(len(squares), dtype=np.intp)
    for number, branch in enumerate(traced):
        home[list(branch.members)] = number

    def doubted(branch: Branch) -> Branch:
        if branch.parent is None:
            return branch
        host = traced[home[branch.parent]].members
        rivalled = rivalry(squares, home, branch.members, host, branch.parent)
        return replace(branch, confidence=fork_confidence(branch.confidence, rivalled))

    return [doubted(branch) for branch in traced]
