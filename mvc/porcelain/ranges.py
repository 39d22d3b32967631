"""Which commits and files a check is about. Owns what ``A..B`` and ``--since`` mean where branches are discovered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mvc.errors import InputError
from mvc.formats import find_checkpoints
from mvc.objects import ObjectId
from mvc.porcelain.reading import History
from mvc.porcelain.revisions import resolve
from mvc.porcelain.sides import find_side
from mvc.porcelain.workspace import Workspace


def chosen(
    workspace: Workspace, history: History, revisions: Sequence[str], *, directory: Path, since: str | None = None
) -> list[str | Path]:
    """Commits' ids and paths, each once, in the order asked for; of several lineages in the log's order.

    ``A..B`` is B's trajectory, back across forks, without A's; a side left out is ``HEAD``. A directory stands for the
    checkpoints in it. ``since`` adds what `_newer` says. Raises InputError, NotFoundError.
    """
    found: list[str | Path] = []
    for text in revisions:
        before, dots, after = text.partition("..")
        if history.placed(text) is not None:  # a whole id needs no search
            found.append(text)
        elif not dots or text.startswith(("./", "../", "/")) or (directory / text).exists():
            side = find_side(workspace, text, directory)
            found.extend(_checkpoints(side) if isinstance(side, Path) and side.is_dir() else [side])
        elif after.startswith("."):
            raise InputError(f"{text!r} is no range", hint=f"two dots make one: {before}..{after.lstrip('.')}")
        else:
            found.extend(_range(workspace, history, (before or "HEAD", after or "HEAD"), directory))
    if since is not None:
        found.extend(_newer(workspace, history, resolve(workspace, since, directory)))
    return list(dict.fromkeys(found))


def _checkpoints(directory: Path) -> list[Path]:
    """Every checkpoint in a directory, or the one that it is."""
    found = [item.path for item in find_checkpoints(directory) if item.state != "pointer"]
    if not found:
        raise InputError(f"there is no checkpoint in {str(directory)!r}", hint="name a checkpoint file")
    return found


def _range(workspace: Workspace, history: History, ends: tuple[str, str], directory: Path) -> list[str]:
    first, last = (find_side(workspace, end, directory) for end in ends)
    if isinstance(last, Path) or isinstance(first, Path):
        raise InputError(f"'{ends[0]}..{ends[1]}' is a range of commits, not of files", hint="name files one by one")
    known = {commit.id for commit in history.trajectory(first)}
    return [commit.id for commit in history.trajectory(last) if commit.id not in known]


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
