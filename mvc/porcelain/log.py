"""The trajectories, as the index has them. Owns putting its rows together; computes and infers nothing."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mvc.index import (
    ArchitectureRow,
    CommitRow,
    FlagRow,
    InferenceRow,
    LineageRow,
    MixtureRow,
    PlacementRow,
    Reader,
    SettingRow,
    TagRow,
)
from mvc.objects import ObjectId
from mvc.objects.adapters import is_adapter
from mvc.porcelain.declarations import gone_in
from mvc.porcelain.origins import origin, overlaps_of, placed
from mvc.porcelain.results.logs import DirectionResult, ForkedFrom, LogCommit, LogLineage, LogResult, MixtureWeight
from mvc.porcelain.revisions import find_lineage
from mvc.porcelain.workspace import Workspace

#: what the log tells of a commit as a fact
_TOLD = ("path", "message", "time", "step", "run")


def log(workspace: Workspace, revisions: Sequence[str] = (), *, limit: int | None = None) -> LogResult:
    """All lineages, or those that ``revisions`` name or stand in; of each only the ``limit`` last commits.

    Architectures with most commits come first, their lineages by name. Raises NotFoundError, InputError.
    """
    result = workspace.look_up(lambda reader: _read(reader, revisions, limit))
    return LogResult(result.lineages, (*workspace.warnings, *result.warnings))


def _read(reader: Reader, revisions: Sequence[str], limit: int | None) -> LogResult:
    chosen = {find_lineage(reader, revision).id for revision in revisions}
    commits = {commit: told for commit, *told in CommitRow.pick(reader, "id", *_TOLD, "architecture")}
    lineages = {row.id: row for row in LineageRow.find(reader)}
    architectures = {row.id: row for row in ArchitectureRow.find(reader)}
    places = PlacementRow.find(reader, ordered_by=("lineage", "position"))
    homes = {place.commit: place.lineage for place in places}
    tags: dict[ObjectId, list[str]] = defaultdict(list)
    for tag in TagRow.find(reader, ordered_by=("name",)):
        tags[tag.commit].append(tag.name)
    flags: dict[ObjectId, list[str]] = defaultdict(list)
    for flag in FlagRow.find(reader, ordered_by=("commit", "rule")):
        flags[flag.commit].append(flag.rule)
    mixtures: dict[ObjectId, list[MixtureWeight]] = defaultdict(list)
    for part in sorted(MixtureRow.find(reader), key=lambda row: (-abs(row.weight), row.source)):
        mixtures[part.commit].append(MixtureWeight(part.source, part.weight))
    gone = gone_in(SettingRow.find(reader))
    overlaps = overlaps_of(reader, {row.id: row.name for row in lineages.values()})
    adapters = {row.id for row in architectures.values() if is_adapter(name for name, _ in row.names)}
    members: dict[ObjectId, list[LogCommit]] = defaultdict(list)
    for place in places:
        if not revisions or place.lineage in chosen:
            at = place.commit
            place = placed(place, overlaps[place.lineage])
            path, message, time, step, run, _ = commits[at]
            made = LogCommit(
                id=at,
                path=path,
                message=message,
                time=time,
                step=step,
                distance=place.distance,
                turning_angle=place.turning_angle,
                relation=place.relation,  # type: ignore[arg-type]
                flags=tuple(flags[at]),
                position=place.position,
                confidence=place.confidence,
                parent=place.parent,
                tags=tuple(tags[at]),
                run=run,
                evidence=place.evidence,
                mixture=tuple(mixtures[at]),
                gone=gone.get(at),
            )
            members[place.lineage].append(made)
    found = [
        LogLineage(
            id=row.id,
            name=row.name,
            architecture=row.architecture,
            forked_from=forked_from(row, homes, lineages) or origin(overlaps[row.id]),
            direction=direction(row),
            commits=tuple(rows if limit is None else rows[max(0, len(rows) - limit) :]),
            name_source=row.name_source,  # type: ignore[arg-type]
            tensors=architectures[row.architecture].tensors,
            weights=architectures[row.architecture].weights,
            overlaps=tuple(overlaps[row.id]),
            adapter=row.architecture in adapters,
        )
        for row, rows in ((lineages[lineage], rows) for lineage, rows in members.items())
    ]
    sizes = Counter(architecture for *_, architecture in commits.values())
    found.sort(key=lambda lineage: (-sizes[lineage.architecture], lineage.architecture, natural(lineage.name)))
    shown = {lineage.architecture for lineage in found}
    inferences = [row for row in InferenceRow.find(reader, ordered_by=("family",)) if row.architecture in shown]
    return LogResult(tuple(found), tuple(text for row in inferences for text in row.warnings))


def forked_from(
    row: LineageRow, homes: Mapping[ObjectId, ObjectId], lineages: Mapping[ObjectId, LineageRow]
) -> ForkedFrom | None:
    """Where a lineage left another; None for one that starts on its own. ``homes``: commit → its lineage."""
    if row.fork_commit is None:
        return None
    return ForkedFrom(lineages[homes[row.fork_commit]].name, row.fork_commit, row.fork_confidence or 0.0)


def direction(row: LineageRow) -> DirectionResult:
    return DirectionResult(row.direction_confidence, row.direction_source)  # type: ignore[arg-type]


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """Key by which run 2 comes before run 10."""
    parts = re.split(r"(\d{1,18})", name.casefold())
    return tuple((0, int(part), "") if index % 2 else (1, 0, part) for index, part in enumerate(parts) if part)
