"""Overlaps as results tell them. Owns what they make of a lineage's start: a fork across architectures, or its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mvc.index import OverlapRow, PlacementRow, Reader, chunked
from mvc.objects import ObjectId
from mvc.porcelain.results.logs import ForkedFrom, OverlapResult


def overlaps_of(reader: Reader, names: Mapping[ObjectId, str]) -> Mapping[ObjectId, tuple[OverlapResult, ...]]:
    """Lineage → its overlaps: where it came from first, then by how much is in common. ``names``: of all lineages."""
    found: dict[ObjectId, tuple[OverlapResult, ...]] = defaultdict(tuple)
    rows = OverlapRow.find(reader, ordered_by=("lineage", "architecture"))
    homes = {
        commit: lineage
        for piece in chunked(row.commit for row in rows)
        for commit, lineage in PlacementRow.pick(reader, "commit", "lineage", commit=piece)
    }
    for row in sorted(rows, key=_rank):
        one = OverlapResult(
            lineage=names[homes[row.commit]],
            commit=row.commit,
            own=row.own,
            kind=row.kind,  # type: ignore[arg-type]
            source=row.source,  # type: ignore[arg-type]
            order=row.order,  # type: ignore[arg-type]
            confidence=row.confidence,
            tensors=row.tensors,
            shared=row.shared,
            coverage=row.coverage,
            identical=row.identical,
            cosine=row.cosine,
            sigmas=row.sigmas,
            runner_up=row.runner_up,
        )
        found[row.lineage] = (*found[row.lineage], one)
    return found


def _rank(row: OverlapRow) -> tuple[bool, str, float, str]:
    return row.order != "after", row.source, -(row.cosine or 0.0) * row.shared, row.commit


def placed(place: PlacementRow, overlaps: Sequence[OverlapResult]) -> PlacementRow:
    """The place of a lineage's commit; of its start as a fork where the lineage came after another architecture's."""
    source = _after(overlaps)
    if source is None or place.relation != "starts" or place.commit != source.own:
        return place
    evidence = {**place.evidence, "source": source.source, "coverage": source.coverage}
    sure = source.confidence or 0.0
    return replace(place, relation="forks", parent=ObjectId(source.commit), confidence=sure, evidence=evidence)


def origin(overlaps: Sequence[OverlapResult]) -> ForkedFrom | None:
    """Where a lineage came from another architecture, if anything says so."""
    source = _after(overlaps)
    return None if source is None else ForkedFrom(source.lineage, source.commit, source.confidence or 0.0)


def _after(overlaps: Sequence[OverlapResult]) -> OverlapResult | None:
    return next((overlap for overlap in overlaps if overlap.order == "after"), None)
