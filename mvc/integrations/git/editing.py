"""Files of a git repository that mvc changes, and changes back. Owns the record of how each one was found.

The record lies in git's directory (``mvc/found.json``): whether a file was there, what was put into it, and whether it
had lines of ours already, as a clone's .gitattributes has: those stay. A change is one rename, under git's own lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mvc.errors import BusyError, InputError
from mvc.integrations.git.blocks import has_block, with_block, without_block
from mvc.storage import REAL, atomic_write, disk_errors, make_directories


class Edits:
    """What was changed, as it is remembered in ``directory``: git's directory of mvc."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / "found.json"
        self._found: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            try:
                self._found = dict(json.loads(self._file.read_text("utf-8")))
            except (ValueError, TypeError):
                hint = "remove it, run mvc git install, and see with git status what it changed"
                raise InputError(f"{str(self._file)!r} is damaged", hint=hint) from None

    def put(self, path: Path, lines: Sequence[str]) -> None:
        """Sees that a file has these lines between markers of ours; it is made where it is not there."""
        path = Path(os.path.realpath(path))  # of a link, what it leads to: the link stays
        text = path.read_bytes() if path.exists() else None
        found = self._remember(path, {"there": text is not None, "block": has_block(text or b"")})
        if not found["block"]:
            self._found[self._key(path)]["lines"] = list(lines)
            self._save()
            if (new := with_block(text or b"", lines)) != text:
                replace_file(path, new)

    def make_directory(self, path: Path) -> None:
        """Sees that a directory is there."""
        if not path.is_dir():
            self._remember(path, {"there": False, "block": False})
            make_directories(REAL, path)

    def take_back(self) -> Iterator[Path]:
        """Puts everything right again; yields the paths of what was changed."""
        for key, found in list(self._found.items()):
            path = Path(os.path.normpath(self._directory / key))
            if path.is_dir() and not found["there"]:
                with contextlib.suppress(OSError):  # others may have put something into it
                    path.rmdir()
            elif path.is_file() and not found["block"]:
                text = path.read_bytes()
                new = without_block(text, found.get("lines", ()))
                if not new and not found["there"]:
                    with disk_errors(path, "remove"):
                        path.unlink()
                elif new != text:
                    replace_file(path, new)
                yield path
            del self._found[key]
            self._save()

    def _key(self, path: Path) -> str:
        return os.path.relpath(path, self._directory)

    def _remember(self, path: Path, found: dict[str, Any]) -> dict[str, Any]:
        """How a path was found first."""
        kept = self._found.setdefault(self._key(path), found)
        self._save()
        return kept

    def _save(self) -> None:
        make_directories(REAL, self._directory)
        atomic_write(REAL, self._file, (json.dumps(self._found).encode("ascii"),), overwrite=True)


def replace_file(path: Path, content: bytes) -> None:
    """Gives a file new content, all of it or none, and leaves its mode.

    Raises BusyError where git, or another mvc, is changing it; StorageError.
    """
    lock = path.with_name(f"{path.name}.lock")  # as git names it
    with disk_errors(path, "write"):
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            hint = f"run the command again; if no git is running, remove {str(lock)!r}"
            raise BusyError(f"another process is changing {str(path)!r}", hint=hint) from None
        try:
            mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
            atomic_write(REAL, path, (content,), overwrite=True)
            if mode is not None:
                path.chmod(mode)
        finally:
            lock.unlink()
