"""Pack files: many stored objects in one file, ``packs/<name>``. Owns their layout, and reading one.

    head, entries, index, footer

An entry has a head of its own, so that what is whole can be told from a pack whose end is lost. The index (sorted ids,
each with offset, length and a checksum of the stored form) and the footer make the *trailer*, which alone is read to
know what a pack holds; a digest in the footer covers it, and is the pack's name: so a pack's name proves every byte of
it. A pack is never changed. ``docs/internals/repository-format.md``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import blake3
import numpy as np
import numpy.typing as npt

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.stored import malformed
from mvc.odb.zstd import Buffer
from mvc.storage import Storage

DIRECTORY = "packs"
#: the pack was written by `gc`, with the time that a commit does not have
SETTLED = 1

#: what is written; packs of version 1 have no checksums
VERSION = 2
#: magic, version, flags, reserved (0)
HEAD = struct.Struct("<4sBBH")
#: magic, id, length of the stored form that follows
ENTRY = struct.Struct("<4s32sQ")
#: magic, salt, number of entries, BLAKE3-256 of head, index and the footer up to here
FOOTER = struct.Struct("<4sIQ32s")
MAGIC, ENTRY_MAGIC, FOOTER_MAGIC = b"mvcp", b"mvce", b"mvct"
#: one row of the index: an id, where its stored form begins, how long it is, and its checksum
ROW = struct.Struct("<32sQQ16s")
#: the same for NumPy, by version; the first eight bytes of the id apart, in an order that numbers have too
_PLACES = [("key", ">u8"), ("rest", "V24"), ("offset", "<u8"), ("length", "<u8")]
ROWS = {1: np.dtype(_PLACES), 2: np.dtype([*_PLACES, ("checksum", "V16")])}
#: in place of a checksum: nothing is known of the form but its name, so that it has to be decoded
UNPROVED = bytes(16)
#: bytes at the end that are read at once: all of a small pack's trailer
_TAIL = 1 << 14
#: bytes that are read at once where all are: few enough to stay in a processor's cache while they are hashed
_STEP = 1 << 19
#: bytes of a pack that one thread goes through
_RUN = 1 << 23


class Span(NamedTuple):
    """Where an object's stored form lies in its pack."""

    offset: int
    length: int


def checksum(chunks: Iterable[Buffer]) -> bytes:
    """Of a stored form: the first 16 bytes of its BLAKE3."""
    digest = blake3.blake3()
    for chunk in chunks:
        digest.update(chunk)
    return digest.digest(16)


class Pack:
    """One pack, of which the head and the trailer have been read. ``rows`` is its index, as `ROWS` of its version,
    sorted by id."""

    def __init__(self, storage: Storage, key: str) -> None:
        """Raises NotFoundError, and IntegrityError where head and trailer do not add up."""
        self._storage = storage
        self.key = key
        self.size = storage.size(key)
        head = storage.get_range(key, 0, HEAD.size)
        start = max(0, self.size - _TAIL)
        tail = storage.get_range(key, start, self.size - start)
        if len(head) < HEAD.size or len(tail) < FOOTER.size:
            raise self._damaged("it is cut short")
        magic, version, self.flags, _ = HEAD.unpack(head)
        if magic == MAGIC and version not in ROWS:
            hint = "a newer version of mvc may have written it"
            raise IntegrityError(f"pack {key} has version {version}", hint=hint)
        footer = tail[-FOOTER.size :]
        rows = ROWS.get(version, ROWS[VERSION])
        foot, _, entries, digest = FOOTER.unpack(footer)
        self.end = self.size - FOOTER.size - entries * rows.itemsize
        if foot != FOOTER_MAGIC or self.end < HEAD.size:
            raise self._damaged("its trailer does not add up")
        index = tail[self.end - start : -FOOTER.size] if self.end >= start else b""
        if len(index) != entries * rows.itemsize:
            index = storage.get_range(key, self.end, entries * rows.itemsize)
        if blake3.blake3(head + index + footer[:-32]).digest() != digest or key != f"{DIRECTORY}/{digest.hex()}":
            raise self._damaged("its trailer is not what its name says")
        self.rows: npt.NDArray[np.void] = np.frombuffer(index, rows)
        offsets, lengths = self.rows["offset"], self.rows["length"]
        within = (offsets >= HEAD.size + ENTRY.size) & (offsets <= self.end)
        if not (within & (lengths <= self.end - np.minimum(offsets, self.end))).all() or not self._ascending():
            raise self._damaged("its index does not add up")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def settled(self) -> bool:
        return bool(self.flags & SETTLED)

    def ids(self) -> list[ObjectId]:
        """What it holds, sorted."""
        data = self.rows.tobytes()
        return [ObjectId(data[at : at + 32].hex()) for at in range(0, len(data), self.rows.itemsize)]

    def _ascending(self) -> bool:
        keys = self.rows["key"]
        equal = np.flatnonzero(keys[1:] == keys[:-1]).tolist()
        rest = self.rows["rest"]
        return bool((keys[1:] >= keys[:-1]).all()) and all(bytes(rest[i]) < bytes(rest[i + 1]) for i in equal)

    def span(self, row: int) -> Span:
        """Where the object in this row lies."""
        return Span(int(self.rows["offset"][row]), int(self.rows["length"][row]))

    def read(self, span: Span, length: int | None = None) -> bytes:
        """A stored form, or its first ``length`` bytes. Raises NotFoundError where the pack is gone."""
        return self._storage.get_range(
            self.key, span.offset, span.length if length is None else min(length, span.length)
        )

    def proved(self, row: int, stored: Iterable[Buffer]) -> bool:
        """Whether this stored form of the object in this row, in pieces, is by its checksum what was proved when it was
        written; False where there is none. Raises IntegrityError where it is something else."""
        found = self.rows["checksum"][row].tobytes() if "checksum" in (self.rows.dtype.names or ()) else UNPROVED
        if found == UNPROVED:
            return False
        if checksum(stored) != found:
            raise malformed("it is not what was written")
        return True

    def id(self, row: int) -> ObjectId:
        """The object in this row."""
        return ObjectId(self.rows[row].tobytes()[:32].hex())

    def runs(self, step: int = _RUN) -> Iterator[range]:
        """Places of the index, `by_offset`, whose entries are read by one thread: ``step`` bytes, or one entry."""
        ends = self.rows["offset"][self.by_offset] + self.rows["length"][self.by_offset]
        first = 0
        while first < len(ends):
            start = int(self.rows["offset"][self.by_offset[first]]) - ENTRY.size
            last = max(first + 1, int(np.searchsorted(ends, start + step, "right")))
            yield range(first, last)
            first = last

    @cached_property
    def by_offset(self) -> npt.NDArray[np.int64]:
        """Rows in order of their places."""
        return np.argsort(self.rows["offset"], kind="stable")

    def read_run(self, run: range) -> Iterator[tuple[int, Iterator[Buffer]]]:
        """Row and stored form, in pieces, of each entry in one of the `runs`. Its own head is looked at. Pieces are to
        be taken before the next entry is asked for.

        Raises IntegrityError, StorageError, NotFoundError, the last two also when pieces are taken.
        """
        rows = self.by_offset[run.start : run.stop]
        spans = zip(self.rows["offset"][rows].tolist(), self.rows["length"][rows].tolist(), strict=True)
        cursor = _Cursor(self._storage, self.key)
        for row, (offset, length) in zip(rows.tolist(), spans, strict=True):
            cursor.seek(offset - ENTRY.size)
            head = ENTRY.pack(ENTRY_MAGIC, self.rows[row].tobytes()[:32], length)
            if b"".join(cursor.take(ENTRY.size)) != head:
                raise self._damaged(f"the entry of object {self.id(row)} does not begin as one")
            yield row, cursor.take(length)

    def entries(self) -> Iterator[tuple[ObjectId, bytes]]:
        """Every object and its stored form, in order of their places. Raises as `read_run` does."""
        ids = self.ids()
        return ((ids[row], b"".join(pieces)) for run in self.runs() for row, pieces in self.read_run(run))

    def check(self) -> None:
        """Raises IntegrityError unless the pack holds what was written into it."""
        for run in self.runs():
            for row, pieces in self.read_run(run):
                self.proved(row, pieces)

    def _damaged(self, why: str) -> IntegrityError:
        return IntegrityError(f"pack {self.key} is damaged: {why}", hint="run: mvc fsck --repair", code="damaged-pack")


class _Cursor:
    """Reads on in a file, always as much at once: memory of one size is used again and again."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._storage, self._key = storage, key
        self._at = 0
        self._window = memoryview(b"")

    def seek(self, at: int) -> None:
        if at != self._at - len(self._window):
            self._at, self._window = at, memoryview(b"")

    def take(self, length: int) -> Iterator[Buffer]:
        """The next so many bytes, in pieces; fewer where the file ends."""
        while length > 0:
            if not self._window:
                data = self._storage.get_range(self._key, self._at, _STEP)
                if not data:
                    return
                self._at += len(data)
                self._window = memoryview(data)
            piece, self._window = self._window[:length], self._window[length:]
            length -= len(piece)
            yield piece


def scan(storage: Storage, key: str) -> Iterator[tuple[ObjectId, Span]]:
    """Entries of a pack by their own heads, without its trailer: what may be an object; its content is not checked.

    Wherever an entry cannot be, the next one is looked for. Raises NotFoundError.
    """
    size = storage.size(key)
    for start in range(0, size, _STEP):
        window = storage.get_range(key, start, _STEP + ENTRY.size - 1)
        at = window.find(ENTRY_MAGIC)
        while 0 <= at < _STEP and at + ENTRY.size <= len(window):
            _, name, length = ENTRY.unpack_from(window, at)
            if start + at + ENTRY.size + length <= size:
                yield ObjectId(name.hex()), Span(start + at + ENTRY.size, length)
            at = window.find(ENTRY_MAGIC, at + 1)
