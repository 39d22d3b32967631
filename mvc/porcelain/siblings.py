"""What is normal for an architecture, as the lineages beside one's own teach it. Owns which are asked, each once."""

from __future__ import annotations

import numpy as np

from mvc.drift import Normal
from mvc.objects import ObjectId
from mvc.porcelain.flags import ring_of, root_contents, siblings_of
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results import LogLineage


class Siblings:
    """Reads each lineage once, however many checkpoints are judged by it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._roots = history.workspace.read(root_contents)
        self._normal: dict[str, Normal] = {}

    def of(self, model: Model, own: LogLineage | None) -> Normal:
        """Lineages beside ``own``, the same as the log's flags are judged by."""
        alike = {self._roots[ObjectId(row.id)]: row for row in self._history.alike(model)}
        root = None if own is None else self._roots[ObjectId(own.id)]
        chosen = siblings_of(root, ring_of({key: len(row.commits) for key, row in alike.items()}))
        others = [self._one(alike[key]) for key in chosen]
        return Normal(
            tuple(errors for other in others for errors in other.lengths),
            tuple(errors for other in others for errors in other.turns),
        )

    def _one(self, row: LogLineage) -> Normal:
        if row.id not in self._normal:
            path = [known.vector for known in self._history.models(commit.id for commit in row.commits)]
            alike = len({vector.size for vector in path}) == 1
            self._normal[row.id] = Normal.of([np.stack(path)]) if alike else Normal()
        return self._normal[row.id]
