"""The embedders that a repository keeps: models that were trained to read weights. Owns how one is stored and loaded.

An embedder is a checkpoint itself: its file is taken in as any other, and a commit says what it was trained on. That
commit is none of the repository's checkpoints; a setting names it, by architecture and version. Every training gives a
further version, and the newest is the one in use. torch is imported when one is loaded, and not before.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mvc.errors import InputError, IntegrityError, NotFoundError
from mvc.index import SettingRow
from mvc.objects import EMBEDDER, Commit, ObjectId
from mvc.porcelain.bases import Bases
from mvc.porcelain.checkout import file_bytes
from mvc.porcelain.digests import Digests
from mvc.porcelain.intake import Intake
from mvc.porcelain.results.embedders import EmbedderRow
from mvc.porcelain.workspace import Workspace

#: fewest digits that name an architecture
SHORTEST = 4
#: a version has fewer; settings may come from elsewhere
_DIGITS = 10
#: name of an embedder's file, should anybody want to look into it
FILE = "embedder.safetensors"

Floats = npt.NDArray[np.float32]


class Embedder(Protocol):
    """What is used of `mvc.embedding.embedder.Embedder`, whose module imports torch."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def embed(self, weights: Floats) -> Floats:
        """[n, d] → [n, latent]"""
        ...

    def to_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Trained:
    """What an embedder was trained on, and its ``figures``. ``commits`` are those of so many ``lineages``, held out or
    not."""

    architecture: str
    recipe: str
    seed: int
    minutes: float
    lineages: int
    commits: Sequence[str]
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Kept:
    """One embedder of the repository; ``commit`` holds it."""

    architecture: str
    version: int
    commit: ObjectId

    @property
    def name(self) -> str:
        return f"{self.architecture[:12]}@{self.version}"


def kept_embedders(workspace: Workspace) -> tuple[Kept, ...]:
    """Every version, by architecture, the oldest first."""
    rows = workspace.look_up(SettingRow.find)
    return _kept({row.key: row.value for row in rows})


def _kept(settings: Mapping[str, str]) -> tuple[Kept, ...]:
    found = []
    for key, value in settings.items():
        architecture, _, version = key.removeprefix(EMBEDDER).rpartition(":")
        if key.startswith(EMBEDDER) and version.isascii() and version.isdigit() and len(version) < _DIGITS:
            found.append(Kept(architecture, int(version), ObjectId(value)))
    return tuple(sorted(found))


def newest_embedder(workspace: Workspace, architecture: str) -> Kept | None:
    """The one in use for an architecture, if there is one."""
    return next((one for one in reversed(kept_embedders(workspace)) if one.architecture == architecture), None)


def find_embedder(workspace: Workspace, name: str) -> Kept:
    """By ``ARCHITECTURE@VERSION``, or ``ARCHITECTURE`` for the newest; an architecture by its beginning.

    Raises NotFoundError, also where the name fits several architectures.
    """
    prefix, at, version = name.partition("@")
    known = kept_embedders(workspace) if len(prefix) >= SHORTEST else ()
    found = [one for one in known if one.architecture.startswith(prefix)]
    chosen = [one for one in found if not at or version == str(one.version)]
    if not chosen or len({one.architecture for one in found}) > 1:
        what = "names several architectures" if chosen else "names no embedder of this repository"
        raise NotFoundError(f"{name!r} {what}", hint="list them with: mvc embed list", code="no-such-embedder")
    return chosen[-1]


def chosen_embedder(workspace: Workspace, name: str | None = None) -> Kept:
    """The one of this name, else the newest of the only architecture that has any. Raises NotFoundError, InputError."""
    if name is not None:
        return find_embedder(workspace, name)
    found = {one.architecture: one for one in kept_embedders(workspace)}
    if len(found) > 1:
        raise InputError(
            "embedders of several architectures are here", hint="name one with --embedder, or name commits"
        )
    if not found:
        raise no_embedder("this repository has no embedder")
    return next(iter(found.values()))


def no_embedder(message: str) -> NotFoundError:
    return NotFoundError(message, hint="train one with: mvc embed train", code="no-such-embedder")


def keep_embedder(workspace: Workspace, raw: bytes, trained: Trained) -> Kept:
    """Stores an embedder's file as the next version for its architecture; one operation. Raises as `commit`."""
    repository = workspace.repository
    with repository.lock(), tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / FILE
        file.write_bytes(raw)
        mine = [one for one in _kept(repository.state().settings) if one.architecture == trained.architecture]
        # removed ones count too: a name means one embedder forever
        ever = {key: value for one in repository.operations() for key, value in one.settings.items() if value}
        last = max((one.version for one in _kept(ever) if one.architecture == trained.architecture), default=0)
        bases = Bases(workspace)
        with Intake(repository, Digests(repository), bases) as intake, repository.odb.batch():
            manifest = intake.take(file, {}).manifest
            if manifest is None:
                raise IntegrityError("an embedder was not taken in", hint="report this as a defect of mvc")
            commit = repository.put(
                Commit(
                    manifest=manifest.id,
                    path=FILE,
                    time=datetime.now(UTC).isoformat(timespec="microseconds"),
                    author=workspace.author,
                    parent=mine[-1].commit if mine else None,
                    metrics={key: value for key, value in trained.figures.items() if math.isfinite(value)},
                    extra=_extra(trained),
                )
            )
        version = last + 1
        key = f"{EMBEDDER}{trained.architecture}:{version}"
        workspace.declare("embed train", settings={key: commit})
        return Kept(trained.architecture, version, commit)


def remove_embedder(workspace: Workspace, name: str) -> Kept:
    """Takes a version out of use; it stays where operations of the past name it. Raises NotFoundError."""
    with workspace.repository.lock():
        found = find_embedder(workspace, name)
        if "@" not in name:
            raise NotFoundError(f"{name!r} does not say which version", hint=f"as in: mvc embed remove {found.name}")
        workspace.declare("embed remove", settings={f"{EMBEDDER}{found.architecture}:{found.version}": None})
    return found


def _extra(trained: Trained) -> dict[str, str]:
    return {
        "architecture": trained.architecture,
        "recipe": trained.recipe,
        "seed": str(trained.seed),
        "minutes": repr(trained.minutes),
        "lineages": str(trained.lineages),
        "commits": " ".join(trained.commits),
    }


def load_embedder(workspace: Workspace, kept: Kept) -> Embedder:
    """Raises IntegrityError for one that is damaged, FormatError for one that this mvc cannot read. Imports torch."""
    manifest = workspace.repository.manifest(workspace.repository.commit(kept.commit).manifest)
    raw = b"".join(bytes(chunk) for chunk in file_bytes(workspace.repository, manifest.files[0]))
    loaded: Embedder = importlib.import_module("mvc.embedding.embedder").from_bytes(raw)
    return loaded


def tell(workspace: Workspace, kept: Kept, *, in_use: bool, commits: bool = False) -> EmbedderRow:
    """A version with the facts that its commit records, of ``commits`` their ids as well. Raises IntegrityError."""
    repository = workspace.repository
    commit = repository.commit(kept.commit)
    manifest = repository.manifest(commit.manifest)
    objects = {kept.commit, commit.manifest, *manifest.objects()}
    facts = commit.extra
    learnt = tuple(facts.get("commits", "").split())
    try:
        seed, lineages = int(facts.get("seed", 0)), int(facts.get("lineages", 0))
        minutes = float(facts.get("minutes", 0))
    except ValueError:
        raise IntegrityError(f"what is recorded of embedder {kept.name} is malformed", hint="run: mvc fsck") from None
    return EmbedderRow(
        id=kept.commit,
        name=kept.name,
        architecture=kept.architecture,
        version=kept.version,
        in_use=in_use,
        recipe=facts.get("recipe", ""),
        seed=seed,
        minutes=minutes,
        lineages=lineages,
        checkpoints=len(learnt),
        commits=learnt if commits else None,
        figures=dict(commit.metrics),
        time=commit.time,
        author=commit.author,
        bytes=manifest.nbytes,
        stored_bytes=sum(repository.odb.stored_size(one) for one in objects),
    )
