"""Storage in a dict, for tests and scratch repositories. Owns nothing that outlives its process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from mvc.storage.base import Chunks, Storage, Stream, check_key, no_such_key


class MemoryStorage(Storage):
    """Bytes by key in memory. Safe to share between threads."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes:
        try:
            return self._values[check_key(key)]
        except KeyError:
            raise no_such_key(key) from None

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        return self.get(key)[offset : offset + length]

    def put_if_absent(self, key: str, chunks: Chunks) -> bool:
        if self.exists(key):
            return False
        value = b"".join(chunks)
        with self._lock:
            if key in self._values:
                return False
            self._values[key] = value
            return True

    def touch(self, key: str) -> None:
        check_key(key)

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        with self._lock:
            if self._values.get(check_key(key)) != expected:
                return False
            self._values[key] = new
            return True

    def exists(self, key: str) -> bool:
        return check_key(key) in self._values

    def size(self, key: str) -> int:
        return len(self.get(key))

    def list(self, prefix: str = "") -> Iterator[str]:
        yield from sorted(key for key in list(self._values) if key.startswith(prefix))

    def delete(self, *keys: str) -> None:
        for key in keys:
            with self._lock:
                if self._values.pop(check_key(key), None) is None:
                    raise no_such_key(key)

    def stream(self, directory: str) -> Stream:
        return _MemoryStream(self)


class _MemoryStream(Stream):
    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._value = bytearray()

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        for chunk in chunks:
            self._value += chunk

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._value[offset : offset + length])

    def publish(self, key: str) -> bool:
        return self._storage.put_if_absent(key, (bytes(self._value),))

    def abandon(self) -> None:
        self._value.clear()
