"""Digests of files, remembered between runs, as git remembers what it has looked at. Owns when one may be believed.

A file whose size, times, inode and device are those of the last time is not read again. What cannot be told apart so is
a file that was written to once more within the tick of the clock in which it was looked at, which no stamp shows: as
git does with its "racily clean" entries, a digest counts only if the file was at rest for longer than a tick when it
was read, and when the digests were saved. It is a cache: losing it costs reading. Files that are gone are forgotten,
some at each saving, so that this takes no longer however many are remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from mvc.errors import MvcError
from mvc.formats import INDEX_SUFFIX
from mvc.porcelain.pointers import Content
from mvc.repository import Repository
from mvc.storage import replace_unsynced

#: size, times of change of the content and of anything, inode, device; times in nanoseconds
Stamp = tuple[int, int, int, int, int]
#: stamp, digest, whether the file was at rest
_Entry = tuple[Stamp, str, bool]

#: files that are remembered, and those of them that each saving looks for
_MOST, _LOOKED_FOR = 1 << 16, 256
#: a tick of the clocks that file systems have; and of those that know whole seconds, or two of them
_TICK, _COARSE = 100_000_000, 2_000_000_000


class Digests:
    """``verify``: every file is read, and remembered anew."""

    def __init__(self, repository: Repository, *, verify: bool = False) -> None:
        self._fs = repository.fs
        self._file = repository.layout.index.parent / "digests.json"
        self._old: Mapping[str, _Entry] = {} if verify else self._read()
        self._new: dict[str, _Entry] = {}

    def known(self, path: Path) -> tuple[int, str] | None:
        """Size and digest of the file under a path, if it is as it was; None where it must be read."""
        found = self._found(path)
        return None if found is None or not found[2] else (found[0][0], found[1])

    def likely(self, path: Path) -> tuple[int, str] | None:
        """The same of a file that may have been written to again within the tick in which it was read."""
        found = self._found(path)
        return None if found is None else (found[0][0], found[1])

    def _found(self, path: Path) -> _Entry | None:
        key = os.path.abspath(path)
        found = self._new.get(key) or self._old.get(key)
        return None if found is None or found[0] != stamp_of(path) else found

    def content(self, path: Path) -> Content | None:
        """Content of the checkpoint that one file is, if that is as it was; None where it must be opened."""
        if path.name.endswith(INDEX_SUFFIX):
            return None  # it stands for its shards
        try:
            found = self.known(path)
        except (OSError, ValueError):
            return None  # opening it says what is wrong
        return None if found is None else (("", *found),)

    def of(self, path: Path, compute: Callable[[], str]) -> str:
        """Digest of the file under a path, computed only if it must be."""
        found = self.known(path)
        return found[1] if found is not None else self.read(path, compute)

    def read(self, path: Path, compute: Callable[[], str]) -> str:
        """Digest of the file under a path, computed and remembered."""
        with self.looking_at(path) as remember:
            digest = compute()
            remember(digest)
        return digest

    @contextlib.contextmanager
    def looking_at(self, path: Path) -> Iterator[Callable[[str], None]]:
        """Gives what is to be called with the digest of the file under a path, once that was read from here on."""
        now, stamp = time.time_ns(), stamp_of(path)

        def remember(digest: str) -> None:
            if stamp == stamp_of(path):
                self._new[os.path.abspath(path)] = stamp, digest, _settled(stamp, now)

        yield remember

    def save(self) -> None:
        """As far as the disk lets it: a repository that cannot be written to still has a status."""
        if any(self._old.get(key) != value for key, value in self._new.items()):
            with contextlib.suppress(MvcError, OSError):
                payload = json.dumps(self._kept()).encode("ascii")
                replace_unsynced(self._fs, self._file, (payload,))

    def _kept(self) -> dict[str, _Entry]:
        """What goes on to be remembered, those that were looked for the longest ago first."""
        others = ((key, value) for key, value in self._old.items() if key not in self._new)
        there = {key: value for key, value in islice(others, _LOOKED_FOR) if os.path.lexists(key)}
        rest = [*others, *there.items(), *self._new.items()]
        return dict(rest[-_MOST:])

    def _read(self) -> dict[str, _Entry]:
        try:
            # of the file system's own clock, which on a network is another one than this machine's
            saved = self._fs.stat(self._file).st_mtime_ns
            loaded = json.loads(self._fs.read(self._file))
            found = {
                str(key): ((*map(int, stamp),), str(digest), bool(rested))
                for key, (stamp, digest, rested) in loaded.items()
            }
        except (OSError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return {}
        return {
            key: (stamp, digest, rested and _settled(stamp, saved))
            for key, (stamp, digest, rested) in found.items()
            if len(stamp) == 5
        }


def stamp_of(path: Path) -> Stamp:
    """What of a file changes whenever it is written to."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def _settled(stamp: Stamp, now: int) -> bool:
    """Whether a file had been at rest for a tick at ``now``, in nanoseconds."""
    _, *times, _, _ = stamp
    tick = _COARSE if all(moment % 1_000_000_000 == 0 for moment in times) else _TICK
    return max(times) + tick < now
