"""Branches of one family and the points where they leave. Owns how a rooted tree falls into them.

A family hangs on its spanning tree (`mvc.trajectory.metrics`). Chains follow the child with most checkpoints to come. A
chain that leaves its host by clearly more than one step is a branch; one that does not is noise and belongs into the
host. Of the ways off a fork, the host's is the one that goes on at its pace.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mvc.trajectory.mst import Floats, Ints

#: how many of its own steps a chain must end away from its host to be a branch; a single checkpoint must show more
DIVERGED = 1.5
DIVERGED_ALONE = 2.5
#: how many of the host's last checkpoints count as its end
AT_END = 4


@dataclass
class Chain:
    """Points in order; ``parent`` is the point of another chain that the first one hangs on, None for the root's."""

    parent: int | None
    members: list[int]


def rooted(n: int, edges: Ints, root: int) -> Ints:
    """A spanning tree hung up by ``root``: every point's predecessor [n], -1 at the root."""
    beside: list[list[int]] = [[] for _ in range(n)]
    for a, b in edges.tolist():
        beside[a].append(b)
        beside[b].append(a)
    before = np.full(n, -1, dtype=np.intp)
    waiting = [root]
    for point in waiting:
        for other in beside[point]:
            if other != before[point]:
                before[other] = point
                waiting.append(other)
    return before


def chains(before: Ints, root: int, distances: Floats) -> list[Chain]:
    """Long-path decomposition of the rooted tree: each chain goes on in the child with most checkpoints to follow.

    Of equal ones in that with the longest way to go.
    """
    children: list[list[int]] = [[] for _ in before]
    for point, parent in enumerate(before.tolist()):
        if parent >= 0:
            children[parent].append(point)
    order = [root]
    for point in order:
        order += children[point]
    height = [(1, 0.0)] * len(before)
    for point in reversed(order[1:]):
        parent = int(before[point])
        below, way = height[point]
        height[parent] = max(height[parent], (below + 1, way + float(distances[parent, point])))
    found: list[Chain] = []
    waiting: list[tuple[int | None, int]] = [(None, root)]
    for parent, point in waiting:
        members = [point]
        while children[members[-1]]:
            ranked = sorted(children[members[-1]], key=lambda child: (height[child], -child), reverse=True)
            waiting += [(members[-1], other) for other in ranked[1:]]
            members.append(ranked[0])
        found.append(Chain(parent, members))
    return found


def absorb_noise(found: list[Chain], distances: Floats) -> list[Chain]:
    """The chains that truly diverge; points of the others stand in their host, by their way from the root."""
    way = _ways(found, distances)
    home = {member: index for index, chain in enumerate(found) for member in chain.members}
    for index in range(len(found) - 1, 0, -1):
        chain = found[index]
        assert chain.parent is not None
        host = found[home[chain.parent]]
        if not _is_branch(distances, chain, host):
            host.members += chain.members
            host.members.sort(key=lambda point: (way[point], point))
            home |= dict.fromkeys(chain.members, home[chain.parent])
            chain.members = []
    return [chain for chain in found if chain.members]


def continue_hosts(found: list[Chain], vectors: Floats) -> list[Chain]:
    """The same branches, with every host going on where its own step does; the other way off a fork is the branch.

    A run goes on at its pace; a branch begins with another, because something was changed.
    """
    paths = [Chain(chain.parent, list(chain.members)) for chain in found]
    home = {member: index for index, chain in enumerate(paths) for member in chain.members}
    for chain in paths[1:]:
        assert chain.parent is not None
        host = paths[home[chain.parent]]
        at = host.members.index(chain.parent)
        if not 0 < at < len(host.members) - 1:
            continue
        last, here, on = (vectors[host.members[at + i]] for i in (-1, 0, 1))
        if continuity(here - last, vectors[chain.members[0]] - here) > continuity(here - last, on - here):
            chain.members, host.members[at + 1 :] = host.members[at + 1 :], chain.members
            for index, one in enumerate(paths):
                if one is host or one is chain:
                    home |= dict.fromkeys(one.members, index)
    return paths


def continuity(step: Floats, following: Floats) -> float:
    """How much ``following`` looks like the next step after ``step``: by length, and half as much by direction."""
    lengths = float(np.linalg.norm(step)), float(np.linalg.norm(following))
    if min(lengths) <= 0:
        return -np.inf
    return float(step @ following) / (2 * lengths[0] * lengths[1]) - abs(float(np.log(lengths[1] / lengths[0])))


def _ways(found: list[Chain], distances: Floats) -> dict[int, float]:
    """Length of the way from the root to every point."""
    way = {found[0].members[0]: 0.0}
    for chain in found:
        path = chain.members if chain.parent is None else [chain.parent, *chain.members]
        for before, point in pairwise(path):
            way[point] = way[before] + float(distances[before, point])
    return way


def _is_branch(distances: Floats, chain: Chain, host: Chain) -> bool:
    if len(chain.members) > 1:
        return divergence(distances, chain, host) >= DIVERGED
    # one point off the host's end is a next checkpoint that came out odd (it may even have stepped back); off its
    # middle it is a branch of one
    at_end = chain.parent in host.members[-AT_END:]
    return not at_end and divergence(distances, chain, host) >= DIVERGED_ALONE


def divergence(distances: Floats, chain: Chain, host: Chain) -> float:
    """How far the chain's last point is from all of its host, in median steps of both around the place they part."""
    assert chain.parent is not None
    at = host.members.index(chain.parent)
    around = host.members[max(0, at - 2) : at + 4]
    own = [chain.parent, *chain.members]
    steps = [distances[a, b] for path in (around, own) for a, b in pairwise(path)]
    unit = float(np.median(steps))
    if len(chain.members) == 1:
        # a lone point has only the step that is in question, so the host is the measure, near it and as a whole: a
        # schedule that restarts makes its steps here as small as they get, one that grows makes them larger than most
        here = [float(distances[a, b]) for a, b in pairwise(around)]
        along = [float(distances[a, b]) for a, b in pairwise(host.members)]
        unit = max((float(np.median(part)) for part in (here, along) if part), default=0.0)
    apart = float(distances[chain.members[-1], host.members].min())
    if unit <= 0:
        return np.inf if apart > 0 else 0.0
    return apart / unit
