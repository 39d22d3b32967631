"""From the commits of one family to its lineages. Owns the population that inference reads, and what is told.

A function of the family's commits, their declared facts and pins: neither the order in which they came nor the machine
matters. Reads signatures and, where those are sketches, tensors; writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mvc.drift.catalogue import NOT_FINITE
from mvc.errors import GoneError
from mvc.geometry import Signature
from mvc.index import FlagRow
from mvc.objects import ObjectId
from mvc.porcelain.averages import residual, rounding
from mvc.porcelain.exact import ExactDistances, Pair, ReadArray, SeenSquares
from mvc.porcelain.inferred import Family, Told, Understood, mixtures_of, placeless, rows_of, with_commits
from mvc.porcelain.pins import insert_pinned
from mvc.porcelain.recasts import Recast, find_recasts, root_of
from mvc.trajectory import Block, Declared, Population, infer_family, lay_out

#: architectures of commits that are no point in weight space, and why
PLACELESS = {
    "none": "it has no trainable floating-point tensor",
    "damaged": "not everything it consists of can be read: run mvc fsck",
}


def not_understood(family: Family, why: str) -> Understood:
    """Every point on its own, with a warning that says why: a defect of inference, or damaged weights."""
    alone = placeless(family, f"inference failed: {why}")
    warning = f"lineages of architecture {family.architecture.id} could not be read from the weights: {why}"
    return replace(alone, warnings=(warning,), complete=False)


def understand(
    family: Family,
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    known: Mapping[Pair, float],
    read: ReadArray,
    narrow: Mapping[ObjectId, float] = MappingProxyType({}),
    seen: SeenSquares | None = None,
    recast: Mapping[Pair, str] = MappingProxyType({}),
) -> Understood:
    """Lineages of a family. ``tensors``: content → ids in the architecture's order, all with ``signatures``.

    ``known`` are exact distances from earlier on, ``read`` gives a tensor's values; ``narrow`` says of tensors that
    were given up what rounding made of their point; ``seen`` gives distances of tensors that need not be read;
    ``recast``: copies in another precision from earlier on, (source, copy) → precision.
    """
    if family.architecture.id in PLACELESS:
        return placeless(family, PLACELESS[family.architecture.id])
    recasts = _recasts(family, tensors, signatures, read, recast)
    keys = tuple(key for key in family.points if key not in recasts)
    vectors, blocks = _vectors(family, keys, tensors, signatures)
    copies = {row.id: root_of(recasts, key) for key in recasts for row in family.points[key]}
    sizes = {i: math.prod(family.architecture.names[i][1]) for i in family.telling}
    distances = ExactDistances(keys, tensors, sizes, signatures, known, read, seen)
    declared = declared_of({key: family.points[key] for key in keys}, copies)
    free = [i for i, key in enumerate(keys) if key not in family.pins]
    # the smallest tensors first: they are enough to say that a model went through no narrow dtype
    order = sorted(sizes, key=lambda i: (sizes[i], i))
    parts = [[tensors[key][i] for i in order] for key in keys]

    def leaves(point: int, sources: Sequence[int], weights: Sequence[float]) -> float:
        values = [lambda place, source=source: read(parts[source][place]) for source in sources]
        try:
            return residual(parts[point], read, values, weights)[0]
        except GoneError:  # averages and their sources are never given up
            return math.inf

    def rounded(point: int) -> float:
        try:
            return rounding(parts[point], read)
        except GoneError:
            return next((narrow[tensor] for tensor in parts[point] if tensor in narrow), 0.0)

    population = Population(
        keys=keys,
        vectors=vectors,
        blocks=blocks,
        declared=tuple(declared),
        distance=distances.between if distances.needed else None,
        rounding=rounded,
        leaves=leaves if distances.needed else None,
    )
    inference = infer_family(population.of_points(free), _links(family, recasts))
    if family.pins:
        inference = insert_pinned(inference, free, keys, family.pins, vectors, declared)
    everyone = ExactDistances(tuple(family.points), tensors, sizes, signatures, known, read, seen)
    made = {key: (one, everyone.apart(one.source, key)) for key, one in recasts.items()}
    lineages, placements = rows_of(family, inference, keys, made)
    flags = tuple(
        FlagRow(row.id, NOT_FINITE)
        for key in family.points
        if any(signatures[tensor].nonfinite for tensor in tensors[key])
        for row in family.points[key]
    )
    warnings = tuple(with_commits(text, family.points) for text in inference.warnings)
    return Understood(
        lineages, placements, flags, warnings, distances.asked | everyone.asked, mixtures_of(family, inference, keys)
    )


def _vectors(
    family: Family,
    keys: Sequence[str],
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
) -> tuple[npt.NDArray[np.float32], tuple[Block, ...]]:
    """Signatures [n, k] of the telling tensors, in sorted order of names, and where each one's columns are."""
    columns = [np.stack([signatures[tensors[key][i]].values for key in keys]) for i in family.telling]
    return np.concatenate(columns, axis=1), lay_out(
        [(name, shape) for name, shape in (family.architecture.names[i] for i in family.telling)]
    )


def _recasts(
    family: Family,
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    read: ReadArray,
    known: Mapping[Pair, str],
) -> dict[str, Recast]:
    """Copies in another precision; not those of which was declared that they are more: pins, and runs of their own."""
    shapes = [shape for _, shape in family.architecture.names]
    found = find_recasts(tensors, signatures, shapes, read, known)
    pinned = {*family.pins, *family.pins.values()}
    facts = dict(zip(family.points, declared_of(family.points), strict=True)) if found else {}

    def folds(key: str) -> bool:
        own, source = facts[key], root_of(found, key)
        elsewhere = own.parent is not None and root_of(found, own.parent) != source
        other = None not in (own.run, facts[source].run) and own.run != facts[source].run
        return key not in pinned and not elsewhere and not other

    return {key: one for key, one in found.items() if folds(key)}


def _links(family: Family, recasts: Mapping[str, Recast]) -> npt.NDArray[np.float64]:
    """Strongest links of the points that are neither pinned nor a copy."""
    return family.links[[key not in recasts for key in family.points if key not in family.pins]]


def declared_of(
    points: Mapping[str, Sequence[Told]], copies: Mapping[ObjectId, str] = MappingProxyType({})
) -> list[Declared]:
    """What was said of each point. Of several commits with the same weights the first that says a thing counts.

    ``copies``: commits that stand for a point as parents, and are none themselves.
    """
    named = {row.parent for rows in points.values() for row in rows if row.parent is not None}
    content = {row.id: key for key, rows in points.items() for row in rows if row.id in named} | dict(copies)
    nothing = Declared()
    found = []
    for key, rows in points.items():
        if all(row.step is None and row.run is None and row.parent is None for row in rows):
            found.append(nothing)
            continue
        parents = [content[row.parent] for row in rows if row.parent in content and content[row.parent] != key]
        found.append(
            Declared(
                step=next((row.step for row in rows if row.step is not None), None),
                run=next((row.run for row in rows if row.run is not None), None),
                parent=parents[0] if parents else None,
            )
        )
    return found
