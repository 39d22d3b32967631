"""A repository together with its index, as every verb gets them. Owns keeping the index in step for whoever reads.

Refuses to let reading wait for writing: where the index is behind and another process holds the lock, or the disk
takes no writes, what there is is shown with a warning.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mvc.errors import BusyError, StorageError
from mvc.geometry import Signature
from mvc.index import Connection, Index, IndexDamaged
from mvc.objects import ObjectId
from mvc.porcelain.engine import is_current
from mvc.porcelain.progress import Report
from mvc.porcelain.signatures import read_signatures
from mvc.repository import Repository

Answer = TypeVar("Answer")

#: seconds that a reader waits for a writer before it answers from an index that is behind
_PATIENCE = 0.5


@dataclass
class Workspace:
    """``author`` is who declares what is declared through it. One instance belongs to one thread.

    ``warnings`` gathers what a reader should know of the answers it got, such as that the index is behind. ``at`` is
    the operation after which everything is seen, where that is not the newest; then it is only for reading.
    """

    repository: Repository
    index: Index
    author: str
    warnings: list[str] = field(default_factory=list)
    at: ObjectId | None = None

    @classmethod
    def open(cls, start: str | Path = ".", *, author: str = "", trust: bool = False) -> Workspace:
        """The nearest repository at or above ``start``. Raises as `Repository.discover`.

        The author that the repository's config names goes before ``author``.
        """
        return cls.of(Repository.discover(start, trust=trust), author=author)

    @classmethod
    def of(cls, repository: Repository, *, author: str = "") -> Workspace:
        index = Index(repository.layout.index, repository.config.index.url)
        return cls(repository, index, repository.config.user.author or author or "unknown")

    def as_of(self, operation: ObjectId) -> Workspace:
        """The repository as it was after this operation, for reading: its index is in memory."""
        return Workspace(self.repository, self.index.copy(), self.author, self.warnings, at=operation)

    def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """What ``query`` finds in the index, brought up to date before where that can be done at once.

        Raises InputError for an index that a newer mvc wrote.
        """
        try:
            with self._current().reading() as connection:
                return query(connection)
        except IndexDamaged:
            self._discard()
        except StorageError:
            self._build_aside()
        with self._current().reading() as connection:
            return query(connection)

    def update(self, signatures: Mapping[ObjectId, Signature] | None = None, progress: Report | None = None) -> None:
        """Brings the index up to date; ``signatures`` are those known already. Needs the repository's lock."""
        module = _indexing()
        try:
            module.bring_up_to_date(self.repository, self.index, known=signatures, progress=progress)
        except IndexDamaged:
            self.index.discard()
            module.bring_up_to_date(self.repository, self.index, known=signatures, progress=progress)

    def refresh(self, signatures: Mapping[ObjectId, Signature] | None = None) -> None:
        """Brings the index up to date, aside where the disk refuses. Needs the repository's lock."""
        try:
            self.update(signatures)
        except StorageError as error:
            self._build_aside()
            self.warn(f"the index could not be written: {error.message}")

    def declare(
        self,
        command: str,
        *,
        commits: Sequence[ObjectId] = (),
        removed: Sequence[ObjectId] = (),
        tags: Mapping[str, ObjectId | None] | None = None,
        settings: Mapping[str, str | None] | None = None,
    ) -> None:
        """One operation by this author, durable, and the index after it. Needs the repository's lock."""
        self.repository.append(
            command=command, author=self.author, commits=commits, removed=removed, tags=tags, settings=settings
        )
        self.refresh()

    def remember(self, write: Callable[[Connection], None]) -> None:
        """Lets a reader fill one of the index's caches, if that can be done at once; else it is computed again."""
        with (
            contextlib.suppress(BusyError, StorageError),
            self.repository.lock(_PATIENCE, "index", upgrade=False),
            self.index.writing() as connection,
        ):
            write(connection)

    def signatures(self, tensors: Iterable[ObjectId]) -> Mapping[ObjectId, Signature]:
        """Signatures of committed trainable tensors, as far as the index has them."""
        wanted = list(tensors)
        return self.read(lambda connection: read_signatures(connection, wanted))

    def _current(self) -> Index:
        """The index, up to date if that can be had at once."""
        stamp = self.index.stamp()
        if self.at is not None:
            if not is_current(stamp, self.at):
                _indexing().bring_up_to_date(self.repository, self.index, at=self.at)
            return self.index
        if is_current(stamp, self.repository.head()):
            return self.index
        try:
            with self.repository.lock(_PATIENCE, "index", upgrade=False):
                self.update()
        except StorageError:
            self._build_aside()
        except BusyError as error:
            if stamp is None:
                self._build_aside()
            else:
                self.warn(f"what is shown is older than the newest commit, as the index is behind: {error.message}")
        return self.index

    def _build_aside(self) -> None:
        """Goes on with an index in memory, as none can be written now; what the one on the disk has is taken over."""
        self.index = self.index.copy()
        try:
            _indexing().bring_up_to_date(self.repository, self.index, at=self.at)
        except IndexDamaged:
            self._start_aside()

    def _start_aside(self) -> None:
        """The same, from nothing."""
        self.index = Index(None)
        _indexing().bring_up_to_date(self.repository, self.index, at=self.at)

    def _discard(self) -> None:
        """Gets rid of a damaged index."""
        if self.at is not None:
            self._start_aside()
            return
        try:
            with self.repository.lock(_PATIENCE, "index", upgrade=False):
                self.index.discard()
        except (BusyError, StorageError):
            self._start_aside()

    def warn(self, text: str) -> None:
        """Says it once to whoever reads."""
        if text not in self.warnings:
            self.warnings.append(text)


def _indexing() -> Any:
    """``mvc.porcelain.indexing``, which imports what takes time and is not needed where the index is up to date."""
    return importlib.import_module("mvc.porcelain.indexing")
