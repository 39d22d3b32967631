"""A model that a user named: a commit or a file, as a checkpoint. Owns what a word means that could be either."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mvc.errors import NotFoundError
from mvc.formats import open_checkpoint
from mvc.index import CommitRow
from mvc.objects import Checkpoint, ObjectId
from mvc.porcelain.facts import content_of, points_of
from mvc.porcelain.pointers import check_pointed, is_pointer, resolve_pointer
from mvc.porcelain.revisions import is_path, resolve
from mvc.porcelain.workspace import Workspace


@dataclass(frozen=True)
class Side:
    """One model: a commit (then ``commit`` is its id) or a file (then ``path`` is where it lies)."""

    checkpoint: Checkpoint
    commit: ObjectId | None
    path: Path | None


@contextmanager
def open_side(workspace: Workspace, text: str, directory: Path) -> Iterator[Side]:
    """A revision or, if it is none, a checkpoint under a path seen from ``directory``. Raises NotFoundError."""
    with open_found(workspace, find_side(workspace, text, directory)) as side:
        yield side


@contextmanager
def open_found(workspace: Workspace, found: ObjectId | Path) -> Iterator[Side]:
    """A commit, or the checkpoint under a path; under that of a pointer, the commit that it names."""
    if isinstance(found, Path) and is_pointer(found):
        found = resolve_pointer(workspace, found)
    if isinstance(found, Path):
        check_pointed(found)
        with open_checkpoint(found) as opened:
            yield Side(opened, None, found)
    else:
        yield Side(workspace.repository.checkpoint(found), found, None)


def find_side(workspace: Workspace, text: str, directory: Path) -> ObjectId | Path:
    """A commit's id (of a pointer, the one it names) or an existing path. Revisions win; ``./NAME`` is always a path.

    Raises NotFoundError, and FormatError for a pointer that cannot be used.
    """
    path = directory / text
    if is_path(text) and path.exists() and not is_pointer(path):
        return path
    try:
        commit: ObjectId = resolve(workspace, text, directory)
        return commit
    except NotFoundError:
        if path.exists() and not is_pointer(path):
            return path
        raise


def committed_as(workspace: Workspace, checkpoint: Checkpoint) -> ObjectId | None:
    """A commit that has all trainable tensors of a checkpoint, byte for byte, if there is one."""
    content = content_of({name: checkpoint.object_id(name) for name in points_of(checkpoint.specs)})
    found = workspace.look_up(lambda reader: CommitRow.find(reader, content=content, ordered_by=("arrival",), most=1))
    return found[0].id if found else None
