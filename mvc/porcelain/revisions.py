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
from typing import TYPE_CHECKING

from mvc.deferred import Deferred
from mvc.errors import InputError, NotFoundError
from mvc.index import CommitRow, LineageRow, PlacementRow, Prefix, Reader, TagRow
from mvc.objects import ObjectId
from mvc.porcelain.workspace import Workspace

if TYPE_CHECKING:
    import mvc.porcelain.pointers as pointers
else:
    pointers = Deferred("mvc.porcelain.pointers")

_PREFIX = re.compile(r"[0-9a-f]{4,64}")
_BACK = re.compile(r"(.+)~(\d{0,9})", re.DOTALL)
_AT = re.compile(r"(.+)@(-?\d{1,9})", re.DOTALL)


def resolve(workspace: Workspace, revision: str, directory: Path | None = None) -> ObjectId:
    """The commit that ``revision`` names; with ``directory`` also that of a pointer file, seen from there.

    Raises NotFoundError, InputError (code "ambiguous"), and for a pointer as `resolve_pointer`.
    """
    if directory is not None:
        return locate(workspace, revision, directory)[0]
    return workspace.look_up(lambda reader: find_commit(reader, revision))


def locate(workspace: Workspace, revision: str, directory: Path) -> tuple[ObjectId, Path | None]:
    """As `resolve`, with the path of the pointer where one named the commit.

    Other revisions win over pointers; ``./NAME`` is always a path.
    """
    path = directory / revision
    if is_path(revision) and pointers.is_pointer(path):
        return pointers.resolve_pointer(workspace, path), path
    try:
        return resolve(workspace, revision), None
    except NotFoundError:
        if pointers.is_pointer(path):
            return pointers.resolve_pointer(workspace, path), path
        pointers.check_pointed(path)
        raise


def is_path(text: str) -> bool:
    """Whether a revision is spelled so that it can only be meant as a path."""
    return text.startswith(("./", "../", "/"))


def resolve_lineage(workspace: Workspace, name: str) -> LineageRow:
    """The lineage of this name, else the one that the commit of this revision stands in. Raises as `resolve`."""
    return workspace.look_up(lambda reader: find_lineage(reader, name))


def find_lineage(reader: Reader, name: str) -> LineageRow:
    found = _lineage_named(reader, name)
    if found is not None:
        return found
    commit = find_commit(reader, name)
    place = PlacementRow.find(reader, commit=commit)[0]
    return LineageRow.find(reader, id=place.lineage)[0]


def find_commit(reader: Reader, revision: str) -> ObjectId:
    base, back = revision, 0
    while True:
        meanings = _meanings(reader, base)
        if meanings:
            break
        match = _BACK.fullmatch(base)
        if match is None:
            raise _unknown(reader, revision)
        base, back = match[1], back + (int(match[2]) if match[2] else 1)
    if len(set(meanings.values())) > 1:
        candidates = ", ".join(f"{commit[:12]} ({what})" for what, commit in list(meanings.items())[:5])
        raise InputError(
            f"{base!r} could be one of {len(set(meanings.values()))} commits: {candidates}",
            hint="use more digits of its id",
            code="ambiguous",
        )
    return _back(reader, next(iter(meanings.values())), back, revision)


def _meanings(reader: Reader, text: str) -> dict[str, ObjectId]:
    """Everything that the text could mean, in words → the commit."""
    if text == "HEAD":
        return {"HEAD": _head(reader)}
    found = {f"tag {row.name}": row.commit for row in TagRow.find(reader, name=text)}
    lineage = _lineage_named(reader, text)
    if lineage is not None:
        found[f"tip of lineage {lineage.name}"] = _members(reader, lineage.id)[-1]
    if _PREFIX.fullmatch(text.lower()):
        like = CommitRow.pick(reader, "id", id=Prefix(text.lower()), ordered_by=("id",), most=6)
        found |= {f"id {commit[: len(text) + 8]}": ObjectId(commit) for (commit,) in like}
    match = _AT.fullmatch(text)
    if match is not None and (lineage := _lineage_named(reader, match[1])) is not None:
        members = _members(reader, lineage.id)
        number = int(match[2])
        if not -len(members) <= number < len(members):
            raise NotFoundError(
                f"lineage {lineage.name!r} has {len(members)} commits, so there is no {text!r}",
                hint=f"the last one is {lineage.name}@{len(members) - 1}, or {lineage.name}@-1",
                code="no-such-revision",
            )
        found[text] = members[number]
    return found


def _head(reader: Reader) -> ObjectId:
    newest = CommitRow.pick(reader, "id", ordered_by=("-arrival",), most=1)
    if not newest:
        raise NotFoundError("nothing is committed here yet", hint="run: mvc commit PATH", code="no-commits")
    return ObjectId(newest[0][0])


def _lineage_named(reader: Reader, name: str) -> LineageRow | None:
    rows = LineageRow.find(reader, name=name)
    return rows[0] if rows else None


def _members(reader: Reader, lineage: ObjectId) -> Sequence[ObjectId]:
    rows = PlacementRow.pick(reader, "commit", lineage=lineage, ordered_by=("position",))
    return [ObjectId(commit) for (commit,) in rows]


def _back(reader: Reader, commit: ObjectId, steps: int, revision: str) -> ObjectId:
    """The commit ``steps`` before this one, from a lineage's root on along the lineage that it forked from."""
    left = steps
    while left:
        place = PlacementRow.find(reader, commit=commit)[0]
        if place.position >= left:
            return _members(reader, place.lineage)[place.position - left]
        fork = LineageRow.find(reader, id=place.lineage)[0].fork_commit
        if fork is None:
            raise NotFoundError(
                f"{revision!r} goes back beyond the root of its trajectory, by {left - place.position}",
                hint=f"the root is {_members(reader, place.lineage)[0][:12]}",
                code="no-such-revision",
            )
        commit, left = fork, left - place.position - 1
    return commit


def _unknown(reader: Reader, revision: str) -> NotFoundError:
    names = [str(name) for (name,) in TagRow.pick(reader, "name", ordered_by=("name",))]
    names += [str(name) for (name,) in LineageRow.pick(reader, "name", ordered_by=("id",))]
    close = difflib.get_close_matches(revision, ["HEAD", *names], n=3, cutoff=0.6)
    if close:
        hint = f"did you mean: {', '.join(close)}"
    elif CommitRow.pick(reader, "id", most=1):
        hint = "list what there is with: mvc log"
    else:
        hint = "nothing is committed here yet; run: mvc commit PATH"
    return NotFoundError(f"{revision!r} names no commit, tag or lineage", hint=hint, code="no-such-revision")
