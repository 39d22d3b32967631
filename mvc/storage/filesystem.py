"""The only door to the disk. Owns one method for every operation that can fail on its own; decides nothing.

Everything that mvc writes goes through a `FileSystem`, so that a test can hand over one that fails, tears or drops any
single operation (``mvc.testing.faults``). Methods raise plain OSError; ``mvc.storage.files`` makes it an mvc error.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class FileSystem:
    """The operating system's files. Stateless; safe to share between threads."""

    #: fsyncs of a batch that are worth running at once; 0: each in its turn, so that the order of operations is fixed
    sync_threads = 8

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a regular file from ``offset``, at most ``length``. Never blocks on a FIFO."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(f"{path} is not a regular file")
            if offset:
                file.seek(offset)
            if length is None:
                return file.read()
            parts = []
            while length > 0 and (part := file.read(length)):
                parts.append(part)
                length -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def stat(self, path: Path) -> os.stat_result:
        """Of the name itself: a symbolic link is not followed."""
        return os.lstat(path)

    def list_directory(self, path: Path) -> list[str]:
        """Names in a directory, sorted."""
        return sorted(os.listdir(path))

    def create(self, path: Path, mode: int = 0o666) -> int:
        """Descriptor of a new, empty file. Raises FileExistsError for any existing name, a dangling link included."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """All of ``data``."""
        view = memoryview(data).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]

    def fsync(self, descriptor: int) -> None:
        """The file's content is on the disk, or OSError; a second try after a failure proves nothing."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Atomic rename over whatever stood at ``target``."""
        os.replace(source, target)

    def rename_directory(self, source: Path, target: Path) -> None:
        """Atomic rename. Raises OSError where ``target`` is anything but an empty directory."""
        os.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        """A second name for ``source``. Raises FileExistsError where ``target`` exists."""
        os.link(source, target, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        os.unlink(path)

    def make_directory(self, path: Path) -> None:
        os.mkdir(path)

    def remove_directory(self, path: Path) -> None:
        """Only an empty one."""
        os.rmdir(path)

    def fsync_directory(self, path: Path) -> None:
        """The names in a directory are on the disk, or OSError."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


#: the real one; what everything uses that is not handed another
REAL = FileSystem()
