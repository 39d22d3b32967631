"""Lineages as walks of figures, in the index and beyond its end. Owns which steps a walk has and what is computed anew.

A walk goes over sound points only: copies and averages are no steps of training, and after a damaged checkpoint a run
goes on from the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mvc.drift.judging import HISTORY
from mvc.drift.profiles import StepProfile
from mvc.drift.walks import BEHIND, Floats, Layout, walk
from mvc.errors import GoneError
from mvc.index import ArchitectureRow, Connection, Reader, WalkRow
from mvc.porcelain.forest import read_tensors
from mvc.porcelain.inferred import Family, Understood
from mvc.porcelain.ledger import Ledger, Point
from mvc.porcelain.signatures import read_signatures
from mvc.porcelain.stepping import origins_of, paths_of
from mvc.porcelain.understand import PLACELESS

Vector = npt.NDArray[np.float32]


def layout_of(architecture: ArchitectureRow) -> Layout:
    return Layout.of({str(name): tuple(shape) for name, shape in architecture.names})


def figures_of(row: WalkRow, layout: Layout) -> Floats:
    """Figures [T, F] of a walk."""
    found: Floats = np.frombuffer(row.figures, "<f4").reshape(-1, len(layout.figures)).astype(np.float64)
    return found


def bring_walks(
    connection: Connection, family: Family, understood: Understood, known: Mapping[str, WalkRow], ledger: Ledger
) -> Iterator[WalkRow]:
    """Walks of a family's lineages that are long enough to judge by.

    ``known``: walks of the last time by their first own point; steps that are the same are not computed again.
    """
    if family.architecture.id in PLACELESS:
        return
    layout = layout_of(family.architecture)
    origins = origins_of(family, understood)
    for lineage, path in paths_of(family, understood).items():
        origin = origins[lineage]
        points = [*([] if origin is None else [origin]), *(key for key in path if ledger.sound(key) == key)]
        if len(points) < HISTORY:
            continue
        last = known.get(points[origin is not None])
        same = 0 if last is None else _common(last.path, points)
        done = figures_of(last, layout)[: max(0, same - 1)] if last is not None else np.empty((0, len(layout.figures)))
        try:
            figures = _extended(connection, layout, ledger, points, done)
        except GoneError:  # a step that cannot be measured any more
            continue
        data = figures.astype("<f4").tobytes()
        yield WalkRow(lineage, family.architecture.id, int(origin is not None), points, data, "")


def walk_to(
    reader: Reader,
    layout: Layout,
    ledger: Ledger,
    row: WalkRow | None,
    past: Sequence[str],
    now: Point,
    vector: Vector,
) -> Floats:
    """Figures of the walk along sound points ``past`` and on to a further one, whose signatures ``vector`` joins.

    ``row`` is the walk of their lineage, whose figures need not be computed again.
    """
    same = 0 if row is None else _common(row.path, past)
    done = figures_of(row, layout)[: max(0, same - 1)] if row is not None else np.empty((0, len(layout.figures)))
    figures = _extended(reader, layout, ledger, past, done)
    recent = past[-BEHIND - 1 :]
    profiles = [*_profiles(ledger, recent), ledger.between(recent[-1], now)]
    vectors = [*_vectors(reader, recent), vector]
    return np.vstack([figures, walk(layout, profiles, _cosines(vectors))[-1:]])


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the beginning that both have."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _extended(reader: Reader, layout: Layout, ledger: Ledger, points: Sequence[str], done: Floats) -> Floats:
    """Figures along all ``points``, of whose steps the first are ``done``."""
    missing = len(points) - 1 - len(done)
    if missing <= 0:
        return done
    recent = points[max(0, len(done) - BEHIND) :]
    figures = walk(layout, _profiles(ledger, recent), _cosines(_vectors(reader, recent)))
    return np.vstack([done, figures[-missing:]])


def _profiles(ledger: Ledger, points: Sequence[str]) -> list[StepProfile]:
    return [ledger.between(before, now) for before, now in pairwise(points)]


def _vectors(reader: Reader, points: Sequence[str]) -> list[Vector]:
    """Signatures of each point's tensors, joined in the order of the architecture's names."""
    tensors = read_tensors(reader, list(points))
    signatures = read_signatures(reader, {tensor for ids in tensors.values() for tensor in ids})
    return [np.concatenate([signatures[tensor].values for tensor in tensors[point]]) for point in points]


def _cosines(vectors: Sequence[Vector]) -> Floats:
    """Between each step and the one before it [T], NaN for the first."""
    steps = np.diff(np.stack(vectors).astype(np.float64), axis=0)
    lengths = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    found = np.full(len(steps), np.nan)
    norms = lengths[1:] * lengths[:-1]
    inner = np.einsum("ij,ij->i", steps[1:], steps[:-1])
    found[1:] = np.divide(inner, norms, out=np.full(len(norms), np.nan), where=norms > 0)
    return found
