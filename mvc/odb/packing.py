"""A pack on its way. Owns writing one; ``packs`` says what it looks like."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import count

import blake3

from mvc.errors import StorageError
from mvc.objects import ObjectId
from mvc.odb.packs import (
    DIRECTORY,
    ENTRY,
    ENTRY_MAGIC,
    FOOTER,
    FOOTER_MAGIC,
    HEAD,
    MAGIC,
    ROW,
    UNPROVED,
    VERSION,
    Span,
    checksum,
)
from mvc.odb.zstd import Buffer
from mvc.storage import Storage, Stream, no_such_key


class PackWriter:
    """A pack on its way, and the place of what it holds so far. Safe to share between threads.

    Nothing is created before something is appended. `finish` or `abandon` it.
    """

    def __init__(self, storage: Storage, *, flags: int = 0) -> None:
        self._storage = storage
        self._head = HEAD.pack(MAGIC, VERSION, flags, 0)
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
            self._stream.write((ENTRY.pack(ENTRY_MAGIC, bytes.fromhex(object_id), length), *chunks))
            self._spans[object_id] = Span(self.size + ENTRY.size, length)
            self._checksums[object_id] = check
            self.size += ENTRY.size + length
        return True

    def finish(self) -> str | None:
        """Key of the pack, which is durable and has its name; None where nothing was appended. Raises StorageError."""
        if self._stream is None:
            return None
        index = b"".join(
            ROW.pack(bytes.fromhex(one), *self._spans[one], self._checksums[one]) for one in sorted(self._spans)
        )
        for salt in count():
            footer = FOOTER.pack(FOOTER_MAGIC, salt, len(self._spans), bytes(32))[:-32]
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
