"""Writes pointers beside checkpoints and keeps the checkpoints out of git. Owns what is checked before a commit with
pointers begins, and the line in ``.gitignore``.

The pointer is written before the line: weights are never hidden from git while nothing stands for them there. Both are
written again by running the same command again, and only where they are not there yet.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvc.errors import ExistsError, InputError
from mvc.formats import printable
from mvc.porcelain.pointers import Pointer, pointer_path, was_pointer
from mvc.repository import Repository
from mvc.storage import FileSystem, atomic_write, disk_errors, exists

IGNORE = ".gitignore"


@dataclass(frozen=True)
class Place:
    """Where one checkpoint's pointer goes, and the line that hides the checkpoint from git."""

    checkpoint: Path
    pointer: Path
    line: bytes


def find_place(repository: Repository, checkpoint: Path) -> Place:
    """Raises InputError where no pointer can stand for a checkpoint, ExistsError where something else has its name."""
    place = Place(checkpoint, pointer_path(checkpoint), ignore_line(checkpoint))
    pointer = place.pointer
    root = Path(os.path.realpath(repository.root))
    if not Path(os.path.realpath(pointer.parent)).is_relative_to(root):
        raise InputError(
            f"{printable(pointer)} would lie outside the repository, where no command looks for its commit",
            hint="copy the checkpoint into the repository, or run mvc init where it lies",
        )
    if checkpoint.name.endswith(".index.json"):
        hint = f"run: mvc commit --pointer {printable(checkpoint.parent)}"
        raise InputError(f"{printable(checkpoint)} lists the shards of a checkpoint, and is none itself", hint=hint)
    if os.path.lexists(pointer) and not was_pointer(pointer):
        raise ExistsError(f"{printable(pointer)} is there and is no pointer", hint="move it away")
    ignore = pointer.parent / IGNORE
    if os.path.lexists(ignore) and not stat.S_ISREG(os.lstat(ignore).st_mode):
        raise InputError(
            f"{printable(ignore)} is no regular file, so git does not read it", hint="replace it by a file"
        )
    return place


def write_pointer(fs: FileSystem, place: Place, pointer: Pointer) -> None:
    """Writes the pointer durably, then the line. Raises StorageError; running it again completes it."""
    text = pointer.to_bytes()
    if not _holds(fs, place.pointer, text):
        atomic_write(fs, place.pointer, (text,), overwrite=True)
    ignore = place.pointer.parent / IGNORE
    before, mode = _read(fs, ignore)
    after = with_line(before, place.line)
    if after != before:
        atomic_write(fs, ignore, (after,), overwrite=True, mode=mode)


def ignore_line(checkpoint: Path) -> bytes:
    """The pattern that matches just this name in its directory, for ``.gitignore``. Raises InputError."""
    name = os.fsencode(Path(os.path.abspath(checkpoint)).name)
    if b"\n" in name or b"\r" in name:
        raise InputError(
            f"{printable(checkpoint)} has a line break in its name, which .gitignore cannot name",
            hint="rename it, or commit it without --pointer",
        )
    escaped = b"".join(b"\\" + char if char in b"\\*?[" else char for char in _bytes(name))
    # git drops blanks at the end of a line unless each is escaped
    bare = escaped.rstrip(b" ")
    return b"/" + bare + b"\\ " * (len(escaped) - len(bare))


def with_line(content: bytes, line: bytes) -> bytes:
    """``content`` with ``line`` at its end, unless it is in it."""
    if line in (known.removesuffix(b"\r") for known in content.split(b"\n")):
        return content
    separator = b"\n" if content and not content.endswith(b"\n") else b""
    return content + separator + line + b"\n"


def hidden_files(directory: Path, ours: Iterable[str]) -> Sequence[str]:
    """Visible files in a directory that are not the checkpoint's: git loses sight of them with the directory."""
    known = set(ours)
    found: list[str] = []
    for parent, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        paths = (Path(parent, name).relative_to(directory).as_posix() for name in names if not name.startswith("."))
        found.extend(path for path in paths if path not in known)
    return sorted(found)


def _bytes(text: bytes) -> Iterable[bytes]:
    return (text[at : at + 1] for at in range(len(text)))


def _holds(fs: FileSystem, path: Path, text: bytes) -> bool:
    try:
        return stat.S_ISREG(fs.stat(path).st_mode) and fs.read(path, 0, len(text) + 1) == text
    except OSError:
        return False


def _read(fs: FileSystem, path: Path) -> tuple[bytes, int]:
    """Content and mode of the file; nothing, and the usual mode, where it is not there."""
    with disk_errors(path, "read"):
        if not exists(fs, path):
            return b"", 0o666
        return fs.read(path), stat.S_IMODE(fs.stat(path).st_mode)
