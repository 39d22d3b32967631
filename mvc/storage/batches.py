"""Many new files made durable together. Owns the order: every file synced, then every name given, then every directory
synced; refuses to name any file before all are on the disk.

An fsync for each file is what a batch costs, so they run in threads while the next file is written. The descriptor that
wrote a file is the one that syncs it: only that one is sure to hear of a failed write.
"""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mvc.storage.base import Chunks
from mvc.storage.files import discard, disk_errors, publish, write_temporary
from mvc.storage.filesystem import FileSystem

#: files written but not yet synced, each with an open descriptor
_MAX_UNSYNCED = 64


class WriteBatch:
    """Files on their way. ``threads`` = 0 syncs each one where it is written, in a fixed order, for tests."""

    def __init__(self, fs: FileSystem, threads: int) -> None:
        self._fs = fs
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mvc-fsync") if threads else None
        self._slots = threading.BoundedSemaphore(_MAX_UNSYNCED)
        self._files: list[tuple[Path, Path]] = []
        self._temporaries: dict[Path, Path] = {}
        self._directories: set[Path] = set()
        self._syncs: list[Future[None]] = []

    def where(self, path: Path) -> Path:
        """Where the bytes that belong at ``path`` lie now."""
        return self._temporaries.get(path, path)

    def pending(self) -> list[Path]:
        return list(self._temporaries)

    def touch(self, directory: Path) -> None:
        """``directory`` is synced with the batch, even if the batch adds nothing to it."""
        self._directories.add(directory)

    def add(self, path: Path, chunks: Chunks, mode: int) -> None:
        """Writes a file that becomes ``path`` when the batch is finished."""
        self._slots.acquire()
        try:
            temporary, descriptor = write_temporary(self._fs, path.parent, chunks, mode)
        except BaseException:
            self._slots.release()
            raise
        self._files.append((temporary, path))
        self._temporaries[path] = temporary
        self.touch(path.parent)
        if self._pool is None:
            self._sync(descriptor)
        else:
            self._syncs.append(self._pool.submit(self._sync, descriptor))

    def _sync(self, descriptor: int) -> None:
        try:
            self._fs.fsync(descriptor)
        finally:
            self._slots.release()
            self._fs.close(descriptor)

    def finish(self) -> None:
        """Everything added is durable on return. Raises StorageError; then the batch is to be abandoned."""
        for sync, (_, path) in zip(self._syncs, self._files, strict=False):
            with disk_errors(path, "write"):
                sync.result()
        while self._files:
            temporary, path = self._files[-1]
            with disk_errors(path, "write"):
                publish(self._fs, temporary, path, overwrite=False)
            self._files.pop()
        # deepest first: a directory is named in its parent only when what it names is on the disk
        for directory in sorted(self._directories, key=lambda path: len(path.parts), reverse=True):
            with disk_errors(directory, "write to"):
                self._fs.fsync_directory(directory)
        self.close()

    def abandon(self) -> None:
        """Removes what was not given its name."""
        for sync in self._syncs:
            with contextlib.suppress(Exception):
                sync.result()
        for temporary, _ in self._files:
            discard(self._fs, temporary)
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
