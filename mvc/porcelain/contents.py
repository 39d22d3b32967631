"""Commits by what their files hold. Owns the question for one checkpoint, which needs few of the index's rows."""

from __future__ import annotations

from mvc.formats import OpenedCheckpoint, digest_of
from mvc.index import CommitRow, FileRow, Reader
from mvc.objects import ObjectId
from mvc.porcelain.pointers import content_of
from mvc.porcelain.workspace import Workspace


def find_content(workspace: Workspace, opened: OpenedCheckpoint) -> ObjectId | None:
    """The newest commit with exactly these files, wherever they lay; None where there is none.

    Files are hashed only where a commit has one of the first file's size.
    """
    return workspace.look_up(lambda reader: _find(reader, opened))


def _find(reader: Reader, opened: OpenedCheckpoint) -> ObjectId | None:
    name, first = opened.files[0]
    if not FileRow.find(reader, path=name, size=first.size):
        return None
    content = tuple(sorted((name, file.size, digest_of(file)) for name, file in opened.files))
    name, size, digest = content[0]
    for row in FileRow.find(reader, path=name, size=size, digest=digest, ordered_by=("manifest",)):
        if content_of(FileRow.find(reader, manifest=row.manifest)) == content:
            found = CommitRow.find(reader, manifest=row.manifest, ordered_by=("-arrival",), most=1)
            if found:
                return found[0].id
    return None
