"""How much space commits and lineages take. Owns the counting; what several share counts in each, once in the total."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from mvc.objects import Manifest, ObjectId
from mvc.porcelain.log import log
from mvc.porcelain.results.states import DuResult, DuRow
from mvc.porcelain.revisions import resolve
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Kind = Literal["lineage", "commit", "total"]


class _Counter:
    """Sizes, each object's asked for once."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._stored: dict[ObjectId, int] = {}
        self._manifests: dict[ObjectId, Manifest] = {}

    def row(self, kind: Kind, name: str, commits: Iterable[ObjectId]) -> DuRow:
        commits = list(commits)
        objects: set[ObjectId] = set()
        original = 0
        for commit_id in commits:
            manifest_id = self._repository.commit(commit_id).manifest
            manifest = self._manifest(manifest_id)
            original += manifest.nbytes
            objects |= {commit_id, manifest_id, *manifest.objects()}
        stored = sum(self._size(object_id) for object_id in objects)
        return DuRow(kind, name, len(commits), original, stored)

    def _manifest(self, manifest_id: ObjectId) -> Manifest:
        if manifest_id not in self._manifests:
            self._manifests[manifest_id] = self._repository.manifest(manifest_id)
        return self._manifests[manifest_id]

    def _size(self, object_id: ObjectId) -> int:
        if object_id not in self._stored:
            self._stored[object_id] = self._repository.odb.stored_size(object_id)
        return self._stored[object_id]


def du(workspace: Workspace, revisions: Sequence[str] = ()) -> DuResult:
    """A row for each of ``revisions`` (a commit or a whole lineage), or for every lineage, the largest first; and the
    total over all rows. Raises NotFoundError, InputError."""
    counter = _Counter(workspace.repository)
    groups = _groups(workspace, revisions)
    rows = [counter.row(kind, name, commits) for kind, name, commits in groups]
    rows.sort(key=lambda row: (-row.stored_bytes, row.name))
    together = dict.fromkeys(commit for _, _, commits in groups for commit in commits)
    return DuResult((*rows, counter.row("total", "total", together)))


def _groups(workspace: Workspace, revisions: Sequence[str]) -> list[tuple[Kind, str, list[ObjectId]]]:
    lineages = {row.name: [ObjectId(commit.id) for commit in row.commits] for row in log(workspace).lineages}
    if not revisions:
        placed = {commit for commits in lineages.values() for commit in commits}
        others = [commit for commit in workspace.repository.state().commits if commit not in placed]
        rows: list[tuple[Kind, str, list[ObjectId]]] = [("lineage", name, found) for name, found in lineages.items()]
        return [*rows, ("lineage", "(in no lineage)", others)] if others else rows
    return [
        ("lineage", text, lineages[text]) if text in lineages else ("commit", text, [resolve(workspace, text)])
        for text in revisions
    ]
