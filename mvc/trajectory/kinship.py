"""Which models share a history at all. Owns kinship, its null, and the cut into families; the number is never given.

The kinship of two models is the cosine of their weights after each tensor was centred and scaled to unit variance, so
that every tensor counts by its number of values and neither a common offset (normalisation gains near one) nor a
growing layer hides or fakes it. Independent models are orthogonal (FACTS of high dimension: cosine 0 ± 1/√d), a null
without parameters; a checkpoint of the same run is not, because training leaves most of the initial values' pattern
in place. Families are the components of single linkage on this cosine, cut where the repository's own strangers end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.geometry import EXACT, WIDTH
from mvc.trajectory.inference import Block
from mvc.trajectory.mst import Floats, Ints, components, minimum_spanning_tree

#: cosine above which two models are kin whatever the null says
CERTAIN = 0.5
#: standard deviations of its null that a weaker link must exceed; the best of 10⁸ independent pairs reaches 5.6
SIGMAS = 6.0


@dataclass(frozen=True)
class Kinship:
    """``cosines`` [n, n]; ``families`` [n] labels; ``edges`` [n-1, 2] of single linkage with their ``links`` (cosines),
    standard deviations of the ``null`` and whether they were ``kept``, each [n-1].
    """

    cosines: Floats
    families: Ints
    edges: Ints
    links: Floats
    null: Floats
    kept: npt.NDArray[np.bool_]


def kinship(vectors: Floats, blocks: Sequence[Block]) -> Kinship:
    """Kinship of all pairs of n models with signatures ``vectors`` [n, k]."""
    unit, spans = _standardise(vectors, blocks)
    cosines = unit @ unit.T
    np.clip(cosines, -1.0, 1.0, out=cosines)
    edges, gaps = minimum_spanning_tree(1.0 - cosines)
    links = 1.0 - gaps
    null = np.array([_null(unit[a], unit[b], spans) for a, b in edges])
    kept = (links > CERTAIN) | (links > SIGMAS * null)
    return Kinship(cosines, components(len(vectors), edges[kept]), edges, links, null, kept)


def _null(a: Floats, b: Floats, spans: Sequence[tuple[int, int, int, int]]) -> float:
    """Standard deviation of the cosine that a and b would have as strangers, from a and b themselves.

    Rows (the units of a layer) of strangers meet in no particular order. So the products of row r of a with all other
    rows of b are draws from the null, with whatever the rows of every such network have in common in them. For
    sketched tensors the null is that of independent values.
    """
    variance = 0.0
    for start, stop, rows, degrees in spans:
        x, y = a[start:stop], b[start:stop]
        if rows > 2 and (stop - start) % rows == 0 and stop - start > rows:
            products = x.reshape(rows, -1) @ y.reshape(rows, -1).T
            np.fill_diagonal(products, 0.0)
            variance += float((products**2).sum()) / (rows - 1)
        else:
            variance += float(x @ x) * float(y @ y) / degrees
    return math.sqrt(variance)


def _standardise(vectors: Floats, blocks: Sequence[Block]) -> tuple[Floats, list[tuple[int, int, int, int]]]:
    """Unit vectors [n, k'] whose inner product is the kinship; (start, stop, rows, degrees) of each tensor in them."""
    parts: list[Floats] = []
    spans: list[tuple[int, int, int, int]] = []
    column = 0
    for block in _telling(vectors, blocks):
        residual = vectors[:, block.start + 1 : block.stop]  # the first column is the mean
        degrees = block.numel if block.numel <= EXACT else WIDTH
        norms = np.linalg.norm(residual, axis=1, keepdims=True)
        parts.append(np.divide(residual, norms, out=np.zeros_like(residual), where=norms > 0) * math.sqrt(degrees))
        spans.append((column, column + residual.shape[1], block.rows, degrees))
        column += residual.shape[1]
    if not parts:
        return np.zeros((len(vectors), 1)), []
    joined = np.concatenate(parts, axis=1)
    norms = np.linalg.norm(joined, axis=1, keepdims=True)
    return np.divide(joined, norms, out=np.zeros_like(joined), where=norms > 0), spans


def _telling(vectors: Floats, blocks: Sequence[Block]) -> list[Block]:
    """Blocks that can tell kin from strangers.

    A tensor equal in every model is a constant buffer and would fake kinship, unless most values are equal: then it is
    a frozen backbone, and the strongest sign of kinship there is.
    """
    several = [block for block in blocks if block.numel > 1]
    if len(vectors) < 2:
        return several
    moving = [block for block in several if np.ptp(vectors[:, block.start : block.stop], axis=0).any()]
    if 2 * sum(block.numel for block in moving) < sum(block.numel for block in several):
        return several
    return moving
