"""Trains an embedder on a repository's own lineages. Owns the sequence, and what is probed on the way.

Training takes no lock: commits can be made meanwhile. One that was interrupted goes on with the commits that it began
with (``unfinished``). An embedder is read back before it is kept.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import FormatError, InputError
from mvc.porcelain.embedders import Embedder, Floats, Trained, keep_embedder, tell
from mvc.porcelain.latents import LatentSpace, weights_of
from mvc.porcelain.lessons import Lessons, choose_lineages, lessons_of
from mvc.porcelain.progress import Report, interruptible, silent
from mvc.porcelain.reading import History
from mvc.porcelain.results.embedders import EmbedTrainResult
from mvc.porcelain.unfinished import Asked, Unfinished
from mvc.porcelain.workspace import Workspace

Bools = npt.NDArray[np.bool_]

#: hyperparameters that an embedder is trained with unless others are named
RECIPE = "invariant"
#: one lineage in so many is held out, where there are as many
HELD_OUT = 7
#: lineages that the probe is fitted on, half as many that judge it, and checkpoints of each: it is asked twenty times
PROBED = 16
#: steps that a training takes at least, where no time bounds it
STEPS = 1000


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
    rows = choose_lineages(workspace, history, lineages)
    lessons = lessons_of(history, rows)
    recipes = importlib.import_module("mvc.embedding.recipes")
    chosen = recipes.find_recipe(recipe or RECIPE)
    named = sorted(row.id for row in rows) if lineages else []
    asked = Asked(lessons.architecture, tuple(named), repr(chosen), minutes)
    unfinished = Unfinished.find(history, asked)
    newest, begun = lessons, unfinished.lineages
    if begun:  # with what it began with, whatever was committed since
        lessons = replace(lessons, lineages=begun)
    figures: dict[str, float] = {}
    with interruptible(unfinished.told):
        embedder = _trained(history, lessons, chosen, minutes, unfinished, figures, report)
        lineages_learnt, commits = len(lessons.lineages), lessons.commits
        trained = Trained(
            lessons.architecture, chosen.name, chosen.seed, minutes or 0.0, lineages_learnt, commits, figures
        )
        kept = keep_embedder(workspace, embedder.to_bytes(), trained)
    with interruptible(lambda: f"embedder {kept.name} is trained and kept; commits are embedded when somebody asks"):
        unfinished.discard()
        all_rows = [row for row in history.lineages if row.architecture == kept.architecture]
        LatentSpace(workspace, kept).places([commit.id for row in all_rows for commit in row.commits], report)
    return EmbedTrainResult(
        tell(workspace, kept, in_use=True),
        resumed=bool(begun),
        grown=lessons != newest,
    )


def _trained(
    history: History,
    lessons: Lessons,
    recipe: Any,
    minutes: float | None,
    unfinished: Unfinished,
    figures: dict[str, float],
    report: Report,
) -> Embedder:
    """Trains, or goes on; ``figures`` are those of the last report. Raises InputError where nothing comes of it."""
    weights = _read(history, lessons, report)  # [M, K, d]
    held = np.arange(len(weights)) % HELD_OUT == HELD_OUT - 1
    # recipes count epochs of zoos; a small repository's would be over after a few steps
    samples = int((~held).sum()) * weights.shape[1]
    epochs = math.ceil(STEPS * min(recipe.batch, samples) / samples)
    recipe = replace(recipe, epochs=max(recipe.epochs, epochs))

    def told(at: Any) -> None:
        figures.update(_figures(at))
        report(round(100 * at.share), 100, ", ".join(f"{name} {value:.3g}" for name, value in figures.items()))
        if not math.isfinite(figures["loss"]):
            raise _useless("its loss is not finite")

    try:
        # torch takes a second or two to import: only once there is something to learn from
        embedder: Embedder = importlib.import_module("mvc.embedding.train").train(
            weights[~held],
            lessons.shapes,
            recipe,
            validation=weights[held] if held.any() else None,
            minutes=minutes,
            start=unfinished.state,
            keep=lambda state: unfinished.keep(lessons.lineages, state),
            progress=told,
            probe=_reader(weights, held, np.array([_directed(history, lineage) for lineage in lessons.lineages])),
        )
        _check(embedder, weights)
    except FormatError as error:
        unfinished.discard()
        message = f"an interrupted training cannot go on: {error.message}; its state was removed"
        raise InputError(message, hint="run the command again: it starts anew") from None
    except InputError:
        unfinished.discard()
        raise
    return embedder


def _check(embedder: Embedder, weights: Floats) -> None:
    """Raises InputError unless an embedder is one when it is read back, and places what it was trained on."""
    try:
        again: Embedder = importlib.import_module("mvc.embedding.embedder").from_bytes(embedder.to_bytes())
    except FormatError as error:
        raise _useless(error.message) from None
    _finite(again.embed(weights[:, -1]))


def _finite(latents: Floats) -> Floats:
    if not np.isfinite(latents).all():
        raise _useless("its latents are not finite")
    return latents


def _useless(why: str) -> InputError:
    return InputError(
        f"no embedder came of the training: {why}",
        hint="some weights may be far too large: see mvc check, and name the other lineages with --from",
        code="useless-embedder",
    )


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
        latents = _finite(embedder.embed(chosen.reshape(len(rows), -1)))
        return {"place": float(probes.ridge(latents, places, parts).test)}

    return score


def _figures(at: Any) -> dict[str, float]:
    """Of a `mvc.embedding.train.Progress`: the loss on what is learnt from, and on what is held out; the probe's R²."""
    found = {"loss": at.losses["loss"], **at.scores}
    return found | ({"held out": at.validation["loss"]} if "loss" in at.validation else {})
