"""Checkpoints of git commits, as files. Owns which blobs belong together and the scratch directory that they lie in.

A shard or a trainer's file means nothing alone: where a directory of a commit may be one checkpoint, all of its files
are written. Nothing is written to the git repository or its working tree, and where something is written owes nothing
to directories' names in git. A Git LFS pointer whose object is at hand becomes the object.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import fsencode
from pathlib import Path
from typing import BinaryIO, Protocol

from mvc.errors import FormatError
from mvc.formats import Found, checkpoint_with, may_be_grouped
from mvc.formats.sharded import INDEX_SUFFIX
from mvc.formats.trainer import NESTED
from mvc.integrations.git.reading import Blob

#: bytes that a file system has for a name
_LONGEST = 255


class Files(Protocol):
    """What git commits have of files: a git repository, or what it stands for (``integrations.git.dvc``)."""

    @property
    def lfs(self) -> Path:
        """Where Git LFS keeps objects."""

    def files_in(self, commit: str, directory: str, *, below: bool = False) -> Sequence[Blob]: ...

    def write_blob(self, blob_id: str, target: BinaryIO) -> None:
        """Raises MvcError where its content is not at hand."""


@dataclass(frozen=True)
class Extracted:
    """A checkpoint as the git commit ``git`` has it.

    ``file`` has the content of a file that was asked for, in the stead of git's ``directory``; ``found`` is the
    checkpoint that it is or belongs to, None where it is none (it may be a pointer).
    """

    git: str
    directory: str
    file: Path
    found: Found | None

    @property
    def path(self) -> str:
        """In git: the file, or the directory that is one checkpoint."""
        whole = self.found is not None and self.found.path == self.file.parent
        return self.directory or "." if whole else f"{self.directory}/{self.file.name}".removeprefix("/")

    def told(self, text: str) -> str:
        """A message about the extracted file, as one about the file in git."""
        here = str(self.file.parent)
        return text.replace(f"{here}/", f"{self.directory}/".removeprefix("/")).replace(here, self.directory or ".")


def extract(
    git: Files, blobs: Iterable[Blob], scratch: Path, seen: set[tuple[str, ...]] | None = None
) -> Generator[Extracted, None, None]:
    """Every checkpoint that these files are or belong to, each content of a path once, and none that was ``seen``. A
    checkpoint's files are gone when the next one is asked for, so that the scratch directory never holds more than one.
    """
    # what Git LFS keeps is looked up by the git directory around a pointer: that is one that knows the store
    (scratch / ".git").mkdir(exist_ok=True)
    (scratch / ".git" / "HEAD").touch()
    quoted = str(git.lfs).replace("\\", "\\\\").replace('"', '\\"')
    (scratch / ".git" / "config").write_text(f'[lfs]\nstorage = "{quoted}"\n', "utf-8", "surrogateescape")
    seen = set() if seen is None else seen
    groups: dict[tuple[str, str], Mapping[str, str]] = {}
    for number, blob in enumerate(blobs):
        directory, _, name = _checked(blob.path, blob.commit).rpartition("/")
        if (blob.commit, directory) not in groups:
            groups[blob.commit, directory] = _group(git, blob.commit, directory)
        group = groups[blob.commit, directory]
        if not blob.id and not group:
            continue
        if not blob.id:  # what it belonged to may be incomplete now
            name = min(group, key=lambda path: (not path.endswith(INDEX_SUFFIX), path))
        members = group or {name: blob.id}
        key = (directory if len(members) > 1 else blob.path, *sorted(f"{oid} {path}" for path, oid in members.items()))
        if key in seen:
            continue
        place = scratch / str(number)
        try:
            for path, oid in members.items():
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                with (place / path).open("wb") as file:
                    git.write_blob(oid, file)
            found = checkpoint_with(place / name)
            if not group or (found is not None and found.path == place):
                seen.add(key)
            yield Extracted(blob.commit, directory, place / name, found)
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _group(git: Files, commit: str, directory: str) -> Mapping[str, str]:
    """Path in the directory → id, of files that can only be seen together; empty where each stands for itself."""
    within = len(directory) + 1 if directory else 0
    if not may_be_grouped([blob.path[within:] for blob in git.files_in(commit, directory)]):
        return {}
    below = {blob.path[within:]: blob.id for blob in git.files_in(commit, directory, below=True)}
    return {_checked(path, commit): oid for path, oid in below.items() if "/" not in path or path.startswith(NESTED)}


def _checked(path: str, commit: str) -> str:
    """The path. Raises FormatError for what git itself would not check out, or no file system holds."""
    parts = path.split("/")
    if any(part.lower() in ("", ".", "..", ".git") or len(fsencode(part)) > _LONGEST for part in parts):
        raise FormatError(f"git commit {commit[:12]} names a file {path[:300]!r}", hint="run: git fsck --strict")
    return path
