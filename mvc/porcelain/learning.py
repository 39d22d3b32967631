"""Trains an embedder on a repository's own lineages. Owns what there is to learn from, and where an interruption leaves
off.

Training takes no lock: commits can be made meanwhile. Its state is kept in ``.mvc/training`` under a name that digests
all that the result depends on, so that the same command goes on where it stopped, and no other one does.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import FormatError, InputError
from mvc.porcelain.embedders import Embedder, Floats, Trained, keep_embedder, tell
from mvc.porcelain.latents import LatentSpace, weights_of
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reading import History
from mvc.porcelain.results.embedders import EmbedTrainResult
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.revisions import resolve_lineage
from mvc.porcelain.workspace import Workspace
from mvc.storage import atomic_write, discard, disk_errors, make_directories

Bools = npt.NDArray[np.bool_]

#: hyperparameters that an embedder is trained with unless others are named
RECIPE = "invariant"
#: fewer lineages or checkpoints teach nothing that other lineages share
FEWEST_LINEAGES, FEWEST_CHECKPOINTS = 4, 32
#: one lineage in so many is held out, where there are as many
HELD_OUT = 7
#: lineages that the probe is fitted on, half as many that judge it, and checkpoints of each: it is asked twenty times
PROBED = 16
#: steps that a training takes at least, where no time bounds it
STEPS = 1000
#: values that are held in memory at most
LARGEST = 1 << 28


@dataclass(frozen=True)
class Lessons:
    """``lineages``: as many commits of each, in their order. ``shapes`` are those of the architecture's tensors."""

    architecture: str
    shapes: dict[str, tuple[int, ...]]
    lineages: tuple[tuple[str, ...], ...]

    @property
    def commits(self) -> list[str]:
        return [commit for lineage in self.lineages for commit in lineage]


def train_embedder(
    workspace: Workspace,
    lineages: Sequence[str] = (),
    *,
    recipe: str | None = None,
    minutes: float | None = None,
    progress: Report | None = None,
) -> EmbedTrainResult:
    """Trains an embedder on ``lineages`` (all of one architecture unless given) and keeps it as the next version.

    ``minutes`` bounds the training; without them it is the recipe's epochs, or more where these are few steps. Raises
    InputError where there is too little to learn from, or what to learn from is not one architecture, NotFoundError for
    a lineage or recipe that is not there.
    """
    if minutes is not None and not 0 < minutes < float("inf"):
        raise InputError("minutes are a positive number", hint="as in: mvc embed train --minutes 5")
    report = progress or silent
    history = History(workspace)
    lessons = lessons_of(history, _chosen(workspace, history, lineages))
    chosen = importlib.import_module("mvc.embedding.recipes").find_recipe(recipe or RECIPE)
    weights = _read(history, lessons, report)  # [M, K, d]
    held = np.arange(len(weights)) % HELD_OUT == HELD_OUT - 1
    # recipes count epochs of zoos; a small repository's would be over after a few steps
    samples = int((~held).sum()) * weights.shape[1]
    epochs = math.ceil(STEPS * min(chosen.batch, samples) / samples)
    chosen = replace(chosen, epochs=max(chosen.epochs, epochs))
    path = workspace.repository.layout.training / f"{_key(lessons, repr(chosen), minutes)}.state"
    start = _state(workspace, path)
    figures: dict[str, float] = {}

    def told(at: Any) -> None:
        figures.update(_figures(at))
        report(round(100 * at.share), 100, ", ".join(f"{name} {value:.3g}" for name, value in figures.items()))

    try:
        # torch takes a second or two to import: only once there is something to learn from
        embedder = importlib.import_module("mvc.embedding.train").train(
            weights[~held],
            lessons.shapes,
            chosen,
            validation=weights[held] if held.any() else None,
            minutes=minutes,
            start=start,
            keep=lambda state: _keep(workspace, path, state),
            progress=told,
            probe=_reader(weights, held, np.array([_directed(history, lineage) for lineage in lessons.lineages])),
        )
    except FormatError as error:
        discard(workspace.repository.fs, path)
        message = f"an interrupted training cannot go on: {error.message}; its state was removed"
        raise InputError(message, hint="run the command again: it starts anew") from None
    trained = Trained(
        lessons.architecture, chosen.name, chosen.seed, minutes or 0.0, len(lessons.lineages), lessons.commits, figures
    )
    kept = keep_embedder(workspace, embedder.to_bytes(), trained)
    discard(workspace.repository.fs, path)
    rows = [commit.id for row in history.lineages if row.architecture == kept.architecture for commit in row.commits]
    LatentSpace(workspace, kept).places(rows, report)
    return EmbedTrainResult(tell(workspace, kept, in_use=True), resumed=start is not None)


def _chosen(workspace: Workspace, history: History, names: Sequence[str]) -> list[LogLineage]:
    """The lineages named; else all of the one architecture that has enough to learn from."""
    if names:
        ids = {resolve_lineage(workspace, name).id for name in names}
        found = [row for row in history.lineages if row.id in ids]
        if len({row.architecture for row in found}) > 1:
            raise InputError(
                "these lineages are of several architectures, and an embedder is for one",
                hint="name lineages of one architecture with --from",
            )
        return found
    groups: dict[str, list[LogLineage]] = {}
    for row in history.lineages:
        groups.setdefault(row.architecture, []).append(row)
    enough = [rows for rows in groups.values() if _enough(history, rows)]
    if len(enough) > 1:
        first = ", ".join(rows[0].name for rows in enough)
        raise InputError(
            f"{len(enough)} architectures have lineages to learn from, and an embedder is for one",
            hint=f"name lineages of one of them with --from (one of each: {first})",
        )
    return enough[0] if enough else max(groups.values(), key=len, default=[])


def _enough(history: History, rows: Sequence[LogLineage]) -> bool:
    return _most(_paths(history, rows)) > 0


def _most(paths: Sequence[Sequence[str]]) -> int:
    """How many lineages to learn from, the longest first, so that as many points of each are most; 0: too few."""
    lengths = sorted(map(len, paths), reverse=True)
    sizes = [(count * length, count) for count, length in enumerate(lengths, 1) if count >= FEWEST_LINEAGES]
    points, lineages = max(sizes, default=(0, 0))
    return lineages if points >= FEWEST_CHECKPOINTS else 0


def _paths(history: History, rows: Sequence[LogLineage]) -> list[list[str]]:
    """Commits of each lineage that are points of its training, all their values finite."""
    own = [[commit.id for commit in row.commits if commit.relation not in ("copies", "mixes")] for row in rows]
    known = {commit: model for path in own for commit, model in zip(path, history.models(path), strict=True)}
    sound = {
        commit
        for commit, model in known.items()
        if model.signatures and not any(one.nonfinite for one in model.signatures.values())
    }
    return [[commit for commit in path if commit in sound] for path in own]


def lessons_of(history: History, rows: Sequence[LogLineage]) -> Lessons:
    """As many commits of each lineage, spread evenly over it. Of all counts the one that leaves out fewest commits;
    lineages with fewer are left out. Raises InputError where that is too little to learn from, or too much to hold."""
    paths = sorted(filter(None, _paths(history, rows)), key=lambda path: (-len(path), path[0]))
    lineages = _most(paths)
    if not lineages:
        points, several = sum(map(len, paths)), len(paths) != 1
        raise InputError(
            f"too little to learn from: {points} checkpoint{'s'[: points != 1]} in {len(paths)} lineage{'s'[:several]}",
            hint=f"commit at least {FEWEST_CHECKPOINTS} in {FEWEST_LINEAGES} lineages of about equal length first",
            code="too-little",
        )
    model = history.model(paths[0][0])
    shapes = {name: model.specs[name].shape for name in sorted(model.signatures)}
    values = sum(model.specs[name].numel for name in shapes)
    points = min(len(paths[lineages - 1]), LARGEST // (values * lineages))
    if points < 1:
        raise InputError(
            f"{lineages} lineages of models of {values:,} values are more than can be held at once",
            hint="name fewer with --from",
        )
    spread = [np.linspace(0, len(path) - 1, points).round().astype(int) for path in paths[:lineages]]
    chosen = [tuple(path[i] for i in places) for path, places in zip(paths, spread, strict=False)]
    # by id: which ones are held out has nothing to do with their length
    return Lessons(model.architecture, shapes, tuple(sorted(chosen)))


def _read(history: History, lessons: Lessons, report: Report) -> Floats:
    """[lineages, points, d]"""
    points, commits = len(lessons.lineages[0]), lessons.commits
    found = np.empty((len(commits), sum(int(np.prod(shape)) for shape in lessons.shapes.values())), np.float32)
    for i, commit in enumerate(commits):
        report(i, len(commits), "reading")
        found[i] = weights_of(history.checkpoint(commit), [*lessons.shapes])
    return found.reshape(-1, points, found.shape[1])


def _directed(history: History, lineage: Sequence[str]) -> bool:
    row = history.lineage(lineage[0])
    return row is not None and row.direction.source != "undecided"


def _reader(weights: Floats, held: Bools, directed: Bools) -> Callable[[Embedder], Mapping[str, float]] | None:
    """The probe: R² of a linear reading of how far along its lineage a checkpoint stands, on lineages held out.

    Of lineages [M, K, d] whose direction is known; None where there are too few.
    """
    learnt, test = np.flatnonzero(directed & ~held), np.flatnonzero(directed & held)
    if len(learnt) < 2 or not len(test) or weights.shape[1] < 2:
        return None
    probes = importlib.import_module("mvc.embedding.probes")
    learnt, test = learnt[:PROBED], test[: PROBED // 2]
    spread = np.unique(np.linspace(0, weights.shape[1] - 1, PROBED).round().astype(int))
    chosen = weights[np.ix_([*learnt, *test], spread)]
    rows = np.arange(len(chosen) * len(spread))
    # the penalty is chosen by some of the lineages that are learnt from: those held out judge, and nothing else
    fitted, border = (len(learnt) - max(1, len(learnt) // 4)) * len(spread), len(learnt) * len(spread)
    parts = probes.Split(rows[:fitted], rows[fitted:border], rows[border:])
    places = np.tile(spread, len(chosen))

    def score(embedder: Embedder) -> Mapping[str, float]:
        latents = embedder.embed(chosen.reshape(len(rows), -1))
        return {"place": float(probes.ridge(latents, places, parts).test)}

    return score


def _figures(at: Any) -> dict[str, float]:
    """Of a `mvc.embedding.train.Progress`: the loss on what is learnt from, and on what is held out; the probe's R²."""
    found = {"loss": at.losses["loss"], **at.scores}
    return found | ({"held out": at.validation["loss"]} if "loss" in at.validation else {})


def _key(lessons: Lessons, recipe: str, minutes: float | None) -> str:
    what = json.dumps([lessons.architecture, lessons.lineages, recipe, minutes])
    return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()


def _state(workspace: Workspace, path: Path) -> bytes | None:
    with disk_errors(path, "read"), contextlib.suppress(FileNotFoundError):
        return workspace.repository.fs.read(path)
    return None


def _keep(workspace: Workspace, path: Path, state: bytes) -> None:
    make_directories(workspace.repository.fs, path.parent)
    atomic_write(workspace.repository.fs, path, (state,), overwrite=True)
