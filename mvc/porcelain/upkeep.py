"""The index kept in step for whoever reads or writes. Owns what is done about one that is behind, damaged or cannot be
written.

Refuses to let reading wait for writing: where the index is behind and another process holds the lock, or the disk
takes no writes, what there is is shown with a warning.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from mvc.errors import BusyError, MvcError, StorageError
from mvc.index import Connection, Index, IndexDamaged
from mvc.objects import ObjectId
from mvc.porcelain.engine import is_current
from mvc.porcelain.progress import Report
from mvc.porcelain.seen import Seen
from mvc.repository import Repository

Answer = TypeVar("Answer")

#: seconds that a reader waits for a writer before it answers from an index that is behind
_PATIENCE = 0.5


class Upkeep:
    """``index`` is the one on the disk, or one in memory where that cannot be used; ``at`` the operation after which
    everything is seen, where that is not the newest. ``warn`` is told what a reader should know of the answers,
    ``told`` how far the index is, where nobody else asks for that."""

    def __init__(
        self,
        repository: Repository,
        index: Index | None,
        at: ObjectId | None,
        warn: Callable[[str], None],
        told: Report,
    ) -> None:
        self.index = index or Index(repository.layout.index, repository.config.index.url)
        self._repository, self._at, self._warn, self._told = repository, at, warn, told
        # what was read from it may not go with what is read from now on
        self._discarded = False

    def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """What ``query`` finds in the index, brought up to date before where that can be done at once.

        Raises InputError for an index that a newer mvc wrote.
        """
        try:
            with self._current().reading() as connection, self._suspecting():
                return query(connection)
        except IndexDamaged:
            self.discard()
        except StorageError:
            self._build_aside()
        with self._current().reading() as connection:
            return query(connection)

    def keeping(self) -> AbstractContextManager[None]:
        """Within, the index is not opened again and again. Needs the repository's lock."""
        return self.index.kept()

    def update(self, seen: Seen | None = None, progress: Report | None = None) -> None:
        """Brings the index up to date; ``seen`` is what is known already. Needs the repository's lock."""
        module, told = _indexing(), progress or self._told
        try:
            with self._suspecting():
                module.bring_up_to_date(self._repository, self.index, seen=seen, progress=told)
        except IndexDamaged:
            self._discarded = True
            self.index.discard()
            module.bring_up_to_date(self._repository, self.index, seen=seen, progress=told)

    def refresh(self, seen: Seen | None = None) -> None:
        """Brings the index up to date, aside where the disk refuses. Needs the repository's lock."""
        try:
            self.update(seen)
        except StorageError as error:
            self._build_aside()
            self._warn(f"the index could not be written: {error.message}")

    def remember(self, write: Callable[[Connection], None]) -> None:
        """Lets a reader fill one of the index's caches, if that can be done at once; else it is computed again."""
        with (
            contextlib.suppress(BusyError, StorageError),
            self._repository.lock(_PATIENCE, "index", upgrade=False),
            self.index.writing() as connection,
        ):
            write(connection)

    def doubt(self) -> str | None:
        """What is wrong with the index, or was, for who found something odd; None where nothing is."""
        if self._discarded:
            return "it was damaged"
        agreement = importlib.import_module("mvc.porcelain.agreement")
        try:
            with self.index.reading() as connection:
                found: str | None = agreement.disagreement(self._repository, connection)
                return found
        except IndexDamaged as error:
            return error.message

    @contextlib.contextmanager
    def _suspecting(self) -> Iterator[None]:
        """An error that is none of mvc's own is the index's fault where that is not sound: IndexDamaged. Where it is
        sound the error is a defect, and no reason to do everything again."""
        try:
            yield
        except MvcError:
            raise
        except Exception as error:
            if (found := self.doubt()) is None:
                raise
            raise IndexDamaged(f"the index is damaged: {found}", hint="run: mvc reindex") from error

    def _current(self) -> Index:
        """The index, up to date if that can be had at once."""
        stamp = self.index.stamp()
        if self._at is not None:
            if not is_current(stamp, self._at):
                self._bring_up_to_date()
            return self.index
        if is_current(stamp, self._repository.head()):
            return self.index
        try:
            with self._repository.lock(_PATIENCE, "index", upgrade=False):
                self.update()
        except StorageError:
            self._build_aside()
        except BusyError as error:
            if stamp is None:
                self._build_aside()
            else:
                self._warn(f"what is shown is older than the newest commit, as the index is behind: {error.message}")
        return self.index

    def _build_aside(self) -> None:
        """Goes on with an index in memory, as none can be written now; what the one on the disk has is taken over."""
        self.index = self.index.copy()
        try:
            self._bring_up_to_date()
        except IndexDamaged:
            self._start_aside()

    def _start_aside(self) -> None:
        """The same, from nothing."""
        self.index = Index(None)
        self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        """An index that is nobody else's."""
        _indexing().bring_up_to_date(self._repository, self.index, at=self._at, progress=self._told)

    def discard(self) -> None:
        """Gets rid of a damaged index."""
        self._discarded = True
        if self._at is not None:
            self._start_aside()
            return
        try:
            with self._repository.lock(_PATIENCE, "index", upgrade=False):
                self.index.discard()
        except (BusyError, StorageError):
            self._start_aside()


def _indexing() -> Any:
    """``mvc.porcelain.indexing``, which imports what takes time and is not needed where the index is up to date."""
    return importlib.import_module("mvc.porcelain.indexing")
