"""Revisions: what names a commit. Owns their syntax and resolution; answers from the index alone.

HEAD · tag · unique id prefix (≥ 4) · LINEAGE (its tip) · LINEAGE@N and LINEAGE@-N (in inferred order) · REV~N (back
along the trajectory, across forks) · FILE.mvc, a pointer (its commit). A revision that could mean two commits is
refused, never guessed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from mvc.errors import InputError, NotFoundError
from mvc.index import CommitRow, Connection, LineageRow, PlacementRow, TagRow, func, select
from mvc.objects import ObjectId
from mvc.porcelain.pointers import check_pointed, is_pointer, resolve_pointer
from mvc.porcelain.workspace import Workspace

_PREFIX = re.compile(r"[0-9a-f]{4,64}")
_BACK = re.compile(r"(.+)~(\d{0,9})", re.DOTALL)
_AT = re.compile(r"(.+)@(-?\d{1,9})", re.DOTALL)


def resolve(workspace: Workspace, revision: str, directory: Path | None = None) -> ObjectId:
    """The commit that ``revision`` names; with ``directory`` also that of a pointer file, seen from there.

    Raises NotFoundError, InputError (code "ambiguous"), and for a pointer as `resolve_pointer`.
    """
    if directory is not None:
        return locate(workspace, revision, directory)[0]
    return workspace.read(lambda connection: find_commit(connection, revision))


def locate(workspace: Workspace, revision: str, directory: Path) -> tuple[ObjectId, Path | None]:
    """As `resolve`, with the path of the pointer where one named the commit.

    Other revisions win over pointers; ``./NAME`` is always a path.
    """
    path = directory / revision
    if is_path(revision) and is_pointer(path):
        return resolve_pointer(workspace, path), path
    try:
        return resolve(workspace, revision), None
    except NotFoundError:
        if is_pointer(path):
            return resolve_pointer(workspace, path), path
        check_pointed(path)
        raise


def is_path(text: str) -> bool:
    """Whether a revision is spelled so that it can only be meant as a path."""
    return text.startswith(("./", "../", "/"))


def resolve_lineage(workspace: Workspace, name: str) -> LineageRow:
    """The lineage of this name, else the one that the commit of this revision stands in. Raises as `resolve`."""
    return workspace.read(lambda connection: find_lineage(connection, name))


def find_lineage(connection: Connection, name: str) -> LineageRow:
    found = _lineage_named(connection, name)
    if found is not None:
        return found
    commit = find_commit(connection, name)
    place = PlacementRow.select(connection, PlacementRow.TABLE.c.commit == commit)[0]
    return LineageRow.select(connection, LineageRow.TABLE.c.id == place.lineage)[0]


def find_commit(connection: Connection, revision: str) -> ObjectId:
    base, back = revision, 0
    while True:
        meanings = _meanings(connection, base)
        if meanings:
            break
        match = _BACK.fullmatch(base)
        if match is None:
            raise _unknown(connection, revision)
        base, back = match[1], back + (int(match[2]) if match[2] else 1)
    if len(set(meanings.values())) > 1:
        candidates = ", ".join(f"{commit[:12]} ({what})" for what, commit in list(meanings.items())[:5])
        raise InputError(
            f"{base!r} could be one of {len(set(meanings.values()))} commits: {candidates}",
            hint="use more digits of its id",
            code="ambiguous",
        )
    return _back(connection, next(iter(meanings.values())), back, revision)


def _meanings(connection: Connection, text: str) -> dict[str, ObjectId]:
    """Everything that the text could mean, in words → the commit."""
    if text == "HEAD":
        return {"HEAD": _head(connection)}
    found = {f"tag {row.name}": row.commit for row in TagRow.select(connection, TagRow.TABLE.c.name == text)}
    lineage = _lineage_named(connection, text)
    if lineage is not None:
        found[f"tip of lineage {lineage.name}"] = _members(connection, lineage.id)[-1]
    if _PREFIX.fullmatch(text.lower()):
        column = CommitRow.TABLE.c.id
        query = select(column).where(column.startswith(text.lower())).order_by(column).limit(6)
        found |= {f"id {commit[: len(text) + 8]}": ObjectId(commit) for (commit,) in connection.execute(query)}
    match = _AT.fullmatch(text)
    if match is not None and (lineage := _lineage_named(connection, match[1])) is not None:
        members = _members(connection, lineage.id)
        number = int(match[2])
        if not -len(members) <= number < len(members):
            raise NotFoundError(
                f"lineage {lineage.name!r} has {len(members)} commits, so there is no {text!r}",
                hint=f"the last one is {lineage.name}@{len(members) - 1}, or {lineage.name}@-1",
                code="no-such-revision",
            )
        found[text] = members[number]
    return found


def _head(connection: Connection) -> ObjectId:
    column = CommitRow.TABLE.c
    newest = connection.execute(select(column.id).order_by(column.arrival.desc()).limit(1)).scalar()
    if newest is None:
        raise NotFoundError("nothing is committed here yet", hint="run: mvc commit PATH", code="no-commits")
    return ObjectId(newest)


def _lineage_named(connection: Connection, name: str) -> LineageRow | None:
    rows = LineageRow.select(connection, LineageRow.TABLE.c.name == name)
    return rows[0] if rows else None


def _members(connection: Connection, lineage: ObjectId) -> Sequence[ObjectId]:
    column = PlacementRow.TABLE.c
    query = select(column.commit).where(column.lineage == lineage).order_by(column.position)
    return [ObjectId(commit) for (commit,) in connection.execute(query)]


def _back(connection: Connection, commit: ObjectId, steps: int, revision: str) -> ObjectId:
    """The commit ``steps`` before this one, from a lineage's root on along the lineage that it forked from."""
    left = steps
    while left:
        place = PlacementRow.select(connection, PlacementRow.TABLE.c.commit == commit)[0]
        if place.position >= left:
            return _members(connection, place.lineage)[place.position - left]
        fork = LineageRow.select(connection, LineageRow.TABLE.c.id == place.lineage)[0].fork_commit
        if fork is None:
            raise NotFoundError(
                f"{revision!r} goes back beyond the root of its trajectory, by {left - place.position}",
                hint=f"the root is {_members(connection, place.lineage)[0][:12]}",
                code="no-such-revision",
            )
        commit, left = fork, left - place.position - 1
    return commit


def _unknown(connection: Connection, revision: str) -> NotFoundError:
    names = [str(name) for (name,) in connection.execute(select(TagRow.TABLE.c.name))]
    names += [str(name) for (name,) in connection.execute(select(LineageRow.TABLE.c.name))]
    close = difflib.get_close_matches(revision, ["HEAD", *names], n=3, cutoff=0.6)
    if close:
        hint = f"did you mean: {', '.join(close)}"
    elif connection.execute(select(func.count()).select_from(CommitRow.TABLE)).scalar():
        hint = "list what there is with: mvc log"
    else:
        hint = "nothing is committed here yet; run: mvc commit PATH"
    return NotFoundError(f"{revision!r} names no commit, tag or lineage", hint=hint, code="no-such-revision")
