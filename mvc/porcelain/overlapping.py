"""Two architectures on the tensors that both have. Owns which of these are compared, and whose pair it rests on.

A tensor is shared if its name and shape are. A table of another length (an embedding of another vocabulary), a new head
and whatever else only one side has are left out, and the coverage says how much that is. So are tensors that are equal
in all models of both: constant buffers are alike in strangers. They count only where they are most of what is shared
and of the smaller model, as a frozen backbone is that nobody has trained here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.objects import ObjectId
from mvc.trajectory import lay_out
from mvc.trajectory.kinship import Units, Yardstick
from mvc.trajectory.mst import Floats
from mvc.trajectory.overlaps import Meeting, meet, reach

#: points whose signatures are held at once
_PORTION = 256

#: signatures [n, k] of these points and tensors, each tensor's up to offset and scale
Patterns = Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Side:
    """Models of one architecture. ``shapes``: of its trainable tensors; ``keys``: points; ``lineages``: theirs, in
    order; ``tensors``: key → ids in sorted order of names; ``patterns`` gives their signatures.
    """

    shapes: Mapping[str, tuple[int, ...]]
    keys: Sequence[str]
    lineages: Sequence[Sequence[int]]
    tensors: Mapping[str, Sequence[ObjectId]]
    patterns: Patterns

    @property
    def weights(self) -> int:
        return sum(map(math.prod, self.shapes.values()))

    def of(self, key: str) -> Mapping[str, ObjectId]:
        """Name → tensor of one point."""
        return dict(zip(sorted(self.shapes), self.tensors[key], strict=True))


@dataclass(frozen=True)
class Overlap:
    """What two points of different architectures have in common. ``own``, ``other``, ``runner_up`` are points' keys.

    ``tensors`` and ``shared`` count tensors and values that were compared, ``identical`` the values of tensors that are
    equal; ``coverage`` is the share of the smaller model that was compared. ``runner_up`` is of another lineage.
    """

    own: str
    other: str
    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float
    sigmas: float
    runner_up: str | None = None

    @property
    def common(self) -> float:
        """How much the two have in common: the cosine, times the values that it is about."""
        return self.cosine * self.shared


class Common:
    """Two sides that share tensors; `of` says whether they do."""

    def __init__(self, a: Side, b: Side, names: Sequence[str]) -> None:
        self._a, self._b, self.names = a, b, names
        blocks = lay_out((name, a.shapes[name]) for name in names)
        self._yardstick = Yardstick.of(blocks)
        self._ua, self._ub = (self._units(side) for side in (a, b))
        self._reach: Floats = reach(self._yardstick, self._ua, self._ub, a.lineages, b.lineages)

    @classmethod
    def of(cls, a: Side, b: Side) -> Common | None:
        names = compared(a, b)
        return cls(a, b, names) if any(math.prod(a.shapes[name]) > 1 for name in names) else None

    def overlap(self, lineage: int, *, second: bool = False) -> Overlap | None:
        """Where a lineage of the first side (of the second one) is nearest to the other side, if it is kin."""
        row = self._reach[:, lineage] if second else self._reach[lineage]
        order = np.argsort(-row, kind="stable")[:2]
        found = [self._meet(int(other), lineage) if second else self._meet(lineage, int(other)) for other in order]
        if not found[0].kin:
            return None
        next_best = found[1] if len(found) > 1 and found[1].kin else None
        return self._overlap(found[0], second, next_best)

    def between(self, own: str, other: str, *, second: bool = False) -> Overlap:
        """What a point of the first side (of the second one) has in common with one of the other, kin or not."""
        a, b = (other, own) if second else (own, other)
        i, j = self._a.keys.index(a), self._b.keys.index(b)
        return self._overlap(meet(self._yardstick, self._ua, self._ub, [i], [j]), second)

    def _overlap(self, found: Meeting, second: bool, next_best: Meeting | None = None) -> Overlap:
        own, other = self._keys(found, second)
        sizes = {name: math.prod(self._a.shapes[name]) for name in self.names}
        left, right = self._a.of(self._a.keys[found.a]), self._b.of(self._b.keys[found.b])
        shared = sum(sizes.values())
        return Overlap(
            own=own,
            other=other,
            tensors=len(sizes),
            shared=shared,
            coverage=shared / min(self._a.weights, self._b.weights),
            identical=sum(size for name, size in sizes.items() if left[name] == right[name]),
            cosine=found.cosine,
            sigmas=found.sigmas,
            runner_up=None if next_best is None else self._keys(next_best, second)[1],
        )

    def _keys(self, meeting: Meeting, second: bool) -> tuple[str, str]:
        keys = self._a.keys[meeting.a], self._b.keys[meeting.b]
        return (keys[1], keys[0]) if second else keys

    def _meet(self, i: int, j: int) -> Meeting:
        return meet(self._yardstick, self._ua, self._ub, self._a.lineages[i], self._b.lineages[j])

    def _units(self, side: Side) -> Units:
        return np.concatenate(list(self._portions(side)))

    def _portions(self, side: Side) -> Iterator[Units]:
        for start in range(0, len(side.keys), _PORTION):
            yield self._yardstick.units(side.patterns(side.keys[start : start + _PORTION], self.names))


def shared(a: Mapping[str, tuple[int, ...]], b: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Names of the tensors that both have in equal shape, sorted; both given as name → shape."""
    return sorted(name for name in a.keys() & b.keys() if a[name] == b[name])


def compared(a: Side, b: Side) -> list[str]:
    """Names of the shared tensors that say something."""
    names = shared(a.shapes, b.shapes)
    models = [side.of(key) for side in (a, b) for key in side.keys]
    constant = {name for name in names if len({model[name] for model in models}) == 1}
    moving = [name for name in names if name not in constant]
    values = sum(math.prod(a.shapes[name]) for name in constant)
    most = 2 * values >= sum(math.prod(a.shapes[name]) for name in names)
    backbone = 2 * values >= min(a.weights, b.weights) or 2 * len(constant) >= min(len(a.shapes), len(b.shapes))
    return names if most and backbone else moving
