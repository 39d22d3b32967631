"""Names that users give to commits. A tag does not move: who wants it elsewhere removes it first."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import ExistsError, NotFoundError
from mvc.index import LineageRow, Reader
from mvc.index import TagRow as StoredTag
from mvc.porcelain.results.states import TagResult, TagRow
from mvc.porcelain.revisions import resolve
from mvc.porcelain.workspace import Workspace
from mvc.repository import check_tag


def list_tags(workspace: Workspace) -> TagResult:
    """Every tag, by name."""
    rows = workspace.look_up(StoredTag.find)
    return TagResult(tuple(TagRow(row.name, row.commit) for row in sorted(rows, key=lambda row: row.name)))


def create_tag(workspace: Workspace, name: str, revision: str = "HEAD", *, directory: Path = Path()) -> TagResult:
    """Names a commit; ``revision`` may be a pointer, seen from ``directory``.

    Raises ExistsError where the name is taken, InputError where it cannot be one.
    """
    check_tag(name)
    with workspace.repository.lock(command="tag"):
        workspace.refresh()
        commit = resolve(workspace, revision, directory)
        workspace.look_up(lambda reader: check_free(reader, name))
        workspace.declare("tag", tags={name: commit})
    return TagResult((TagRow(name, commit),))


def delete_tag(workspace: Workspace, name: str) -> TagResult:
    """Removes a tag and says what it named. Raises NotFoundError."""
    with workspace.repository.lock(command="tag --delete"):
        workspace.refresh()
        row = next((row for row in list_tags(workspace).tags if row.name == name), None)
        if row is None:
            raise NotFoundError(f"there is no tag {name!r}", hint="list them with: mvc tag", code="no-such-tag")
        workspace.declare("tag --delete", tags={name: None})
    return TagResult((row,))


def check_free(reader: Reader, name: str) -> None:
    """Raises ExistsError where a lineage has the name; another tag of that name is the repository's to refuse."""
    if LineageRow.find(reader, name=name):
        raise ExistsError(f"a lineage is called {name!r}", hint="choose another name")
