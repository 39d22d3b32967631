"""Files that are whole or absent. Owns the write order (temporary file, write, fsync, rename, fsync of the directory)
and the wording of disk errors; refuses to call anything written that a failed fsync has put in doubt.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from mvc.errors import ExistsError, StorageError
from mvc.storage.filesystem import FileSystem

#: names that begin so are half-written files: never listed, never read, removed by fsck
TEMPORARY = "tmp-"

_HINTS = {
    errno.ENOSPC: ("the disk is full", "free some space, then run the command again: nothing was changed"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the command again: nothing was changed"),
    errno.EROFS: ("the file system is read-only", "use a writable file system; nothing was changed"),
    errno.EACCES: ("permission denied", "check the owner and the permissions of the path; nothing was changed"),
    errno.EPERM: ("permission denied", "check the owner and the permissions of the path; nothing was changed"),
    errno.EIO: ("the disk reported an input/output error", "check the disk; then run: mvc fsck"),
    errno.ENAMETOOLONG: ("the name is too long", "use a shorter path"),
    errno.EFBIG: ("a file would be larger than allowed", "raise the limit with: ulimit -f unlimited"),
    errno.EMFILE: ("too many open files", "raise the limit with: ulimit -n 4096"),
}
#: a file system that has no hard links
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@contextlib.contextmanager
def disk_errors(path: Path, action: str) -> Iterator[None]:
    """Turns OSError into StorageError: "cannot ``action`` ``path``: why"."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        why, hint = _HINTS.get(number, (error.strerror or str(error), "check the path and the disk"))
        raise StorageError(f"cannot {action} {str(path)!r}: {why}", hint=hint) from error


def temporary_name(directory: Path) -> Path:
    """A fresh name for a half-written file in ``directory``."""
    return directory / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"


def write_temporary(
    fs: FileSystem, directory: Path, chunks: Iterable[bytes | memoryview], mode: int
) -> tuple[Path, int]:
    """A new file with these bytes, not yet synced: its path and its open descriptor. Removed again where that fails."""
    path = temporary_name(directory)
    descriptor = fs.create(path, mode)
    try:
        for chunk in chunks:
            fs.write(descriptor, chunk)
    except BaseException:
        discard(fs, path, descriptor)
        raise
    return path, descriptor


def discard(fs: FileSystem, path: Path, descriptor: int | None = None) -> None:
    """Removes a half-written file as far as the disk lets it; what stays behind is fsck's to clear."""
    if descriptor is not None:
        with contextlib.suppress(OSError):
            fs.close(descriptor)
    with contextlib.suppress(OSError):
        fs.unlink(path)


def publish(fs: FileSystem, temporary: Path, path: Path, *, overwrite: bool) -> bool:
    """Gives a synced file its name; False where the name is taken and ``overwrite`` is not set. The temporary is gone.

    Without hard links the name is looked up first, which two processes can do at once: mvc's own writers hold a lock.
    """
    try:
        if overwrite:
            fs.replace(temporary, path)
            return True
        try:
            fs.link(temporary, path)
        except FileExistsError:
            fs.unlink(temporary)
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if exists(fs, path):
                fs.unlink(temporary)
                return False
            fs.replace(temporary, path)
            return True
        fs.unlink(temporary)
        return True
    except BaseException:
        discard(fs, temporary)
        raise


def atomic_write(
    fs: FileSystem, path: Path, chunks: Iterable[bytes | memoryview], *, overwrite: bool, mode: int = 0o666
) -> None:
    """Writes a file durably: after return it survives power loss; after an error the old state stands.

    ``mode`` is lessened by the umask. Raises ExistsError where ``path`` exists and ``overwrite`` is not set, and
    StorageError where the disk refuses. A symbolic link at ``path`` is replaced, never followed.
    """
    with disk_errors(path, "write"):
        temporary, descriptor = write_temporary(fs, path.parent, chunks, mode)
        try:
            fs.fsync(descriptor)
        except BaseException:
            discard(fs, temporary, descriptor)
            raise
        try:
            fs.close(descriptor)
        except BaseException:
            discard(fs, temporary)  # without the descriptor: it is closed all the same
            raise
        if not publish(fs, temporary, path, overwrite=overwrite):
            raise ExistsError(f"{str(path)!r} already exists", hint="choose another name, or ask to overwrite")
        fs.fsync_directory(path.parent)


def replace_unsynced(fs: FileSystem, path: Path, chunks: Iterable[bytes | memoryview]) -> None:
    """Writes a cache: whoever reads it sees all or nothing, but after power loss anything, and has to know it from what
    was written. Raises StorageError where the disk refuses."""
    with disk_errors(path, "write"):
        temporary, descriptor = write_temporary(fs, path.parent, chunks, 0o666)
        try:
            fs.close(descriptor)
        except BaseException:
            discard(fs, temporary)
            raise
        publish(fs, temporary, path, overwrite=True)


def exists(fs: FileSystem, path: Path) -> bool:
    """Whether anything has this name, a dangling symbolic link included."""
    try:
        fs.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def make_directories(fs: FileSystem, path: Path) -> None:
    """``path`` and what is missing above it, durably."""
    missing = []
    while not exists(fs, path):
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was faster; its name must be durable all the same
            fs.make_directory(directory)
        fs.fsync_directory(directory.parent)
