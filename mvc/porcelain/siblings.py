"""What is normal for an architecture, as the lineages beside one's own teach it. Owns which are asked, each once."""

from __future__ import annotations

from collections.abc import Mapping

from mvc.drift import Layout, Siblings
from mvc.index import Reader, WalkRow
from mvc.objects import ObjectId
from mvc.porcelain.flags import beside, root_contents, taught
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.workspace import Workspace


class Teachers:
    """Reads the walks of each architecture once, however many checkpoints are judged by them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._walks: dict[str, Mapping[str, WalkRow]] = {}
        self._roots: Mapping[ObjectId, str] = {}
        self._taught: dict[tuple[ObjectId, ...], Siblings | None] = {}

    def walk(self, architecture: str, lineage: LogLineage | None) -> WalkRow | None:
        """The walk of a lineage; None where it is too short."""
        walks = self._of(architecture)
        return None if lineage is None else walks.get(self._roots.get(ObjectId(lineage.id), ""))

    def siblings(self, architecture: str, own: LogLineage | None, layout: Layout) -> Siblings | None:
        """What lineages beside ``own`` teach, the same as the log's flags are judged by."""
        walks = self._of(architecture)
        rows = beside(None if own is None else self._roots.get(ObjectId(own.id)), walks)
        key = tuple(row.lineage for row in rows)
        if key not in self._taught:
            self._taught[key] = taught(rows, layout)
        return self._taught[key]

    def _of(self, architecture: str) -> Mapping[str, WalkRow]:
        if architecture not in self._walks:
            self._walks[architecture] = self._workspace.look_up(lambda reader: self._read(reader, architecture))
        return self._walks[architecture]

    def _read(self, reader: Reader, architecture: str) -> Mapping[str, WalkRow]:
        self._roots = self._roots or root_contents(reader)
        rows = WalkRow.find(reader, architecture=architecture, ordered_by=("lineage",))
        return {self._roots[row.lineage]: row for row in rows}
