"""A zoo's files: written whole or not at all, read unpacked up to a limit. Owns nothing else."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from mvc.errors import FormatError
from mvc.storage import REAL, atomic_write, disk_errors, make_directories


def write_whole(path: Path, content: bytes) -> None:
    """Replaces ``path`` in one step: whoever is killed here leaves the old file or the new one. Raises StorageError."""
    with disk_errors(path, "write"):
        make_directories(REAL, path.parent)
    atomic_write(REAL, path, (content,), overwrite=True)


def read_limited(path: Path, limit: int) -> bytes:
    """A file's content, unpacked if its name ends in .gz. Raises FormatError for damage and for more than ``limit``."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw: bytes = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: cannot be read: {error}") from error
    if len(raw) > limit:
        raise FormatError(f"{path}: more than {limit:,} bytes")
    return raw
