"""What of a committed checkpoint lies at a place already. Owns the comparison and completing a directory; a checkout
from a pointer finds its files there, or others in their stead, more often than not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from mvc.errors import ExistsError, MvcError
from mvc.formats import digest_of, open_opaque
from mvc.objects import FileEntry, Manifest
from mvc.porcelain.targets import check_recorded_set
from mvc.storage import FileSystem, atomic_write, make_directories

Standing = Literal["absent", "equal", "other"]


def missing_files(place: Path, manifest: Manifest, *, force: bool) -> Sequence[FileEntry] | None:
    """Files of the checkpoint that are not at ``place`` (a file, or a directory with the files in it).

    None: something else is in the way, and ``force`` says to replace it. Raises ExistsError without ``force``.
    """
    check_recorded_set(file.path for file in manifest.files if file.path)
    found = [(file, _standing(place, file)) for file in manifest.files]
    other = next((file for file, standing in found if standing == "other"), None)
    if other is None:
        return [file for file, standing in found if standing == "absent"]
    if force:
        return None
    raise ExistsError(
        f"{str(place / other.path if other.path else place)!r} is there with other content",
        hint=f"overwrite it with --force, or keep it: mvc commit --pointer {str(place)!r}",
    )


def complete(
    fs: FileSystem,
    place: Path,
    files: Iterable[FileEntry],
    read: Callable[[FileEntry], Iterator[bytes | memoryview]],
) -> Sequence[Path]:
    """Writes files that a directory lacks, each whole or not at all; an index of shards last, so that a checkpoint
    that is not all there does not look like one."""
    written = []
    for file in sorted(files, key=lambda file: (file.path.endswith(".json"), file.path)):
        path = place / file.path
        make_directories(fs, path.parent)
        atomic_write(fs, path, read(file), overwrite=False)
        written.append(path)
    return written


def _standing(place: Path, file: FileEntry) -> Standing:
    path = place / file.path if file.path else place
    if file.path and not _stays(place, path):
        return "other"
    if not os.path.lexists(path):
        return "absent"
    try:
        with open_opaque(path) as opened:
            return "equal" if opened.size == file.size and digest_of(opened) == file.digest else "other"
    except MvcError:
        return "other"  # no regular file


def _stays(place: Path, path: Path) -> bool:
    """Whether the way to a file inside ``place`` is one of directories, not of links or files."""
    ways = [place, *(parent for parent in path.parents if parent.is_relative_to(place))]
    return all(way.is_dir() and not way.is_symlink() for way in ways if os.path.lexists(way))
