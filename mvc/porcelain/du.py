"""What lineages, commits, tensors, embedders and operations cost. Owns the counting, also of what several share.

An object that another one is stored as a difference from is used by whoever uses that other one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from mvc.errors import InputError
from mvc.objects import Manifest, ObjectId
from mvc.porcelain.log import log
from mvc.porcelain.results.keeping import DuResult, DuRow
from mvc.porcelain.revisions import resolve
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.repository.gc import GRACE, measure, plan_collection
from mvc.repository.reach import former_memories, with_bases
from mvc.repository.state import oldest_first

Kind = Literal["lineage", "commit", "tensor", "embedders", "memories", "operations", "total"]
_OTHERS = "(in no lineage)"


class _Store:
    """What uses what, and the sizes. ``users`` are commits, those of embedders too."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.history = oldest_first(repository.head(), repository.operation)
        state = repository.state()
        self.commits = state.commits
        self.embedders = tuple(dict.fromkeys(one for operation in self.history for one in operation.embedders))
        self._sizes: dict[ObjectId, int] = {}
        self._manifests: dict[ObjectId, Manifest] = {}
        self._lost = {commit: memory.tensors.keys() for commit, memory in repository.memories().items()}

    @cached_property
    def users(self) -> Counter[ObjectId]:
        """Object → how many commits use it."""
        return Counter(one for commit in (*self.commits, *self.embedders) for one in self.objects(commit))

    def manifest(self, commit: ObjectId) -> Manifest:
        manifest = self._repository.commit(commit).manifest
        if manifest not in self._manifests:
            self._manifests[manifest] = self._repository.manifest(manifest)
        return self._manifests[manifest]

    def objects(self, commit: ObjectId) -> Iterable[ObjectId]:
        """Everything that is stored for a commit; what it gave up only where it is still there."""
        manifest, lost, odb = self.manifest(commit), self._lost.get(commit, ()), self._repository.odb
        own = [one for one in manifest.objects() if one not in lost or odb.contains(one)]
        return with_bases(self._repository, [commit, manifest.id, *dict.fromkeys(own)])

    def size(self, object_id: ObjectId) -> int:
        if object_id not in self._sizes:
            self._sizes[object_id] = self._repository.odb.stored_size(object_id)
        return self._sizes[object_id]

    def row(self, kind: Kind, name: str, commits: Sequence[ObjectId]) -> DuRow:
        used = Counter(one for commit in commits for one in self.objects(commit))
        return DuRow(
            kind,
            name,
            len(commits),
            sum(self.manifest(commit).nbytes for commit in commits),
            sum(map(self.size, used)),
            sum(self.size(one) * count / self.users[one] for one, count in used.items()),
            sum(self.size(one) for one, count in used.items() if count == self.users[one]),
        )

    def others(self) -> Iterator[DuRow]:
        """What is remembered of commits whose tensors were given up, and the operations."""
        memories = self._repository.memories()
        for kind, commits, objects in (
            ("memories", len(memories), set(former_memories(self._repository, self.history))),
            ("operations", 0, {operation.id for operation in self.history}),
        ):
            stored = sum(map(self.size, objects))
            if objects:
                yield DuRow(kind, kind, commits, 0, stored, float(stored), stored)  # type: ignore[arg-type]

    def tensors(self, commits: Iterable[ObjectId], pattern: str) -> Iterator[DuRow]:
        """A row for each name that matches: the tensors of this name in all these commits."""
        found: dict[str, list[tuple[ObjectId, int]]] = defaultdict(list)
        for commit in commits:
            there = set(self.objects(commit))
            for file in self.manifest(commit).files:
                for entry in file.tensors:
                    if fnmatchcase(entry.name, pattern) and entry.object in there:
                        found[entry.name].append((entry.object, entry.spec.nbytes))
        names: Mapping[ObjectId, int] = Counter(one for rows in found.values() for one in {one for one, _ in rows})
        for name, rows in found.items():
            stored = {one: self.size(one) for one, _ in rows}
            own = sum(size for one, size in stored.items() if names[one] == 1)
            shared = sum(size / names[one] for one, size in stored.items())
            yield DuRow("tensor", name, len(rows), sum(size for _, size in rows), sum(stored.values()), shared, own)


def du(workspace: Workspace, revisions: Sequence[str] = (), *, tensor: str | None = None) -> DuResult:
    """A row for each of ``revisions`` (a commit or a whole lineage), or for every lineage, embedders, memories and
    operations, the largest first; and the total over all rows. With ``tensor``, a shell pattern, a row for each name of
    a tensor in those commits.

    Raises NotFoundError, InputError.
    """
    repository = workspace.repository
    store = _Store(repository)
    groups = _groups(workspace, store, revisions)
    together = list(dict.fromkeys(commit for _, _, commits in groups for commit in commits))
    if tensor is not None:
        rows = list(store.tensors(together, tensor))
        if not rows:
            raise InputError(f"no tensor matches {tensor!r}", hint="list the tensors with: mvc show REV")
    else:
        rows = [store.row(kind, name, commits) for kind, name, commits in groups]
    rows.sort(key=lambda row: (-row.stored_bytes, row.name))
    if tensor is None:
        total = store.row("total", "total", together)
        if not revisions:
            for row in store.others():
                rows.append(row)
                total = _plus(total, row)
        rows.append(total)
    plan = plan_collection(repository, grace=GRACE, now=datetime.now(UTC))
    files, size = measure(repository)
    young = sum(store.size(one) for one in plan.young)
    return DuResult(tuple(rows), files, size, sum(plan.drops.values()), young)


def _groups(
    workspace: Workspace, store: _Store, revisions: Sequence[str]
) -> list[tuple[Kind, str, tuple[ObjectId, ...]]]:
    lineages = {row.name: tuple(ObjectId(commit.id) for commit in row.commits) for row in log(workspace).lineages}
    if revisions:
        return [
            ("lineage", text, lineages[text]) if text in lineages else ("commit", text, (resolve(workspace, text),))
            for text in revisions
        ]
    placed = {commit for commits in lineages.values() for commit in commits}
    rows: list[tuple[Kind, str, tuple[ObjectId, ...]]] = [("lineage", *item) for item in lineages.items()]
    if others := tuple(commit for commit in store.commits if commit not in placed):
        rows.append(("lineage", _OTHERS, others))
    if store.embedders:
        rows.append(("embedders", "embedders", store.embedders))
    return rows


def _plus(total: DuRow, more: DuRow) -> DuRow:
    stored, shared, own = (
        getattr(total, name) + getattr(more, name) for name in ("stored_bytes", "shared_bytes", "own_bytes")
    )
    return DuRow("total", "total", total.commits, total.bytes, stored, shared, own)
