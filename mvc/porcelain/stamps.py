"""What of a checkpoint's files changes whenever somebody writes to them. Owns the comparison; opens no file.

Taken by ``stat`` alone, so that it costs nothing and works on network file systems too. Hidden files are no part of a
checkpoint and none of its stamp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mvc.formats import NESTED

#: path within the checkpoint (of one that is a file '.') → size, time of the last change in nanoseconds, inode
Stamp = dict[str, tuple[int, int, int]]


def stamp_of(path: Path) -> Stamp:
    """Stamp of the checkpoint that a file or a directory is; other directories in that are none of its own. Files that
    vanish meanwhile are left out.

    Raises OSError where there is nothing at ``path``.
    """
    return dict(_below(path, "", NESTED)) if path.is_dir() else {".": _look(os.stat(path))}


def tree_stamp(directory: Path) -> Stamp:
    """Stamp of all files below a directory. Raises OSError where there is none."""
    return dict(_below(directory, "", ("",)))


def as_it_was(before: Stamp, now: Stamp) -> bool:
    """Whether everything that there was is unchanged. More may have come: in distributed training each process adds
    its own random state to a checkpoint, in its own time."""
    return all(now.get(name) == value for name, value in before.items())


def _below(directory: Path, prefix: str, entered: tuple[str, ...]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """``entered``: starts of names of the directories that are looked into."""
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        try:
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name, _look(os.stat(entry.path))
            elif entry.name.startswith(entered):
                yield from _below(Path(entry.path), f"{prefix}{entry.name}/", entered)
        except OSError:
            continue


def _look(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino
