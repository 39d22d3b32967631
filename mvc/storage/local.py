"""Storage in a directory: one file a key. Owns the mapping of keys to paths and durability on a local disk.

Files appear whole (see ``mvc.storage.files``) and are never written to again, so readers need no lock.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from mvc.errors import StorageError
from mvc.storage.base import Chunks, Storage, Stream, check_key, no_such_key
from mvc.storage.batches import WriteBatch
from mvc.storage.files import TEMPORARY, atomic_write, disk_errors, exists, make_directories
from mvc.storage.filesystem import REAL, FileSystem
from mvc.storage.streams import ONCE, LocalStream

#: serialises `compare_and_swap` between processes; no key begins with a dot
_SWAP_LOCK = ".swap.lock"


class LocalStorage(Storage):
    """Bytes by key under the directory ``root``, which must exist."""

    def __init__(self, root: Path, *, fs: FileSystem = REAL) -> None:
        self.root = root
        self._fs = fs
        self._batch: WriteBatch | None = None

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _where(self, key: str) -> Path:
        path = self._path(key)
        return path if self._batch is None else self._batch.where(path)

    def get(self, key: str) -> bytes:
        return self._read(key, 0, None)

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        return self._read(key, offset, length)

    def _read(self, key: str, offset: int, length: int | None) -> bytes:
        path = self._where(key)
        with disk_errors(path, "read"):
            try:
                return self._fs.read(path, offset, length)
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_key(key) from None

    def put_if_absent(self, key: str, chunks: Chunks) -> bool:
        path = self._path(key)
        if self._batch is None:
            with self._open_batch(threads=0):
                return self.put_if_absent(key, chunks)
        batch = self._batch
        with disk_errors(path, "write"):
            known = batch.where(path) != path or exists(self._fs, path)
            if known:
                self._touch_up(batch, path.parent)
                return False
            self._make_directories(batch, path.parent)
            batch.add(path, chunks, ONCE)
            return True

    def touch(self, key: str) -> None:
        path = self._path(key)
        if self._batch is not None:
            self._touch_up(self._batch, path.parent)
            return
        with self._open_batch(threads=0):
            self.touch(key)

    def _touch_up(self, batch: WriteBatch, directory: Path) -> None:
        """Another process may have named this key, or a directory above it, without having synced that yet."""
        while directory != self.root:
            batch.touch(directory)
            directory = directory.parent
        batch.touch(self.root)

    def _make_directories(self, batch: WriteBatch, directory: Path) -> None:
        if directory == self.root or exists(self._fs, directory):
            return
        self._make_directories(batch, directory.parent)
        with contextlib.suppress(FileExistsError):
            self._fs.make_directory(directory)
        self._touch_up(batch, directory)

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        if self._batch is not None:
            raise StorageError("a pointer cannot move while a batch is open", hint="leave the batch first")
        path = self._path(key)
        with disk_errors(path, "write"), FileLock(self.root / _SWAP_LOCK):
            try:
                current = self._fs.read(path)
            except FileNotFoundError:
                current = None
            if current != expected:
                return False
            atomic_write(self._fs, path, (new,), overwrite=True)
            return True

    def exists(self, key: str) -> bool:
        path = self._where(key)
        with disk_errors(path, "read"):
            return exists(self._fs, path)

    def size(self, key: str) -> int:
        path = self._where(key)
        with disk_errors(path, "read"):
            try:
                return self._fs.stat(path).st_size
            except (FileNotFoundError, NotADirectoryError):
                raise no_such_key(key) from None

    def list(self, prefix: str = "") -> Iterator[str]:
        directory, _, start = prefix.rpartition("/")
        if directory:
            check_key(directory)
        pending = [path.relative_to(self.root).as_posix() for path in self._batch.pending()] if self._batch else []
        found = {key for key in pending if key.startswith(prefix)}
        found.update(self._walk(directory, start))
        yield from sorted(found)

    def _walk(self, directory: str, start: str) -> Iterator[str]:
        path = self.root / directory
        with disk_errors(path, "list"):
            try:
                names = self._fs.list_directory(path)
            except (FileNotFoundError, NotADirectoryError):
                return
            for name in names:
                if not name.startswith(start) or name.startswith((TEMPORARY, ".")):
                    continue
                key = f"{directory}/{name}" if directory else name
                try:
                    mode = self._fs.stat(path / name).st_mode
                except FileNotFoundError:
                    mode = stat.S_IFREG  # deleted since; who lists keys learns of it when they are read, as ever
                if stat.S_ISDIR(mode):
                    yield from self._walk(key, "")
                elif stat.S_ISREG(mode):
                    yield key

    def delete(self, *keys: str) -> None:
        paths = [self._path(key) for key in keys]
        for key, path in zip(keys, paths, strict=True):
            with disk_errors(path, "delete"):
                try:
                    self._fs.unlink(path)
                except (FileNotFoundError, NotADirectoryError):
                    raise no_such_key(key) from None
        for directory in dict.fromkeys(path.parent for path in paths):
            with disk_errors(directory, "write to"):
                self._fs.fsync_directory(directory)

    def stream(self, directory: str) -> Stream:
        path = self._path(directory)
        with disk_errors(path, "write"):
            make_directories(self._fs, path)
            return LocalStream(self._fs, self.root, path)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Puts within are written at once, but named only when all of them are on the disk. Inner batches join in."""
        if self._batch is not None:
            yield
            return
        with self._open_batch(self._fs.sync_threads):
            yield

    @contextlib.contextmanager
    def _open_batch(self, threads: int) -> Iterator[None]:
        self._batch = batch = WriteBatch(self._fs, threads)
        try:
            yield
            batch.finish()
        except BaseException:
            batch.abandon()
            raise
        finally:
            self._batch = None

    def temporary_files(self, prefix: str = "") -> Iterator[Path]:
        """Half-written files, wherever they lie below ``prefix``, a directory's key. A writer may still be at them."""
        path = self.root / prefix
        with disk_errors(path, "list"):
            for name in self._fs.list_directory(path):
                if name.startswith(TEMPORARY):
                    yield path / name
                elif stat.S_ISDIR(self._fs.stat(path / name).st_mode):
                    yield from self.temporary_files(f"{prefix}/{name}" if prefix else name)
