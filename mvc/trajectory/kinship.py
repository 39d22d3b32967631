"""Which models share a history at all. Owns kinship, its null, and the cut into families; the number is never given.

The kinship of two models is the cosine of their weights after each tensor was centred and scaled to unit variance, so
that every tensor counts by its number of values and neither a common offset (normalisation gains near one) nor a
growing layer hides or fakes it. Independent models are orthogonal (FACTS of high dimension: cosine 0 ± 1/√d), a null
without parameters; a checkpoint of the same run is not, because training leaves most of the initial values' pattern
in place. Families are the components of single linkage on this cosine, cut where the repository's own strangers end.

The spanning tree of single linkage grows by points, in any order and in any parts, and is the same in the end: cosines
are computed exactly, on whole numbers, and of equal ones the pair goes first that does so by the points' keys.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from mvc.geometry import EXACT, WIDTH
from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats, Ints, components, insert

#: cosine above which two models of more than a few values are kin whatever the null says
CERTAIN = 0.5
#: standard deviations of its null that a weaker link must exceed, whatever the number of points
SIGMAS = 6.0
#: and how far beyond the best of as many independent pairs: strangers among 12,500 trained networks reach 1.38 of it
TAILS = 1.4

#: norm that no rounded unit vector exceeds: inner products below its square are exact in single precision
_NORM = 1 << 12
#: inner products, and values of units, that are held in floating point at once
_ROOM, _VALUES = 1 << 22, 1 << 20

Units = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Forest:
    """Single linkage of n points, given in order of their keys: ``edges`` [n-1, 2], the strongest first.

    ``links`` are their cosines, ``null`` the standard deviations of the cosine that strangers would have, each [n-1].
    ``certain`` is the cosine above which two models are kin whatever their null says.
    """

    edges: Ints
    links: Floats
    null: Floats
    certain: float = CERTAIN

    @classmethod
    def empty(cls) -> Forest:
        return cls(np.empty((0, 2), dtype=np.intp), np.empty(0), np.empty(0))

    @property
    def sigmas(self) -> Floats:
        """Links in standard deviations of their null, at most 99."""
        return np.minimum(np.divide(self.links, self.null, out=np.full_like(self.links, 99.0), where=self.null > 0), 99)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Whether each edge joins kin."""
        return (self.links > self.certain) | (self.links > self.limit * self.null)

    @property
    def limit(self) -> float:
        """Standard deviations that a link must exceed: the more points, the farther the best link of strangers."""
        n = len(self.edges) + 1
        pairs = n * (n - 1) / 2
        return max(SIGMAS, -TAILS * NormalDist().inv_cdf(1 / max(pairs, 2)))


@dataclass(frozen=True)
class Yardstick:
    """How signatures become the units that kinship compares: a function of the telling blocks alone."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> Yardstick:
        """A single value has no pattern to compare."""
        return cls(tuple(block for block in blocks if block.numel > 1))

    @property
    def columns(self) -> int:
        return sum(block.stop - block.start - 1 for block in self.blocks)

    @property
    def norm(self) -> int:
        """Norm of a unit; rounding lengthens it by half the root of its columns at most."""
        return _NORM - math.ceil(math.sqrt(self.columns) / 2)

    @property
    def certain(self) -> float:
        """CERTAIN, or the cosine that strangers of so few values reach as rarely as SIGMAS (Fisher's z).

        Values beyond 124 make no difference; models of 64 are certain at .65.
        """
        degrees = sum(_degrees(block) for block in self.blocks)
        return max(CERTAIN, math.tanh(SIGMAS / math.sqrt(max(degrees - 3, 1))))

    def units(self, vectors: npt.NDArray[np.floating]) -> Units:
        """Standardised signatures [n, columns] of ``vectors`` [n, k], of length `norm` but for rounding, or zero."""
        parts = []
        for block in self.blocks:
            residual = vectors[:, block.start + 1 : block.stop].astype(np.float64)  # the first column is the mean
            norms = np.sqrt(np.einsum("ij,ij->i", residual, residual))[:, None]
            scaled = np.divide(residual, norms, out=np.zeros_like(residual), where=norms > 0)
            parts.append(scaled * math.sqrt(_degrees(block)))
        joined = np.concatenate(parts, axis=1) if parts else np.zeros((len(vectors), 0))
        norms = np.sqrt(np.einsum("ij,ij->i", joined, joined))[:, None]
        units: Units = np.rint(np.divide(joined * self.norm, norms, out=joined, where=norms > 0)).astype(np.int16)
        return units

    def null(self, a: Units, b: Units) -> float:
        """Standard deviation of the cosine that a and b would have as strangers, from a and b themselves.

        Rows (the units of a layer) of strangers meet in no particular order. So the products of row r of a with all
        other rows of b are draws from the null, with whatever the rows of every such network have in common in them.
        For sketched tensors the null is that of independent values.
        """
        variance, start = 0.0, 0
        for block in self.blocks:
            width, rows = block.stop - block.start - 1, block.rows
            x, y = (unit[start : start + width].astype(np.float64) for unit in (a, b))
            start += width
            if rows > 2 and width % rows == 0 and width > rows:
                products = x.reshape(rows, -1) @ y.reshape(rows, -1).T
                np.fill_diagonal(products, 0.0)
                variance += float((products**2).sum()) / (rows - 1)
            else:
                variance += float(x @ x) * float(y @ y) / _degrees(block)
        return math.sqrt(variance) / self.norm**2


def telling(blocks: Sequence[Block], varying: Sequence[bool]) -> list[int]:
    """Places of the blocks that can tell kin from strangers, given which of them ``varying`` between any two points.

    A tensor equal in every model is a constant buffer and would fake kinship, unless most values are equal: then it is
    a frozen backbone, and the strongest sign of kinship there is.
    """
    moving = [i for i, varies in enumerate(varying) if varies]
    several = 2 * sum(blocks[i].numel for i in moving) >= sum(block.numel for block in blocks)
    return moving if several else list(range(len(blocks)))


def varying(vectors: npt.NDArray[np.floating], blocks: Sequence[Block]) -> list[bool]:
    """Which blocks differ between some two of the points [n, k]."""
    columns = (vectors != vectors[:1]).any(axis=0)
    return [bool(columns[block.start : block.stop].any()) for block in blocks]


def kinship(vectors: npt.NDArray[np.floating], blocks: Sequence[Block]) -> Forest:
    """Single linkage of n models with signatures ``vectors`` [n, k], in order of their keys. O(n²k) time."""
    yardstick = Yardstick.of(blocks)
    return grow(Forest.empty(), yardstick, yardstick.units(vectors), np.arange(len(vectors)))


def grow(forest: Forest, yardstick: Yardstick, units: Units, new: Ints) -> Forest:
    """The forest of all n points with these ``units`` [n, k], given that of all but ``new`` (indices, ascending).

    O(n k) time a new point, O(n) memory beside the units.
    """
    n, square = len(units), yardstick.norm**2
    there = np.delete(np.arange(n), new)
    old = there[forest.edges] @ [n, 1]
    ranked = np.argsort(old)
    edges, weights = forest.edges, np.rint((1.0 - forest.links) * square)
    size = max(1, _ROOM // max(n, 1))
    for start in range(0, len(new), size):
        rows = new[start : start + size]
        columns = np.union1d(there, rows)
        # the nearer kin the lighter, in whole numbers
        lengths = np.clip(square - products(units[rows], units, columns), 0.0, 2.0 * square)
        present = np.isin(columns, there)
        for row, length in zip(rows, lengths, strict=True):
            at = int(np.searchsorted(columns, row))
            edges, weights = insert(edges, weights, length[present], at=int(present[:at].sum()))
            present[at] = True
        there = columns
    null = np.zeros(len(edges))
    pairs = edges @ [n, 1]
    known = np.isin(pairs, old)
    null[known] = forest.null[ranked[np.searchsorted(old, pairs[known], sorter=ranked)]]
    null[~known] = [yardstick.null(units[a], units[b]) for a, b in edges[~known]]
    return Forest(edges, 1.0 - weights / square, null, yardstick.certain)


def prune(forest: Forest, left: npt.NDArray[np.bool_]) -> tuple[Forest, Ints]:
    """What stays of a forest of n points when only those ``left`` [n] do: the largest part that still hangs together.

    Returns the forest of that part and its points' indices, ascending; the others have to be grown into it again. A
    part of a spanning tree that hangs together is the spanning tree of its points.
    """
    edges = forest.edges
    inside = left[edges].all(axis=1)
    labels = components(len(left), edges[inside])
    largest = int(np.bincount(labels, weights=left).argmax())
    points = np.flatnonzero((labels == largest) & left)
    own = inside & (labels[edges[:, 0]] == largest)
    return Forest(np.searchsorted(points, edges[own]), forest.links[own], forest.null[own], forest.certain), points


def strongest_links(forest: Forest, families: Ints) -> Floats:
    """Each point's strongest link within its family, of a lone point to anyone: sigmas and cosine [n, 2], else zero."""
    lone = np.bincount(families)[families] == 1
    ends = np.concatenate([forest.edges, forest.edges[:, ::-1]])
    values = np.tile(np.stack([forest.sigmas, forest.links], axis=1), (2, 1))
    own = (families[ends[:, 0]] == families[ends[:, 1]]) | lone[ends[:, 0]]
    ends, values = ends[own], values[own]
    order = np.lexsort((values[:, 1], values[:, 0]))
    found = np.zeros((len(families), 2))
    found[ends[order, 0]] = values[order]  # of several the last stays
    return np.maximum(found, 0.0)


def products(a: Units, b: Units, columns: Ints | None = None) -> Floats:
    """Inner products [n, m] of units [n, k] with [m, k], or with those of them at ``columns``.

    They are exact, so the same in whatever portions they are computed.
    """
    left = a.astype(np.float32)
    columns = np.arange(len(b)) if columns is None else columns
    found = np.empty((len(a), len(columns)))
    step = max(1, _VALUES // max(b.shape[1], 1))
    for start in range(0, len(columns), step):
        found[:, start : start + step] = left @ b[columns[start : start + step]].astype(np.float32).T
    return found


def _degrees(block: Block) -> int:
    return block.numel if block.numel <= EXACT else WIDTH
