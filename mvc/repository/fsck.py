"""Whether everything that operations lead to is there and is what its name says. Owns the walk, and what it finds.

First every stored form is looked at (`mvc.repository.stock`); then it walks from the pointer: operations → commits →
manifests → skeletons and tensors; then come objects that nothing leads to. Operations, commits, manifests and skeletons
are decoded and parsed; tensors are compared with the checksums of when they were proved, and decoded where there is
none, or where that is asked for. Repair clears half-written files away; it deletes no object and invents nothing.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from mvc.errors import IntegrityError, MvcError
from mvc.objects import Kind, Manifest, ObjectId, Operation
from mvc.odb import kind_of
from mvc.repository.findings import INFORMATION, Finding, FsckReport
from mvc.repository.layout import HEAD
from mvc.repository.quarantine import quarantine, strays
from mvc.repository.reach import former_memories, is_whole
from mvc.repository.repository import Repository
from mvc.repository.state import oldest_first, replay
from mvc.repository.stock import Stock, take_stock
from mvc.storage import disk_errors, exists

Record = TypeVar("Record")


def check_repository(
    repository: Repository,
    *,
    repair: bool = False,
    full: bool = False,
    timeout: float | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> FsckReport:
    """Verifies every stored byte and every reference; with ``full``, decodes and hashes every object, too.
    ``progress`` is told how many objects were looked at, or how many of how many decoded. With ``repair``, takes the
    lock, for which it waits ``timeout`` seconds (None: the config's).

    Raises BusyError where ``repair`` is asked for while another process writes.
    """
    with repository.lock(timeout, "fsck --repair") if repair else contextlib.nullcontext():
        check = _Check(repository, take_stock(repository, repair=repair, full=full, progress=progress), repair)
        check.run()
    findings = tuple(check.findings)
    ok = all(finding.code in INFORMATION for finding in findings)
    return FsckReport(ok, len(check.seen), len(check.undecoded), findings)


class _Check:
    """One run: what was found so far, and which objects have been looked at."""

    def __init__(self, repository: Repository, stock: Stock, repair: bool) -> None:
        self.findings: list[Finding] = []
        #: objects that were looked at, and what they are; None where that is not to be told
        self.seen: dict[ObjectId, Kind | None] = {}
        #: those of them that nobody decoded
        self.undecoded = set(stock.undecoded)
        self._repository = repository
        self._stock = stock
        self._repair = repair
        #: commits → what they need and cannot be read
        self._lacking: dict[ObjectId, set[ObjectId]] = {}
        #: the same of manifests
        self._gaps: dict[ObjectId, set[ObjectId]] = {}
        self._given_up: dict[ObjectId, Collection[ObjectId]] = {}

    def run(self) -> None:
        self.findings += self._stock.findings
        self._walk_operations()
        blocked = self._stock.blocked
        blocking = (found for object_id, found in blocked.items() if object_id in self.seen)
        for base in sorted(frozenset[ObjectId]().union(*blocking) - self.seen.keys()):
            self._verify(base, "tensor", "what is stored as its difference from it")
        for object_id in sorted({*self._stock.stored, *self._stock.damaged} - self.seen.keys()):
            # what nothing needs may rest on what a gc that was stopped took away
            if object_id in blocked or self._verify(object_id, None, "nothing") is not None:
                self._find("unreachable", object_id, f"object {object_id} is stored, but no operation leads to it")
        self._look_for_litter()
        self._say_what_it_takes_down()

    def _find(self, code: str, name: str, message: str, *, repaired: bool = False) -> None:
        self.findings.append(Finding(code, name, message, repaired))

    def _walk_operations(self) -> None:
        try:
            head = self._repository.head()
        except IntegrityError as error:
            head = self._recover_head(error.message)
        pending = [(head, "HEAD")] if head is not None else []
        found: dict[ObjectId, Operation] = {}
        while pending:
            object_id, source = pending.pop()
            operation = self._record(object_id, "operation", source, self._repository.operation)
            if operation is not None:
                found[object_id] = operation
                pending += [(parent, f"operation {object_id[:12]}") for parent in operation.parents]
        undone = _undone(head, found)
        self._walk_memories(head, found)
        for object_id, operation in found.items():
            tagged = [commit for commit in operation.tags.values() if commit is not None]
            named = dict.fromkeys([*operation.commits, *tagged, *operation.embedders])
            # what an undo took away may be cleared away any time, so only what is whole is looked at
            counted = [commit for commit in named if commit not in undone or self._is_there(commit)]
            self._walk_commits(counted, f"operation {object_id[:12]}")

    def _is_there(self, commit: ObjectId) -> bool:
        """Whether a commit that was taken away can be looked at; one of which that cannot be told is: it says why."""
        try:
            return is_whole(self._repository, commit)
        except MvcError:
            return True

    def _walk_memories(self, head: ObjectId | None, found: Mapping[ObjectId, Operation]) -> None:
        """What is remembered of commits whose tensors were given up, and so need not be there."""
        history = _known_history(head, found)
        gone = replay(history).gone
        lost: set[ObjectId] = set()
        for commit, memory_id in gone.items():
            memory = self._record(memory_id, "memory", f"commit {commit[:12]}", self._repository.memory)
            if memory is not None:
                lost |= memory.tensors.keys()
        self._given_up = dict.fromkeys(gone, lost)
        for memory_id in former_memories(self._repository, history):
            self._record(memory_id, "memory", "an operation", self._repository.memory)

    def _recover_head(self, message: str) -> ObjectId | None:
        """What the pointer said, where only one operation is left that no other stands on; else None."""
        tips: set[ObjectId] = set()
        parents: set[ObjectId] = set()
        for object_id in self._repository.odb.ids():
            with contextlib.suppress(MvcError):
                if self._repository.odb.kind_of(object_id) == "operation":
                    parents.update(self._repository.operation(object_id).parents)
                    tips.add(object_id)
        tips -= parents
        repaired = self._repair and len(tips) == 1
        if repaired:
            if exists(self._repository.fs, self._repository.directory / HEAD):
                self._quarantine(self._repository.directory / HEAD)
            self._repository.storage.compare_and_swap(HEAD, None, f"{min(tips)}\n".encode())
        newest = ", ".join(sorted(tips)) or "none"
        self._find("bad-head", HEAD, f"{message}; operations that no other follows: {newest}", repaired=repaired)
        return min(tips) if len(tips) == 1 else None

    def _walk_commits(self, commits: Iterable[ObjectId], source: str) -> None:
        for commit_id in commits:
            commit = self._record(commit_id, "commit", source, self._repository.commit)
            if commit is not None:
                name = f"commit {commit_id[:12]}"
                manifest = self._record(commit.manifest, "manifest", name, self._repository.manifest)
                if manifest is not None:
                    self._walk_manifest(manifest, name, self._given_up.get(commit_id, ()))
                self._lacking[commit_id] = self._gaps.setdefault(commit.manifest, {commit.manifest})
            elif self.seen[commit_id] is None:
                self._lacking[commit_id] = {commit_id}

    def _walk_manifest(self, manifest: Manifest, source: str, given_up: Collection[ObjectId]) -> None:
        gaps = self._gaps[manifest.id] = set()
        for file in manifest.files:
            self._record(file.skeleton, "skeleton", source, self._repository.skeleton)
            if self.seen[file.skeleton] is None:
                gaps.add(file.skeleton)
            for entry in file.tensors:
                if entry.object in given_up:
                    continue
                found = self._need(entry.object, "tensor", f"{source}, tensor {entry.name!r}")
                if found is None:
                    gaps.add(entry.object)
                if found == "tensor" and self._header(entry.object) != entry.spec.header():
                    message = f"{source} says of tensor {entry.name!r} what its object {entry.object} is not"
                    self._find("malformed", manifest.id, message)

    def _record(
        self, object_id: ObjectId, kind: Kind, source: str, parse: Callable[[ObjectId], Record]
    ) -> Record | None:
        """A small object, verified and parsed; None where it is missing, damaged, malformed or was walked before."""
        known = object_id in self.seen
        if self._need(object_id, kind, source) is None or known:
            return None
        try:
            record = parse(object_id)
        except MvcError as error:
            # its bytes hash to its name, so it was written like this: there is no better copy to wait for
            self._find("malformed", object_id, f"{kind} {object_id}, needed by {source}: {error.message}")
            return None
        self.undecoded.discard(object_id)
        return record

    def _need(self, object_id: ObjectId, kind: Kind, source: str) -> Kind | None:
        """``kind``; None, with a finding, where the object is missing, damaged or of another kind."""
        found = self.seen[object_id] if object_id in self.seen else self._verify(object_id, kind, source)
        if found is not None and found != kind:
            self._find(
                "malformed", object_id, f"object {object_id} is a {found}, where {source} needs one of kind {kind}"
            )
            return None
        return found

    def _verify(self, object_id: ObjectId, kind: Kind | None, source: str) -> Kind | None:
        """The object's kind, read and hashed; None, with a finding, where it is missing or damaged, or what it rests on
        is."""
        self.seen[object_id] = None
        stock = self._stock
        if object_id in stock.headers:
            self.seen[object_id] = kind_of(stock.headers[object_id])
        elif (error := stock.damaged.get(object_id)) is not None:
            moved = "; moved to quarantine" if object_id in stock.moved else ""
            self._find("damaged", object_id, f"{error.message} (needed by {source}){moved}")
        elif object_id not in stock.blocked:
            self._verify_late(object_id, kind, source)
        return self.seen[object_id]

    def _verify_late(self, object_id: ObjectId, kind: Kind | None, source: str) -> None:
        """Looks for what was not there when everything else was looked at: another process may have stored it since."""
        try:
            self.seen[object_id] = self._repository.odb.verify(object_id)
        except MvcError as error:
            if error.code == "missing-object":
                self._find("missing", object_id, f"{kind} {object_id} is missing, needed by {source}")
            else:
                self._find("damaged", object_id, f"{error.message} (needed by {source})")

    def _header(self, tensor: ObjectId) -> bytes:
        header = self._stock.headers.get(tensor)
        return header if header is not None else self._repository.odb.spec_of(tensor).header()

    def _say_what_it_takes_down(self) -> None:
        """Completes the findings by what cannot be read for want of what is missing or damaged."""
        blocks: defaultdict[str, set[ObjectId]] = defaultdict(set)
        for object_id, below in self._stock.blocked.items():
            for one in below:
                blocks[one].add(object_id)
        commits: defaultdict[str, list[ObjectId]] = defaultdict(list)
        for commit_id, lacking in self._lacking.items():
            for one in {below for item in lacking for below in self._stock.blocked.get(item, (item,))}:
                commits[one].append(commit_id)
        self.findings = [
            replace(item, blocks=tuple(sorted(blocks[item.object])), commits=tuple(commits[item.object]))
            for item in self.findings
        ]

    def _look_for_litter(self) -> None:
        directory, fs = self._repository.directory, self._repository.fs
        leftovers = [path for path in self._repository.storage.temporary_files() if "quarantine" not in path.parts]
        for path in leftovers:
            if self._repair:
                with disk_errors(path, "delete"):
                    fs.unlink(path)
            name = path.relative_to(directory).as_posix()
            self._find("leftover", name, f"{name} is a half-written file of a writer that died", repaired=self._repair)
        for path in strays(self._repository):
            name = path.relative_to(directory).as_posix()
            self._find("stray", name, f"{name} is no object", repaired=self._quarantine(path))

    def _quarantine(self, path: Path) -> bool:
        """Moves a file out of the way, under a name that tells where it was. False without ``repair``."""
        if not self._repair:
            return False
        quarantine(self._repository, path)
        return True


def _undone(head: ObjectId | None, operations: Mapping[ObjectId, Operation]) -> set[ObjectId]:
    """Commits that were taken away and not brought back, as far as the operations could be read."""
    history = _known_history(head, operations)
    taken = {commit for operation in history for commit in operation.removed}
    return taken - set(replay(history).commits) if taken else taken


def _known_history(head: ObjectId | None, operations: Mapping[ObjectId, Operation]) -> list[Operation]:
    """Oldest first; one that could not be read changed nothing."""
    unread = Operation((), "", "", "")
    return oldest_first(head, lambda object_id: operations.get(object_id, unread))
