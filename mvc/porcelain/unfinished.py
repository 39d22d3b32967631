"""Trainings of embedders that were interrupted: what they began with, and how far they came. Owns their files.

    .mvc/training/KEY.state   a line of JSON: what was asked for, and the commits of each lineage that is learnt from;
                              then the training's state

KEY digests what was asked for, and not which commits there are: lineages may grow before the same command is given
again, and it goes on with those that it began with. States that no command would go on with are removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mvc.porcelain.reading import History
from mvc.storage import FileSystem, atomic_write, discard, disk_errors, exists, make_directories

#: as many commits of each lineage
Lineages = tuple[tuple[str, ...], ...]

_SUFFIX = ".state"


@dataclass(frozen=True)
class Asked:
    """What a command asks for; ``lineages`` are ids, () for all."""

    architecture: str
    lineages: tuple[str, ...]
    recipe: str
    minutes: float | None

    @property
    def name(self) -> str:
        digest = hashlib.blake2b(json.dumps(asdict(self)).encode(), digest_size=16)
        return f"{digest.hexdigest()}{_SUFFIX}"


@dataclass
class Unfinished:
    """A training as far as it came. ``lineages`` that it began with; () where there is nothing to go on with."""

    fs: FileSystem
    path: Path
    asked: Asked
    lineages: Lineages = ()
    state: bytes | None = None

    @classmethod
    def find(cls, history: History, asked: Asked) -> Unfinished:
        """What there is of the training. Removes all states that cannot be gone on with, and warns. Raises
        StorageError."""
        fs, directory = history.workspace.repository.fs, history.workspace.repository.layout.training
        found = cls(fs, directory / asked.name, asked)
        for path in _states(fs, directory):
            with disk_errors(path, "read"):
                line, _, state = fs.read(path).partition(b"\n")
            lineages = _begun(history, line, path.name)
            if not lineages:
                discard(fs, path)
                text = "the state of an interrupted training was removed: what it learnt from is gone, or it is damaged"
                history.workspace.warn(text)
            elif path == found.path:
                found.lineages, found.state = lineages, state
        return found

    def keep(self, lineages: Lineages, state: bytes) -> None:
        """Replaces what was kept before. Raises StorageError."""
        make_directories(self.fs, self.path.parent)
        line = json.dumps({"asked": asdict(self.asked), "lineages": lineages}).encode()
        atomic_write(self.fs, self.path, (line, b"\n", state), overwrite=True)

    def discard(self) -> None:
        discard(self.fs, self.path)

    def told(self) -> str:
        """What an interruption leaves."""
        if exists(self.fs, self.path):
            return "what was learnt is kept; the same command goes on with it"
        return "nothing was learnt yet; the same command begins anew"


def _states(fs: FileSystem, directory: Path) -> Iterator[Path]:
    if exists(fs, directory):
        with disk_errors(directory, "read"):
            names = fs.list_directory(directory)
        yield from (directory / name for name in names if name.endswith(_SUFFIX))


def _begun(history: History, line: bytes, name: str) -> Lineages:
    """The commits that a state named so began with; () where it cannot be gone on with."""
    try:
        known = json.loads(line)
        asked = Asked(**{**known["asked"], "lineages": tuple(known["asked"]["lineages"])})
        lineages = tuple(tuple(map(str, commits)) for commits in known["lineages"])
        whole = asked.name == name and len({len(commits) for commits in lineages}) == 1
    except (ValueError, TypeError, LookupError, RecursionError):
        return ()
    there = {row.id for row in history.lineages}
    homes = [history.lineage(commit) for commits in lineages for commit in commits]
    fits = all(home is not None and home.architecture == asked.architecture for home in homes)
    return lineages if whole and homes and fits and there.issuperset(asked.lineages) else ()
