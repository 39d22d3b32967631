"""What is in the way among the objects, and where it goes. Owns the names in ``quarantine/``; deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mvc.odb import loose_key
from mvc.repository.repository import Repository
from mvc.storage import TEMPORARY, disk_errors, exists, temporary_name


def quarantine(repository: Repository, path: Path) -> None:
    """Moves a file out of the way, durably, under a name that tells where it was. Raises StorageError."""
    fs, name = repository.fs, path.relative_to(repository.directory).as_posix().replace("/", "-")
    target = repository.layout.quarantine / name
    with disk_errors(path, "quarantine"):
        if exists(fs, target):
            token = temporary_name(target).name.removeprefix(TEMPORARY)
            target = target.with_name(f"{name}-{token}")
        fs.replace(path, target)
        fs.fsync_directory(target.parent)
        fs.fsync_directory(path.parent)


def strays(repository: Repository) -> Iterator[Path]:
    """Files among the objects that have no object's or pack's name."""
    odb = repository.odb
    known = {*map(loose_key, odb.ids()), *odb.packs, *odb.damaged_packs}
    for directory in ("objects/", "packs/"):
        for key in repository.storage.list(directory):
            if key not in known:
                yield repository.directory / key
