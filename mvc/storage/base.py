"""Bytes by key: what every storage offers. Owns the contract and the shape of keys; knows nothing of objects.

No crap in, no crap out: a key that is not one relative, plain, portable path is refused before any storage sees it.
Adapters are checked by ``mvc.testing.storage_contract``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from mvc.errors import InputError, NotFoundError

Chunks = Iterable[bytes | memoryview]

_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MAX_KEY = 200


def check_key(key: str) -> str:
    """The key itself. Raises InputError unless it is segments of letters, digits and ``_ . -``, joined by ``/``.

    A segment begins with a letter, digit or underscore and not with "tmp-", which names half-written files.
    """
    segments = key.split("/")
    if len(key) > _MAX_KEY or not all(_SEGMENT.fullmatch(s) and not s.startswith("tmp-") for s in segments):
        raise InputError(f"{key[:_MAX_KEY]!r} is not a storage key", code="bad-key")
    return key


def no_such_key(key: str) -> NotFoundError:
    return NotFoundError(f"the storage has no {key!r}", code="no-such-key")


class Stream(ABC):
    """A value on its way. It has no key, and nobody else sees it, until it is published; else it is to be abandoned.

    Not safe to share between threads, but for `read`. After an error nothing more can be written or published.
    """

    @abstractmethod
    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Appends. Raises StorageError."""

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes:
        """What was written, or less of it at the end."""

    @abstractmethod
    def publish(self, key: str) -> bool:
        """Makes the value durable, then gives it its key; False, and the value gone, where the key exists.

        Raises StorageError; then there may be a half-written file that nothing reads, and never half a value.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Takes away what was written; nothing after `publish`."""


class Storage(ABC):
    """Bytes by key. Every method raises InputError for a malformed key and StorageError where the disk refuses.

    A value appears whole or not at all. Once a method has returned, what it wrote survives power loss.
    """

    @abstractmethod
    def get(self, key: str) -> bytes:
        """The value. Raises NotFoundError."""

    @abstractmethod
    def get_range(self, key: str, offset: int, length: int) -> bytes:
        """``value[offset:offset + length]``, fewer bytes at the end. Raises NotFoundError."""

    @abstractmethod
    def put_if_absent(self, key: str, chunks: Chunks) -> bool:
        """Stores the joined chunks; False, and nothing changed, where the key exists. Atomic among all writers.

        ``chunks`` are asked for only where the key is absent, so a generator costs nothing where it is not.
        Also after False the key's value is durable: whoever else wrote it may not have got that far.
        """

    @abstractmethod
    def touch(self, key: str) -> None:
        """Makes sure that a value that is there is durable: whoever wrote it may not have got that far. Within a batch
        it is when the batch is."""

    @abstractmethod
    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        """Sets the value to ``new`` if it is ``expected`` (None: absent); else False. Atomic among all writers."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether `get` would find a value."""

    @abstractmethod
    def size(self, key: str) -> int:
        """Length of the value in bytes. Raises NotFoundError."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[str]:
        """Keys that begin with ``prefix``, sorted."""

    @abstractmethod
    def delete(self, *keys: str) -> None:
        """Removes keys, one after the other. Raises NotFoundError at the first that is not there."""

    @abstractmethod
    def stream(self, directory: str) -> Stream:
        """A new value below the key ``directory`` that is written piece by piece, and named at the end."""

    def batch(self) -> AbstractContextManager[None]:
        """Puts within the context may be written together. They are durable when it has been left without an error;
        with an error none, some or all of them may be there, each whole. `compare_and_swap` has no place within it,
        nor has a second thread that does not know of the batch. Within a batch its own puts can be read."""
        return nullcontext()
