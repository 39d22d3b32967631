"""The values that inference speaks in: the population it reads and the lineages it finds. Computes nothing.

Everything here is a function of the set of points: keys are content keys, sorted, and break every tie.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvc.geometry import signature_length

Relation = Literal["starts", "extends", "forks", "mixes"]
Source = Literal["weights", "declared", "undecided"]
#: norm of the error that a point's own dtype made, 0 where it is not narrow
Rounding = Callable[[int], float]
#: norm of what the average of points by weights leaves of a point's own values
Leaves = Callable[[int, Sequence[int], Sequence[float]], float]


@dataclass(frozen=True)
class Block:
    """Columns ``start:stop`` of the vectors are the signature of tensor ``name`` with ``numel`` values.

    ``rows`` is the size of the tensor's first axis (units of a layer), 1 where it has none.
    """

    name: str
    start: int
    stop: int
    numel: int
    rows: int = 1


def lay_out(tensors: Iterable[tuple[str, Sequence[int]]]) -> tuple[Block, ...]:
    """Blocks of vectors that join the signatures of these tensors (name, shape), in this order."""
    blocks, start = [], 0
    for name, shape in tensors:
        numel = math.prod(shape)
        stop = start + signature_length(numel)
        blocks.append(Block(name, start, stop, numel, shape[0] if shape else 1))
        start = stop
    return tuple(blocks)


@dataclass(frozen=True)
class Declared:
    """What a user or a file said of one point. ``parent`` is a point's key."""

    step: float | None = None
    run: str | None = None
    parent: str | None = None


@dataclass(frozen=True)
class Population:
    """All models of one architecture, each once.

    ``keys`` [n] content keys, ascending; ``vectors`` float [n, k], concatenated signatures; ``declared`` [n].
    ``distance`` gives the exact distance of two points by index, ``leaves`` says what an average leaves of a point;
    both are None where the vectors themselves are exact. ``rounding`` is None where nobody knows of narrow dtypes.
    """

    keys: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    blocks: tuple[Block, ...]
    declared: tuple[Declared, ...]
    distance: Callable[[int, int], float] | None = None
    rounding: Rounding | None = None
    leaves: Leaves | None = None

    def of_points(self, points: Sequence[int]) -> Population:
        """These points alone, given in ascending order."""
        exact, rounding, leaves = self.distance, self.rounding, self.leaves
        return Population(
            keys=tuple(self.keys[i] for i in points),
            vectors=self.vectors[points],
            blocks=self.blocks,
            declared=tuple(self.declared[i] for i in points),
            distance=None if exact is None else lambda a, b: exact(points[a], points[b]),
            rounding=None if rounding is None else lambda a: rounding(points[a]),
            leaves=None if leaves is None else lambda a, of, by: leaves(points[a], [points[i] for i in of], by),
        )

    def of_blocks(self, places: Sequence[int]) -> Population:
        """All points, with the blocks at these places alone."""
        if len(places) == len(self.blocks):
            return self
        blocks, columns, start = [], [np.empty(0, dtype=np.intp)], 0
        for block in (self.blocks[i] for i in places):
            columns.append(np.arange(block.start, block.stop))
            blocks.append(replace(block, start=start, stop=start + block.stop - block.start))
            start = blocks[-1].stop
        return replace(self, vectors=self.vectors[:, np.concatenate(columns)], blocks=tuple(blocks))


@dataclass(frozen=True)
class Direction:
    """Which way time runs along a lineage: probability that the order given is the right way round, and by what."""

    confidence: float
    source: Source


@dataclass(frozen=True)
class Fork:
    """Where a lineage left another: the parent point, how sure, and the next best point."""

    parent: int
    confidence: float
    runner_up: int | None = None


@dataclass(frozen=True)
class Placement:
    """Where one point stands. ``parent`` is the point before it (or the fork point), None for a root.

    ``distance`` and ``turning_angle`` (degrees) belong to the step from ``parent``; ``confidence`` is that of the
    membership in its lineage and of its neighbours. ``evidence`` is JSON-able: numbers, texts, keys of points.
    """

    point: int
    lineage: int
    position: int
    relation: Relation
    parent: int | None
    distance: float | None
    turning_angle: float | None
    confidence: float
    evidence: Mapping[str, object] = field(default_factory=dict)

    def renumbered(self, points: Sequence[int]) -> Placement:
        """The same among other points, of which these are ours."""
        parent = None if self.parent is None else int(points[self.parent])
        return replace(self, point=int(points[self.point]), parent=parent)


@dataclass(frozen=True)
class Lineage:
    """Points of one training run in inferred order (indices into the population)."""

    members: tuple[int, ...]
    direction: Direction
    fork: Fork | None = None

    def renumbered(self, points: Sequence[int]) -> Lineage:
        """The same among other points, of which these are ours."""
        fork = self.fork
        if fork is not None:
            second = None if fork.runner_up is None else int(points[fork.runner_up])
            fork = Fork(int(points[fork.parent]), fork.confidence, second)
        return replace(self, members=tuple(int(points[i]) for i in self.members), fork=fork)


@dataclass(frozen=True)
class Merge:
    """``point`` is the average of ``sources`` by ``weights``, which sum to one, largest first.

    No source is a merge itself where it can be avoided. ``confidence``: that it is the average and not one of the
    sources. ``unique``: no other weights give the same.
    """

    point: int
    sources: tuple[int, ...]
    weights: tuple[float, ...]
    residual: float
    confidence: float
    unique: bool = True

    def renumbered(self, points: Sequence[int]) -> Merge:
        """The same among other points, of which these are ours."""
        return replace(self, point=int(points[self.point]), sources=tuple(int(points[i]) for i in self.sources))


@dataclass(frozen=True)
class Inference:
    """All lineages of one architecture, in order of their first member's key, and every point's placement [n].

    ``merges`` are the points that are averages of others, by index.
    """

    lineages: tuple[Lineage, ...]
    placements: tuple[Placement, ...]
    warnings: tuple[str, ...] = ()
    merges: tuple[Merge, ...] = ()
