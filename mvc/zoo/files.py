"""Writing a zoo's files: whole or not at all. Owns nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from mvc.errors import StorageError


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
        beside.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
