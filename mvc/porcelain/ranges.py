"""Which commits and files a check is about. Owns what ``A..B`` and ``--since`` mean where branches are discovered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.porcelain.reading import History, find_side
from mvc.porcelain.revisions import resolve
from mvc.porcelain.workspace import Workspace


def chosen(
    workspace: Workspace, history: History, revisions: Sequence[str], *, directory: Path, since: str | None = None
) -> list[str | Path]:
    """Commits' ids and paths, each once, in the order asked for; of several lineages in the log's order.

    ``A..B`` is B's trajectory, back across forks, without A's; a side left out is ``HEAD``. ``since`` adds what
    `_newer` says. Raises InputError, NotFoundError.
    """
    found: list[str | Path] = []
    for text in revisions:
        if history.placed(text) is not None:  # a whole id needs no search
            found.append(text)
            continue
        before, dots, after = text.partition("..")
        if not dots or text.startswith(("./", "../", "/")) or (directory / text).exists():
            found.append(find_side(workspace, text, directory))
            continue
        last = find_side(workspace, after or "HEAD", directory)
        first = find_side(workspace, before or "HEAD", directory)
        if isinstance(last, Path) or isinstance(first, Path):
            raise InputError(f"{text!r} is a range of commits, not of files", hint="name files one by one")
        known = {commit.id for commit in history.trajectory(first)}
        found.extend(commit.id for commit in history.trajectory(last) if commit.id not in known)
    if since is not None:
        found.extend(_newer(workspace, history, resolve(workspace, since)))
    return list(dict.fromkeys(found))


def _newer(workspace: Workspace, history: History, since: ObjectId) -> Iterator[str]:
    """What comes after a commit: along its trajectory, on forks from there, and whatever a later command recorded."""
    after: set[str] = set()
    for operation in workspace.repository.operations():
        if since in operation.commits:
            break
        after.update(operation.commits)
    for row in history.lineages:
        path = [commit.id for commit in history.trajectory(row.commits[-1].id)]
        after.update(path[path.index(since) + 1 :] if since in path else ())
    for row in history.lineages:
        yield from (commit.id for commit in row.commits if commit.id in after)
