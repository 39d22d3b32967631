"""Where stored forms lie: packs, files of their own, and the pack that is being written. Owns looking for them there.

Objects move while others read: a pack is replaced by a larger one at any time. Where all places say no, packs are
looked for again, until that shows nothing new.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from mvc.errors import IntegrityError, NotFoundError
from mvc.objects import ObjectId, parse_object_id
from mvc.odb.loose import LooseObjects, loose_key
from mvc.odb.packed import PackedObjects
from mvc.odb.packing import PackWriter
from mvc.storage import Storage

Answer = TypeVar("Answer")


class Place(Protocol):
    """Where stored objects lie. A database looks through its places in turn."""

    def contains(self, object_id: ObjectId) -> bool: ...

    def key(self, object_id: ObjectId) -> str:
        """Storage key of the file that holds it. Raises NotFoundError."""

    def read(self, object_id: ObjectId) -> bytes:
        """The whole stored form. Raises NotFoundError."""

    def read_start(self, object_id: ObjectId, length: int) -> bytes:
        """The first ``length`` bytes of it, or all. Raises NotFoundError."""

    def stored_size(self, object_id: ObjectId) -> int:
        """Bytes of the stored form. Raises NotFoundError."""

    def ids(self, prefix: str) -> Iterator[ObjectId]:
        """Ids that begin with ``prefix``, sorted."""


class Places:
    """Everything that is stored. ``writer`` is the pack of the batch that is open, if one is. What is read is not
    checked. An object may lie in several places, in forms that differ; where one is asked for, it is the first.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.loose = LooseObjects(storage)
        self.packed = PackedObjects(storage)
        self.writer: PackWriter | None = None

    @property
    def _all(self) -> tuple[Place, ...]:
        writer = self.writer
        return (self.packed, self.loose) if writer is None else (writer, self.packed, self.loose)

    def contains(self, object_id: ObjectId) -> bool:
        """As far as is known here."""
        if self.writer is not None:  # nobody else writes now, so once is enough
            parse_object_id(object_id)
            return any(place.contains(object_id) for place in self._all)
        try:
            self._look(object_id, lambda place: place.key(object_id))
        except IntegrityError:
            return False
        return True

    def key(self, object_id: ObjectId) -> str:
        """Storage key of the file that holds the object. Raises IntegrityError where it is missing."""
        self.packed.refresh()
        return self._look(object_id, lambda place: place.key(object_id))

    def read(self, object_id: ObjectId) -> bytes:
        """A stored form. Raises IntegrityError where it is missing."""
        return self._look(object_id, lambda place: place.read(object_id))

    def read_start(self, object_id: ObjectId, length: int) -> bytes:
        """Its first ``length`` bytes. Raises IntegrityError where it is missing."""
        return self._look(object_id, lambda place: place.read_start(object_id, length))

    def read_at(self, object_id: ObjectId, key: str) -> bytes:
        """The stored form in this file; another one where it is gone. Raises IntegrityError where the object is."""
        with contextlib.suppress(NotFoundError):
            if key == loose_key(object_id):
                return self.loose.read(object_id)
            for pack, row in self.packed.places(object_id):
                if pack.key == key:
                    return pack.read(pack.span(row))
        return self.read(object_id)

    def stored_size(self, object_id: ObjectId) -> int:
        """Bytes that it takes. Raises IntegrityError where it is missing."""
        return self._look(object_id, lambda place: place.stored_size(object_id))

    def forms(self, object_id: ObjectId) -> Iterator[bytes]:
        """Every stored form of an object."""
        yield from self.packed.forms(object_id)
        yield from self.loose.forms(object_id)

    def doubled(self, object_id: ObjectId) -> bool:
        """Whether an object lies in several packs: in forms that may rest on different ones."""
        return len(self.packed.places(object_id)) > 1

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        """Every stored id that begins with ``prefix`` (hexadecimal), sorted."""
        self.packed.refresh()
        return iter(sorted({object_id for place in self._all for object_id in place.ids(prefix)}))

    def keep(self, object_id: ObjectId) -> bool:
        """Whether the object is known; then it is durable once the batch is: whoever wrote it may have died."""
        if self.writer is None:
            self.packed.refresh()  # what was known may have been collected since
        found = self.packed.locate(object_id)
        if found is not None:
            self._storage.touch(found[0].key)
        elif self.loose.contains(object_id):
            self._storage.touch(loose_key(object_id))
        else:
            return self.writer is not None and self.writer.contains(object_id)
        return True

    def _look(self, object_id: ObjectId, action: Callable[[Place], Answer]) -> Answer:
        parse_object_id(object_id)
        while True:
            generation = self.packed.generation
            for place in self._all:
                try:
                    return action(place)
                except NotFoundError:
                    continue
            if self.packed.refresh() == generation:
                raise self.packed.unread or self._missing(object_id)

    def _missing(self, object_id: ObjectId) -> IntegrityError:
        damaged = ", ".join(sorted(self.packed.damaged))
        lost = f"; it may be in what is damaged: {damaged}" if damaged else ""
        return IntegrityError(f"object {object_id} is missing{lost}", hint="run: mvc fsck", code="missing-object")
