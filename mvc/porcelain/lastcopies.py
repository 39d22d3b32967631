"""Copies of the last checkpoints that were committed from files which are written over again and again. Owns for how
long they are kept, and how much room they may take.

Of such a file the store alone has what was in it before, as a difference from what was in it before that, and so on; in
a new process the next commit would decode them all. A copy is a cache beside the index: it is not synced, nothing rests
on it, and it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mvc.errors import MvcError
from mvc.objects import Manifest
from mvc.repository import Repository
from mvc.storage import replace_unsynced

#: a tensor rests on at most two
_COUNT = 2
#: bytes that one copy may have: larger checkpoints are decoded, and the disk is not asked for their room
_LARGEST = 1 << 30
_PREFIX = "last-"
_PIECE = 1 << 20


class LastCopies:
    """Of checkpoints that are one file each, by their digests."""

    def __init__(self, repository: Repository) -> None:
        self._fs = repository.fs
        self._directory = repository.layout.index.parent

    def find(self, files: Mapping[str, tuple[int, str]]) -> Path | None:
        """The copy of a checkpoint of these files, name → size and digest; its content is not checked."""
        if files.keys() != {""}:
            return None
        path = self._path(files[""][1])
        return path if path.is_file() else None

    def keep(self, taken: Sequence[tuple[Path, Manifest]]) -> None:
        """Copies the last of these checkpoints, as far as the disk lets it, and takes the place of earlier copies."""
        fit = [(path, manifest.files[0].digest) for path, manifest in taken if _fits(manifest)][-_COUNT:]
        with contextlib.suppress(MvcError, OSError):
            for path, digest in fit:
                replace_unsynced(self._fs, self._path(digest), _pieces(path))
            if fit:
                self._forget({self._path(digest).name for _, digest in fit})

    def _forget(self, new: set[str]) -> None:
        """Removes all copies but ``new`` ones and, if there is room, the newest others."""
        kept = [name for name in self._fs.list_directory(self._directory) if name.startswith(_PREFIX)]
        old = sorted(
            (name for name in kept if name not in new),
            key=lambda name: self._fs.stat(self._directory / name).st_mtime_ns,
        )
        for name in old[: max(0, len(old) - (_COUNT - len(new)))]:
            self._fs.unlink(self._directory / name)

    def _path(self, digest: str) -> Path:
        return self._directory / f"{_PREFIX}{digest}"


def _fits(manifest: Manifest) -> bool:
    return len(manifest.files) == 1 and not manifest.files[0].path and manifest.files[0].size <= _LARGEST


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
