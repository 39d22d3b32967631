"""All packs of a repository as one place. Owns the table of what lies where, which is read when it is first needed.

A pack that cannot be read hides nothing but its own objects; `damaged` tells of it.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from mvc.errors import IntegrityError, MvcError, NotFoundError, StorageError
from mvc.objects import ObjectId
from mvc.odb.packs import DIRECTORY, Pack
from mvc.storage import Storage, no_such_key

_KEY = re.compile(rf"{DIRECTORY}/[0-9a-f]{{64}}")
#: entries of packs that came later, up to which the table is not sorted anew
_RECENT = 4096


class PackedObjects:
    """Objects in packs. Safe to share between threads.

    What it knows may be older than the directory: where an object is not found, or its pack is gone, `refresh` says
    whether it is worth looking again. ``generation`` counts how often the table changed.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._mutex = threading.RLock()
        self._loaded = False
        self._packs: dict[str, Pack] = {}
        self._damaged: dict[str, IntegrityError] = {}
        self._unread: dict[str, StorageError] = {}
        self._ignored: set[str] = set()
        self._sorted = _Table(())
        self._recent: dict[ObjectId, list[tuple[Pack, int]]] = {}
        self.generation = 0

    @property
    def packs(self) -> Mapping[str, Pack]:
        """By their keys."""
        self._load()
        return dict(self._packs)

    @property
    def damaged(self) -> Mapping[str, MvcError]:
        """Packs that cannot be used, and why, by their keys."""
        self._load()
        return {**self._damaged, **self._unread}

    @property
    def unread(self) -> StorageError | None:
        """Why a pack could not be opened when the directory was looked at last, though it may be sound."""
        return next(iter(self._unread.values()), None)

    def refresh(self) -> int:
        """Looks at the directory again, until all that it names could be opened. Returns the generation."""
        with self._mutex:
            settled = False
            while not settled:
                keys = {key for key in self._storage.list(f"{DIRECTORY}/") if _KEY.fullmatch(key)} - self._ignored
                known = {*self._packs, *self._damaged}
                settled = (self._loaded and keys == known) or self._follow(keys, known)
            self._loaded = True
            return self.generation

    def ignore(self, *keys: str) -> None:
        """Does without these packs from now on, as if they were not there."""
        with self._mutex:
            self._ignored.update(keys)
            self.refresh()

    def locate(self, object_id: ObjectId) -> tuple[Pack, int] | None:
        """The pack that has an object first, and its row there, as far as is known."""
        self._load()
        with self._mutex:
            return next(self._find(object_id), None)

    def places(self, object_id: ObjectId) -> list[tuple[Pack, int]]:
        """Every pack that has an object, and its row there, as far as is known."""
        self._load()
        with self._mutex:
            return list(self._find(object_id))

    def _find(self, object_id: ObjectId) -> Iterator[tuple[Pack, int]]:
        yield from self._recent.get(object_id, ())
        yield from self._sorted.find(object_id)

    def forms(self, object_id: ObjectId) -> Iterator[bytes]:
        """The stored form in each pack that has one."""
        for pack, row in self.places(object_id):
            with contextlib.suppress(NotFoundError):
                yield pack.read(pack.span(row))

    def intact(self, object_id: ObjectId) -> bool:
        """Whether the stored form that would be read is, by its checksum, what was proved; True where it has none."""
        try:
            pack, row = self._place(object_id)
            pack.proved(row, (pack.read(pack.span(row)),))
        except NotFoundError:  # it is in no pack, or the pack was replaced
            return True
        except MvcError:
            return False
        return True

    def contains(self, object_id: ObjectId) -> bool:
        return self.locate(object_id) is not None

    def key(self, object_id: ObjectId) -> str:
        return self._place(object_id)[0].key

    def read(self, object_id: ObjectId) -> bytes:
        pack, row = self._place(object_id)
        return pack.read(pack.span(row))

    def read_start(self, object_id: ObjectId, length: int) -> bytes:
        pack, row = self._place(object_id)
        return pack.read(pack.span(row), length)

    def stored_size(self, object_id: ObjectId) -> int:
        pack, row = self._place(object_id)
        return pack.span(row).length

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        found = {one for pack in self.packs.values() for one in pack.ids()}
        return iter(sorted(one for one in found if one.startswith(prefix)))

    def _place(self, object_id: ObjectId) -> tuple[Pack, int]:
        found = self.locate(object_id)
        if found is None:
            raise no_such_key(object_id)
        return found

    def _load(self) -> None:
        if not self._loaded:
            self.refresh()

    def _follow(self, keys: set[str], known: set[str]) -> bool:
        """Takes over what the directory names; False where some of it is gone again."""
        new = []
        settled = True
        found = len(self._damaged)
        unread: dict[str, StorageError] = {}
        for key in sorted(keys - known):
            try:
                new.append(Pack(self._storage, key))
            except NotFoundError:  # replaced since the directory was listed
                settled = False
            except IntegrityError as error:
                self._damaged[key] = error
            except StorageError as error:  # of this moment: looked at again the next time
                unread[key] = error
        self._unread = unread
        if self._loaded and known <= keys and not new and len(self._damaged) == found:
            return settled
        for key in known - keys:
            self._packs.pop(key, None)
            self._damaged.pop(key, None)
        self._packs |= {pack.key: pack for pack in new}
        if known <= keys and sum(map(len, new)) + len(self._recent) <= _RECENT:
            for pack in new:
                for row, one in enumerate(pack.ids()):
                    self._recent.setdefault(one, []).append((pack, row))
        else:
            self._sorted, self._recent = _Table(tuple(self._packs.values())), {}
        self.generation += 1
        return settled


class _Table:
    """Indexes of many packs, sorted as one by the beginning of ids."""

    def __init__(self, packs: tuple[Pack, ...]) -> None:
        self._packs = packs
        sizes = [len(pack) for pack in packs]
        keys = np.concatenate([np.empty(0, np.uint64), *(pack.rows["key"].astype(np.uint64) for pack in packs)])
        order = np.argsort(keys, kind="stable")
        self._keys: npt.NDArray[np.uint64] = keys[order]
        self._pack = np.repeat(np.arange(len(packs)), sizes)[order]
        self._row = np.concatenate([np.empty(0, np.int64), *(np.arange(size) for size in sizes)])[order]

    def find(self, object_id: ObjectId) -> Iterator[tuple[Pack, int]]:
        """Wherever an object lies."""
        name = bytes.fromhex(object_id)
        key = np.uint64(int.from_bytes(name[:8], "big"))
        at = int(np.searchsorted(self._keys, key))
        while at < len(self._keys) and self._keys[at] == key:
            pack, row = self._packs[int(self._pack[at])], int(self._row[at])
            if pack.rows[row].tobytes()[:32] == name:
                yield pack, row
            at += 1
