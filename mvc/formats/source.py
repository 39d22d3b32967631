"""An open regular file, read by position. Owns opening without blocking, bounded reads and the detection of change.

Refuses everything that is not a regular file (FIFO, device, socket, directory, dangling or looping symlink). Never
maps a file into memory: a mapped file that somebody truncates kills the process.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mvc.errors import ChangedError, FormatError, NotFoundError

#: most bytes that one system call is asked for (Linux stops short of 2 GiB)
_CALL = 1 << 30
#: bytes per piece where a file is streamed
CHUNK = 1 << 20


def printable(path: Path | str) -> str:
    """A path or name as it may stand in a message: quoted, ASCII, controls escaped, shortened in the middle."""
    text = ascii(str(path))
    return text if len(text) <= 200 else f"{text[:120]}...{text[-60:]}"


class FileSource:
    """``size`` bytes under ``path``. Raises FormatError or NotFoundError on opening."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _open_regular(path)
        self._status = os.fstat(self._fd)
        self.size = self._status.st_size

    @property
    def stamp(self) -> tuple[int, ...]:
        """What of the file changes whenever it is written to."""
        status = self._status
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """Exactly ``length`` bytes at ``offset``. Raises ChangedError where the file is no longer as it was opened."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise FormatError(f"{printable(self.path)} refers to bytes beyond its end")
        if length <= _CALL:
            piece = self._call(offset, length)
            if len(piece) == length:
                self._check_descriptor()
                return piece
        buffer = bytearray(length)
        view = memoryview(buffer)
        done = 0
        while done < length:
            got = self._call(offset + done, min(_CALL, length - done))
            if not got:
                raise self._changed()
            view[done : done + len(got)] = got
            done += len(got)
        self._check_descriptor()
        return view.toreadonly()

    def chunks(self, offset: int, length: int) -> Iterator[bytes | memoryview]:
        """The same bytes in pieces of at most CHUNK."""
        for start in range(offset, offset + length, CHUNK):
            yield self.read(start, min(CHUNK, offset + length - start))

    def verify_unchanged(self) -> None:
        """Raises ChangedError where the file was written to, or its path now leads elsewhere."""
        self._check_descriptor()
        try:
            now = os.stat(self.path)
        except OSError:
            raise self._changed() from None
        if (now.st_ino, now.st_dev) != (self._status.st_ino, self._status.st_dev):
            raise self._changed()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _call(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            raise FormatError(
                f"{printable(self.path)} cannot be read: {error.strerror}", hint="check the disk that holds it"
            ) from None

    def _check_descriptor(self) -> None:
        now, then = os.fstat(self._fd), self._status
        if (now.st_size, now.st_mtime_ns) != (then.st_size, then.st_mtime_ns):
            raise self._changed()

    def _changed(self) -> ChangedError:
        return ChangedError(
            f"{printable(self.path)} changed while it was read", hint="wait until it is written, then run this again"
        )

    def __del__(self) -> None:
        # a reader that raised half-way through its constructor leaves its source to the collector
        if getattr(self, "_fd", -1) >= 0:
            self.close()


def _open_regular(path: Path) -> int:
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        if path.is_symlink():
            raise FormatError(
                f"{printable(path)} is a symbolic link to a file that is not there", hint="fetch the file it points to"
            ) from None
        raise NotFoundError(f"there is no file {printable(path)}", hint="check the path") from None
    except ValueError:
        raise NotFoundError(f"{printable(path)} cannot be a path", hint="check the path") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FormatError(
                f"{printable(path)} is a symbolic link that leads back to itself", hint="remove the link"
            ) from None
        raise FormatError(
            f"{printable(path)} cannot be opened: {error.strerror}", hint="check its permissions"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FormatError(f"{printable(path)} is not a regular file", hint="name a checkpoint file")
    return descriptor
