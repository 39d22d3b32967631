"""Pack files: many stored objects in one file, ``packs/<name>``. Owns their layout, writing one and reading one.

    head, entries, index, footer

An entry has a head of its own, so that what is whole can be told from a pack whose end is lost. The index (sorted ids,
each with offset, length and a checksum of the stored form) and the footer make the *trailer*, which alone is read to
know what a pack holds; a digest in the footer covers it, and is the pack's name: so a pack's name proves every byte of
it. A pack is never changed. ``docs/internals/repository-format.md``.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, count
from typing import NamedTuple

import blake3
import numpy as np
import numpy.typing as npt

from mvc.errors import IntegrityError, StorageError
from mvc.objects import ObjectId
from mvc.odb.stored import malformed
from mvc.odb.zstd import Buffer
from mvc.storage import Storage, Stream, no_such_key

DIRECTORY = "packs"
#: the pack was written by `gc`, with the time that a commit does not have
SETTLED = 1

#: what is written; packs of version 1 have no checksums
_VERSION = 2
#: magic, version, flags, reserved (0)
_HEAD = struct.Struct("<4sBBH")
#: magic, id, length of the stored form that follows
_ENTRY = struct.Struct("<4s32sQ")
#: magic, salt, number of entries, BLAKE3-256 of head, index and the footer up to here
_FOOTER = struct.Struct("<4sIQ32s")
_MAGIC, _ENTRY_MAGIC, _FOOTER_MAGIC = b"mvcp", b"mvce", b"mvct"
#: one row of the index: an id, where its stored form begins, how long it is, and its checksum
_ROW = struct.Struct("<32sQQ16s")
#: the same for NumPy, by version; the first eight bytes of the id apart, in an order that numbers have too
_PLACES = [("key", ">u8"), ("rest", "V24"), ("offset", "<u8"), ("length", "<u8")]
ROWS = {1: np.dtype(_PLACES), 2: np.dtype([*_PLACES, ("checksum", "V16")])}
#: in place of a checksum: nothing is known of the form but its name, so that it has to be decoded
UNPROVED = bytes(16)
#: bytes at the end that are read at once: all of a small pack's trailer
_TAIL = 1 << 14
#: bytes that a scan looks through at once
_STEP = 1 << 20
#: bytes that are read at once where all are: few enough to stay in a processor's cache while they are hashed
_PIECE = 1 << 19


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


class PackWriter:
    """A pack on its way, and the place of what it holds so far. Safe to share between threads.

    Nothing is created before something is appended. `finish` or `abandon` it.
    """

    def __init__(self, storage: Storage, *, flags: int = 0) -> None:
        self._storage = storage
        self._head = _HEAD.pack(_MAGIC, _VERSION, flags, 0)
        self._mutex = threading.Lock()
        self._stream: Stream | None = None
        self._spans: dict[ObjectId, Span] = {}
        self._checksums: dict[ObjectId, bytes] = {}
        self.size = 0

    def append(self, object_id: ObjectId, chunks: Sequence[Buffer], *, proved: bool = True) -> bool:
        """Adds a stored form; False where the pack has the object. ``proved``: it is known to be that object, or its
        writer makes sure of that before the pack is finished; else it gets no checksum, and whoever verifies it decodes
        it. Raises StorageError; then the pack is to be abandoned."""
        length = sum(map(len, chunks))
        check = checksum(chunks) if proved else UNPROVED
        with self._mutex:
            if object_id in self._spans:
                return False
            if self._stream is None:
                self._stream = self._storage.stream(DIRECTORY)
                self._stream.write((self._head,))
                self.size = len(self._head)
            self._stream.write((_ENTRY.pack(_ENTRY_MAGIC, bytes.fromhex(object_id), length), *chunks))
            self._spans[object_id] = Span(self.size + _ENTRY.size, length)
            self._checksums[object_id] = check
            self.size += _ENTRY.size + length
        return True

    def finish(self) -> str | None:
        """Key of the pack, which is durable and has its name; None where nothing was appended. Raises StorageError."""
        if self._stream is None:
            return None
        index = b"".join(
            _ROW.pack(bytes.fromhex(one), *self._spans[one], self._checksums[one]) for one in sorted(self._spans)
        )
        for salt in count():
            footer = _FOOTER.pack(_FOOTER_MAGIC, salt, len(self._spans), bytes(32))[:-32]
            digest = blake3.blake3(self._head + index + footer)
            key = f"{DIRECTORY}/{digest.hexdigest()}"
            if not self._storage.exists(key):  # it does where the same objects are there, in a pack that is damaged
                break
        self._stream.write((index, footer + digest.digest()))
        if not self._stream.publish(key):
            raise StorageError(f"another process wrote {key} meanwhile", hint="run the command again")
        return key

    def abandon(self) -> None:
        if self._stream is not None:
            self._stream.abandon()

    def contains(self, object_id: ObjectId) -> bool:
        return object_id in self._spans

    def key(self, object_id: ObjectId) -> str:
        self._span(object_id)
        return f"{DIRECTORY}/"

    def read(self, object_id: ObjectId) -> bytes:
        return self.read_start(object_id, self._span(object_id).length)

    def read_start(self, object_id: ObjectId, length: int) -> bytes:
        span = self._span(object_id)
        assert self._stream is not None
        return self._stream.read(span.offset, min(length, span.length))

    def stored_size(self, object_id: ObjectId) -> int:
        return self._span(object_id).length

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        return iter(sorted(one for one in list(self._spans) if one.startswith(prefix)))

    def _span(self, object_id: ObjectId) -> Span:
        try:
            return self._spans[object_id]
        except KeyError:
            raise no_such_key(object_id) from None


class Pack:
    """One pack, of which the head and the trailer have been read. ``rows`` is its index, as `ROWS` of its version,
    sorted by id."""

    def __init__(self, storage: Storage, key: str) -> None:
        """Raises NotFoundError, and IntegrityError where head and trailer do not add up."""
        self._storage = storage
        self.key = key
        self.size = storage.size(key)
        head = storage.get_range(key, 0, _HEAD.size)
        start = max(0, self.size - _TAIL)
        tail = storage.get_range(key, start, self.size - start)
        if len(head) < _HEAD.size or len(tail) < _FOOTER.size:
            raise self._damaged("it is cut short")
        magic, version, self.flags, _ = _HEAD.unpack(head)
        if magic == _MAGIC and version not in ROWS:
            hint = "a newer version of mvc may have written it"
            raise IntegrityError(f"pack {key} has version {version}", hint=hint)
        footer = tail[-_FOOTER.size :]
        rows = ROWS.get(version, ROWS[_VERSION])
        foot, _, entries, digest = _FOOTER.unpack(footer)
        self.end = self.size - _FOOTER.size - entries * rows.itemsize
        if foot != _FOOTER_MAGIC or self.end < _HEAD.size:
            raise self._damaged("its trailer does not add up")
        index = tail[self.end - start : -_FOOTER.size] if self.end >= start else b""
        if len(index) != entries * rows.itemsize:
            index = storage.get_range(key, self.end, entries * rows.itemsize)
        if blake3.blake3(head + index + footer[:-32]).digest() != digest or key != f"{DIRECTORY}/{digest.hex()}":
            raise self._damaged("its trailer is not what its name says")
        self.rows: npt.NDArray[np.void] = np.frombuffer(index, rows)
        offsets, lengths = self.rows["offset"], self.rows["length"]
        within = (offsets >= _HEAD.size + _ENTRY.size) & (offsets <= self.end)
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

    def runs(self, step: int = _PIECE) -> Iterator[range]:
        """Places of the index, `by_offset`, whose entries can be read at once: ``step`` bytes, or one entry."""
        ends = self.rows["offset"][self.by_offset] + self.rows["length"][self.by_offset]
        first = 0
        while first < len(ends):
            start = int(self.rows["offset"][self.by_offset[first]]) - _ENTRY.size
            last = max(first + 1, int(np.searchsorted(ends, start + step, "right")))
            yield range(first, last)
            first = last

    @cached_property
    def by_offset(self) -> npt.NDArray[np.int64]:
        """Rows in order of their places."""
        return np.argsort(self.rows["offset"], kind="stable")

    def read_run(self, run: range) -> Iterator[tuple[int, Iterable[Buffer]]]:
        """Row and stored form, in pieces, of each entry in one of the `runs`. Its own head is looked at.

        Raises IntegrityError, StorageError, NotFoundError, the last two also when pieces are read.
        """
        rows = [int(row) for row in self.by_offset[run.start : run.stop]]
        base, end = self.span(rows[0]).offset - _ENTRY.size, sum(self.span(rows[-1]))
        window = memoryview(self._storage.get_range(self.key, base, min(_PIECE, end - base)))
        for row in rows:
            offset, length = self.span(row)
            start = offset - _ENTRY.size - base
            head = _ENTRY.pack(_ENTRY_MAGIC, self.rows[row].tobytes()[:32], length)
            stored = window[start + _ENTRY.size : start + _ENTRY.size + length]
            if window[start : start + _ENTRY.size] != head or (len(rows) > 1 and len(stored) != length):
                raise self._damaged(f"the entry of object {self.id(row)} does not begin as one")
            yield (
                row,
                (stored,) if len(stored) == length else chain((stored,), self._pieces(offset, len(stored), length)),
            )

    def _pieces(self, offset: int, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, _PIECE):
            yield self._storage.get_range(self.key, offset + at, min(_PIECE, end - at))

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


def scan(storage: Storage, key: str) -> Iterator[tuple[ObjectId, Span]]:
    """Entries of a pack by their own heads, without its trailer: what may be an object; its content is not checked.

    Wherever an entry cannot be, the next one is looked for. Raises NotFoundError.
    """
    size = storage.size(key)
    for start in range(0, size, _STEP):
        window = storage.get_range(key, start, _STEP + _ENTRY.size - 1)
        at = window.find(_ENTRY_MAGIC)
        while 0 <= at < _STEP and at + _ENTRY.size <= len(window):
            _, name, length = _ENTRY.unpack_from(window, at)
            if start + at + _ENTRY.size + length <= size:
                yield ObjectId(name.hex()), Span(start + at + _ENTRY.size, length)
            at = window.find(_ENTRY_MAGIC, at + 1)
