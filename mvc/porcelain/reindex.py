"""Throws the index away and builds it again from the stored objects. Loses nothing: nothing in it is a fact's home."""

from __future__ import annotations

from mvc.index import CommitRow, LineageRow
from mvc.porcelain.progress import Report
from mvc.porcelain.results.states import ReindexResult
from mvc.porcelain.workspace import Workspace


def reindex(workspace: Workspace, *, progress: Report | None = None) -> ReindexResult:
    """Builds the index, with every inference, from nothing; also where it is damaged or a newer mvc's."""
    with workspace.repository.lock(command="reindex", upgrade=False):
        workspace.repository.replayed.discard()
        workspace.index.discard()
        workspace.update(progress=progress)
    counted = workspace.look_up(lambda reader: [len(row.pick(reader, "id")) for row in (CommitRow, LineageRow)])
    return ReindexResult(*counted)
