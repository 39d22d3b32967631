"""A repository together with its index, as every verb gets them. Owns which way a question to the index takes.

Most commands only look something up in an index that is up to date: then `Workspace.look_up` reads SQLite's file as it
is. Everything else is `mvc.porcelain.upkeep`'s, which is imported when it is needed, and SQLAlchemy with it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mvc.errors import MvcError
from mvc.index import IndexDamaged, Reader, viewing
from mvc.porcelain.engine import is_current
from mvc.porcelain.progress import Report, silent
from mvc.repository import Repository

if TYPE_CHECKING:
    from mvc.geometry import Signature
    from mvc.index import Connection, Index
    from mvc.objects import ObjectId
    from mvc.porcelain.seen import Seen
    from mvc.porcelain.upkeep import Upkeep

Answer = TypeVar("Answer")


class Workspace:
    """``author`` is who declares what is declared through it. One instance belongs to one thread.

    ``warnings`` gathers what a reader should know of the answers it got, such as that the index is behind. ``at`` is
    the operation after which everything is seen, where that is not the newest; then it is only for reading.
    ``index``: the repository's own unless given.
    """

    def __init__(
        self,
        repository: Repository,
        index: Index | None = None,
        author: str = "",
        warnings: list[str] | None = None,
        at: ObjectId | None = None,
    ) -> None:
        self.repository = repository
        self.author = repository.config.user.author or author or "unknown"
        self.warnings = [] if warnings is None else warnings
        self.at = at
        #: how far the index is being brought up to date, where a question needs that
        self.told: Report = silent
        self._index = index
        # whether the index may be looked up in as it lies on the disk: only while nobody needed more of it
        self._plain = index is None and at is None and not repository.config.index.url

    @classmethod
    def open(cls, start: str | Path = ".", *, author: str = "", trust: bool = False) -> Workspace:
        """The nearest repository at or above ``start``. Raises as `Repository.discover`.

        The author that the repository's config names goes before ``author``.
        """
        return cls.of(Repository.discover(start, trust=trust), author=author)

    @classmethod
    def of(cls, repository: Repository, *, author: str = "") -> Workspace:
        return cls(repository, author=author)

    def as_of(self, operation: ObjectId) -> Workspace:
        """The repository as it was after this operation, for reading: its index is in memory."""
        workspace = Workspace(self.repository, self.index.copy(), self.author, self.warnings, at=operation)
        workspace.told = self.told
        return workspace

    @cached_property
    def _upkeep(self) -> Upkeep:
        self._plain = False
        upkeep: Upkeep = importlib.import_module("mvc.porcelain.upkeep").Upkeep(
            self.repository, self._index, self.at, self.warn, self.told
        )
        return upkeep

    @property
    def index(self) -> Index:
        return self._upkeep.index

    def look_up(self, query: Callable[[Reader], Answer]) -> Answer:
        """What ``query`` finds by `Row.find` and `Row.pick` alone. Raises as `read`."""
        if self._plain and os.path.exists(self.repository.layout.index):
            try:
                with viewing(self.repository.layout.index) as view:
                    if is_current(view.stamp(), self.repository.head()):
                        return query(view)
            except MvcError as error:
                if not isinstance(error, IndexDamaged):
                    raise
            except Exception:  # sqlite3.Error, and whatever it makes of a damaged index that rows contradict each other
                pass  # whoever opens it in full knows what to do about it
        return self.read(query)

    def read(self, query: Callable[[Connection], Answer]) -> Answer:
        """What ``query`` finds in the index, brought up to date before where that can be done at once.

        Raises InputError for an index that a newer mvc wrote.
        """
        return self._upkeep.read(query)

    def keeping(self) -> AbstractContextManager[None]:
        """Within, the index is not opened again and again. Needs the repository's lock."""
        return self._upkeep.keeping()

    def update(self, seen: Seen | None = None, progress: Report | None = None) -> None:
        """Brings the index up to date; ``seen`` is what is known already. Needs the repository's lock."""
        self._upkeep.update(seen, progress)

    def refresh(self, seen: Seen | None = None) -> None:
        """Brings the index up to date, aside where the disk refuses. Needs the repository's lock."""
        self._upkeep.refresh(seen)

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

    def suspect(self) -> str | None:
        """Looks at the index once more where something came up that is no error of mvc's own. Says what is wrong with
        it, and then it is gone, to be built again; None where nothing is."""
        found = self._upkeep.doubt()
        if found is not None:
            self._upkeep.discard()
        return found

    def remember(self, write: Callable[[Connection], None]) -> None:
        """Lets a reader fill one of the index's caches, if that can be done at once; else it is computed again."""
        self._upkeep.remember(write)

    def signatures(self, tensors: Iterable[ObjectId]) -> Mapping[ObjectId, Signature]:
        """Signatures of committed trainable tensors, as far as the index has them."""
        wanted = list(tensors)
        signatures = importlib.import_module("mvc.porcelain.signatures")
        found: Mapping[ObjectId, Signature] = self.look_up(lambda reader: signatures.read_signatures(reader, wanted))
        return found

    def warn(self, text: str) -> None:
        """Says it once to whoever reads."""
        if text not in self.warnings:
            self.warnings.append(text)
