"""Commits by what their files hold. Owns the question for one checkpoint, which needs few of the index's rows."""

from __future__ import annotations

from mvc.formats import OpenedCheckpoint, digest_of
from mvc.index import CommitRow, Connection, FileRow
from mvc.objects import ObjectId
from mvc.porcelain.pointers import content_of
from mvc.porcelain.workspace import Workspace


def find_content(workspace: Workspace, opened: OpenedCheckpoint) -> ObjectId | None:
    """The newest commit with exactly these files, wherever they lay; None where there is none.

    Files are hashed only where a commit has one of the first file's size.
    """
    return workspace.read(lambda connection: _find(connection, opened))


def _find(connection: Connection, opened: OpenedCheckpoint) -> ObjectId | None:
    file, commit = FileRow.TABLE.c, CommitRow.TABLE.c
    name, first = opened.files[0]
    if not FileRow.select(connection, file.path == name, file.size == first.size):
        return None
    content = tuple(sorted((name, file.size, digest_of(file)) for name, file in opened.files))
    name, size, digest = content[0]
    for row in FileRow.select(connection, file.path == name, file.size == size, file.digest == digest):
        if content_of(FileRow.select(connection, file.manifest == row.manifest)) == content:
            found = CommitRow.select(connection, commit.manifest == row.manifest, order=(commit.arrival.desc(),))
            if found:
                return found[0].id
    return None
