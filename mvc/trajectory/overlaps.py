"""Kinship of models of different architectures, on the tensors that both have. Owns which pair of models it rests on.

Two sides of points with the same blocks. What kinship is, and what chance puts it at, is `mvc.trajectory.kinship`'s:
cosines of standardised tensors, held against the null of the very pair. Nothing here says which side came first: an
angle has no direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.trajectory.kinship import SIGMAS, Units, Yardstick, products
from mvc.trajectory.mst import Floats, Ints


@dataclass(frozen=True)
class Meeting:
    """The strongest pair of points of two lineages: indices on either side, its ``cosine`` and ``null``."""

    a: int
    b: int
    cosine: float
    null: float
    certain: float

    @property
    def sigmas(self) -> float:
        """The cosine in standard deviations of what strangers have, at most 99."""
        return min(self.cosine / self.null, 99.0) if self.null > 0 else 99.0

    @property
    def kin(self) -> bool:
        """Whether it is beyond chance, as within an architecture."""
        return self.cosine > self.certain or self.cosine > SIGMAS * self.null


def ends_of(lineages: Sequence[Sequence[int]]) -> Ints:
    """First and last point of every lineage, ascending. What left a lineage, or was left by it, starts at one."""
    return np.unique(np.array([end for members in lineages for end in (members[0], members[-1])], dtype=np.intp))


def reach(
    yardstick: Yardstick, a: Units, b: Units, of_a: Sequence[Sequence[int]], of_b: Sequence[Sequence[int]]
) -> Floats:
    """Greatest cosine [lineages of a, lineages of b] of two points of which one is an end of its lineage.

    ``a``, ``b`` are units [n, k], [m, k]; ``of_a``, ``of_b`` the points of each lineage in order.
    """
    found = np.full((len(of_a), len(of_b)), -np.inf)
    for rows, columns in ((ends_of(of_a), np.arange(len(b))), (np.arange(len(a)), ends_of(of_b))):
        cosines = products(a[rows], b[columns]) / yardstick.norm**2
        found = np.maximum(found, _per_lineage(_per_lineage(cosines, rows, of_a, 0), columns, of_b, 1))
    return found


def meet(yardstick: Yardstick, a: Units, b: Units, members: Sequence[int], others: Sequence[int]) -> Meeting:
    """The strongest pair of a point of one lineage and one of another, one of them an end.

    Of equal ones, as where layers stay frozen, the first in the lineages' order.
    """
    rows, columns = np.array(members, dtype=np.intp), np.array(others, dtype=np.intp)
    cosines = products(a[rows], b[columns]) / yardstick.norm**2
    allowed = np.isin(rows, (members[0], members[-1]))[:, None] | np.isin(columns, (others[0], others[-1]))[None]
    place, other = divmod(int(np.where(allowed, cosines, -np.inf).argmax()), len(columns))
    i, j = int(rows[place]), int(columns[other])
    return Meeting(i, j, float(cosines[place, other]), yardstick.null(a[i], b[j]), yardstick.certain)


def _per_lineage(values: Floats, points: Ints, lineages: Sequence[Sequence[int]], axis: int) -> Floats:
    """Greatest value of each lineage's points along an axis, along which ``values`` has these ``points``."""
    home = {point: label for label, members in enumerate(lineages) for point in members}
    labels = np.array([home[int(point)] for point in points], dtype=np.intp)
    order = np.argsort(labels, kind="stable")
    starts: npt.NDArray[np.intp] = np.flatnonzero(np.diff(labels[order], prepend=-1))
    greatest: Floats = np.maximum.reduceat(values.take(order, axis), starts, axis)
    return greatest
