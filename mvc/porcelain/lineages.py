"""Lineages listed, renamed, pinned. Owns what a user may declare of them; a declaration is an operation, never lost.

A name is anchored to the lineage's root commit, a pin to another commit of its lineage: both follow these commits,
whatever is inferred later.
"""

from __future__ import annotations

from collections import defaultdict

from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.index import CommitRow, LineageRow, PlacementRow, Reader, SettingRow, TagRow
from mvc.objects import ObjectId
from mvc.porcelain.declarations import NAME, PIN, pins_of
from mvc.porcelain.log import direction, forked_from, natural
from mvc.porcelain.origins import origin, overlaps_of
from mvc.porcelain.results.states import LineageResult
from mvc.porcelain.results.states import LineageRow as ListedLineage
from mvc.porcelain.revisions import find_commit, find_lineage
from mvc.porcelain.workspace import Workspace
from mvc.repository import check_tag


def list_lineages(workspace: Workspace) -> LineageResult:
    """Every lineage, by name."""
    return workspace.look_up(_list)


def rename(workspace: Workspace, lineage: str, name: str) -> LineageResult:
    """Gives a lineage another name. Raises ExistsError where a lineage or tag has it, InputError where it is none."""
    try:
        check_tag(name)
    except InputError as error:
        message = error.message.replace("cannot be a tag", "cannot be a lineage's name")
        raise InputError(message, hint=error.hint, code="bad-name") from None
    with workspace.repository.lock(command="lineage rename"):
        workspace.refresh()
        row, anchors = workspace.look_up(lambda reader: _renamable(reader, lineage, name))
        settings: dict[str, str | None] = dict.fromkeys(anchors)
        settings[NAME + row.id] = name
        workspace.declare("lineage rename", settings=settings)
    return _only(workspace, row.id)


def pin(workspace: Workspace, revision: str, lineage: str) -> LineageResult:
    """Declares that a commit belongs to a lineage. Raises InputError where the architectures differ."""
    with workspace.repository.lock(command="lineage pin"):
        workspace.refresh()
        commit, anchor = workspace.look_up(lambda reader: _pinnable(reader, revision, lineage))
        workspace.declare("lineage pin", settings={PIN + commit: anchor})
    return _only(workspace, anchor)


def unpin(workspace: Workspace, revision: str) -> LineageResult:
    """Leaves a commit's lineage to inference again. Raises NotFoundError where it is not pinned."""
    with workspace.repository.lock(command="lineage unpin"):
        workspace.refresh()
        commit, pinned = workspace.look_up(
            lambda reader: (find_commit(reader, revision), pins_of(SettingRow.find(reader)))
        )
        if commit not in pinned:
            raise NotFoundError(f"commit {commit[:12]} is not pinned to a lineage", hint="run: mvc lineage")
        workspace.declare("lineage unpin", settings={PIN + commit: None})
    return _only(workspace, commit)


def _list(reader: Reader) -> LineageResult:
    lineages = {row.id: row for row in LineageRow.find(reader)}
    members: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for lineage, commit in PlacementRow.pick(reader, "lineage", "commit", ordered_by=("lineage", "position")):
        members[lineage].append(commit)
    homes = {commit: lineage for lineage, commits in members.items() for commit in commits}
    overlaps = overlaps_of(reader, {row.id: row.name for row in lineages.values()})
    rows = [
        ListedLineage(
            id=row.id,
            name=row.name,
            name_source=row.name_source,  # type: ignore[arg-type]
            architecture=row.architecture,
            commits=len(members[row.id]),
            tip=members[row.id][-1],
            forked_from=forked_from(row, homes, lineages) or origin(overlaps[row.id]),
            direction=direction(row),
        )
        for row in lineages.values()
    ]
    return LineageResult(tuple(sorted(rows, key=lambda row: natural(row.name))))


def _only(workspace: Workspace, commit: ObjectId) -> LineageResult:
    """The one lineage that a commit stands in."""
    home = workspace.look_up(lambda reader: find_lineage(reader, commit).id)
    return LineageResult(tuple(row for row in list_lineages(workspace).lineages if row.id == home))


def _members(reader: Reader, lineage: ObjectId) -> list[ObjectId]:
    return [commit for (commit,) in PlacementRow.pick(reader, "commit", lineage=lineage, ordered_by=("position",))]


def _renamable(reader: Reader, lineage: str, name: str) -> tuple[LineageRow, list[str]]:
    """The lineage, and the settings that name it so far."""
    row = find_lineage(reader, lineage)
    if any(other.id != row.id for other in LineageRow.find(reader, name=name)):
        raise ExistsError(f"another lineage is called {name!r}", hint="choose another name, or rename that one first")
    if TagRow.find(reader, name=name):
        raise ExistsError(f"a tag is called {name!r}", hint=f"choose another name, or run: mvc tag --delete {name}")
    keys = {NAME + commit for commit in _members(reader, row.id)}
    return row, [setting.key for setting in SettingRow.find(reader) if setting.key in keys]


def _pinnable(reader: Reader, revision: str, lineage: str) -> tuple[ObjectId, ObjectId]:
    """The commit and the anchor that it is pinned to."""
    commit, row = find_commit(reader, revision), find_lineage(reader, lineage)
    own = CommitRow.find(reader, id=commit)[0]
    if own.architecture != row.architecture:
        raise InputError(
            f"commit {commit[:12]} has another architecture than lineage {row.name!r}",
            hint="only models with the same tensors can be one lineage",
        )
    pinned = pins_of(SettingRow.find(reader))
    alike = {other.id for other in CommitRow.find(reader, content=own.content)}
    members = _members(reader, row.id)
    anchor = next((member for member in members if member not in alike and member not in pinned), None)
    if anchor is None:
        raise InputError(
            f"lineage {row.name!r} has no other commit to pin {commit[:12]} to", hint="name another lineage"
        )
    return commit, anchor
