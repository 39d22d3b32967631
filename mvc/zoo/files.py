"""A zoo's files: written whole or not at all, read unpacked up to a limit. Owns nothing else."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from pathlib import Path

from mvc.errors import FormatError, StorageError


def write_whole(path: Path, content: bytes) -> None:
    """Replaces ``path`` in one step: whoever is killed here leaves the old file or the new one. Raises StorageError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        hint = "free space, or give a place that you may write to"
        raise StorageError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error
    finally:  # there is nothing to take away but after an error or an interruption
        with contextlib.suppress(OSError):
            beside.unlink()


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
