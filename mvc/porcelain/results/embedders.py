"""`embed`: trained embedders, and where models lie in their latent spaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EmbedderRow:
    """A version of an embedder; ``id`` is that of the commit that holds it, ``name`` what commands take.

    It was trained on so many ``checkpoints`` of so many ``lineages``; ``commits`` are their ids where this embedder
    was asked for by name, else None. ``in_use``: it is the newest for its architecture. ``figures``: the ``loss`` at
    the end, that on lineages ``held out``, R² of a linear reading of the ``place`` along these.
    """

    id: str
    name: str
    architecture: str
    version: int
    in_use: bool
    recipe: str
    seed: int
    minutes: float
    lineages: int
    checkpoints: int
    commits: tuple[str, ...] | None
    figures: Mapping[str, float]
    time: str
    author: str
    bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class EmbedListResult:
    embedders: tuple[EmbedderRow, ...]


@dataclass(frozen=True)
class EmbedTrainResult:
    """``resumed``: it went on from where an interrupted training had stopped, with the commits that this began with;
    ``grown``: there are others to learn from now."""

    embedder: EmbedderRow
    resumed: bool
    grown: bool


@dataclass(frozen=True)
class LatentRow:
    """Where a model lies in the latent space of ``embedder``, the id of its commit. ``lineage`` and ``position`` are
    those of a commit in the log."""

    commit: str | None
    lineage: str | None
    position: int | None
    path: str | None
    embedder: str
    latent: tuple[float, ...]


@dataclass(frozen=True)
class EmbedApplyResult:
    """``output``: the .npz that was written, or null. All ``latents`` are of one architecture."""

    latents: tuple[LatentRow, ...]
    output: str | None


@dataclass(frozen=True)
class ShuffledLink:
    """The commit ``a``, the first of its lineage, and ``b`` of another one, after their units were matched: ``cosine``,
    and how far that is on the way from matched strangers (0) to an equal model (1). ``a_at`` and ``b_at``: where they
    are, as LINEAGE@POSITION."""

    a: str
    a_at: str
    b: str
    b_at: str
    cosine: float
    beyond: float


@dataclass(frozen=True)
class ShuffledRun:
    """``lineages`` that are kin once their units are put in order, with what forks join to them, and the ``links`` that
    say so."""

    lineages: tuple[str, ...]
    links: tuple[ShuffledLink, ...]


@dataclass(frozen=True)
class EmbedKinResult:
    """``embedder``: name of the one whose latent space said what to match."""

    runs: tuple[ShuffledRun, ...]
    embedder: str
