"""A file that is written piece by piece and named when it is whole. Owns its write order, that of every other file:
written under a temporary name, synced, named, its directory synced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mvc.errors import StorageError
from mvc.storage.base import Stream, check_key
from mvc.storage.files import discard, disk_errors, publish, write_temporary
from mvc.storage.filesystem import FileSystem

#: values that are written once are read-only, as git's objects are
ONCE = 0o444
#: bytes up to which pieces are joined for one write
_JOIN = 1 << 16


class LocalStream(Stream):
    """A new file in ``directory``, for a key below ``root``."""

    def __init__(self, fs: FileSystem, root: Path, directory: Path) -> None:
        self._fs, self._root = fs, root
        self._path, descriptor = write_temporary(fs, directory, (), ONCE)
        self._descriptor: int | None = descriptor
        self._failed = self._named = False

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        descriptor = self._usable()
        joined = (b"".join(chunks),) if sum(map(len, chunks)) <= _JOIN else chunks
        try:
            with disk_errors(self._path, "write"):
                for chunk in joined:
                    self._fs.write(descriptor, chunk)
        except BaseException:
            self._failed = True  # a piece may be there in part
            raise

    def read(self, offset: int, length: int) -> bytes:
        with disk_errors(self._path, "read"):
            return self._fs.read(self._path, offset, length)

    def publish(self, key: str) -> bool:
        descriptor, path = self._usable(), self._root / check_key(key)
        self._failed = True
        with disk_errors(path, "write"):
            self._fs.fsync(descriptor)
            self._descriptor = None
            self._fs.close(descriptor)
            new = publish(self._fs, self._path, path, overwrite=False)
            self._named = True
            self._fs.fsync_directory(path.parent)
        return new

    def abandon(self) -> None:
        if not self._named:
            descriptor, self._descriptor = self._descriptor, None
            self._failed = self._named = True
            discard(self._fs, self._path, descriptor)

    def _usable(self) -> int:
        if self._descriptor is None or self._failed:
            raise StorageError("nothing can be added to a file that failed or has its name", hint="start anew")
        return self._descriptor
