"""Embedders as a paper's run needs them: trained once, kept, gone on with where they were interrupted.

NAME.safetensors   the trained embedder
NAME.json          minutes of processor time that training took, and what a probe said of it on the way
NAME.state         an unfinished training
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.probes import Split, fit_ridge
from mvc.embedding.recipes import Recipe
from mvc.embedding.train import Progress, train
from mvc.errors import FormatError, InputError
from mvc.papers.characteristics.points import Points
from mvc.zoo.files import write_whole

#: training rows that the probe on the way is fitted to; it chooses nothing
_PROBED = 2000
#: what it reads, where it varies
_TARGETS = ("epoch", "accuracy", "gap")


@dataclass(frozen=True)
class Learned:
    """``minutes`` of processor time. ``curve``: R² on validation models and the losses as training went on."""

    embedder: Embedder
    minutes: float
    curve: tuple[dict[str, float], ...]


def learn(
    points: Points,
    parts: Split,
    recipe: Recipe,
    place: Path,
    *,
    minutes: float,
    progress: Callable[[float], None] | None = None,
) -> Learned:
    """The embedder kept at ``place`` (a path without suffix), else trained on the training models of ``parts``.

    ``progress`` is told the share that is done. Raises InputError, and removes it, where what there is of an
    unfinished training is damaged.
    """
    kept, record, state = (place.with_suffix(suffix) for suffix in (".safetensors", ".json", ".state"))
    curve: list[dict[str, float]] = json.loads(record.read_text()) if record.is_file() else []
    if kept.is_file():
        return Learned(from_bytes(kept.read_bytes()), curve[-1]["minutes"], tuple(curve))
    start = state.read_bytes() if state.is_file() and curve else None
    if start is None:
        curve = []
    spent = curve[-1]["minutes"] if curve else 0.0
    began = time.process_time()

    def told(report: Progress) -> None:
        scores = {f"{name} on training models": loss for name, loss in report.losses.items()}
        scores |= dict(report.validation) | dict(report.scores)
        minutes = spent + (time.process_time() - began) / 60
        curve.append({"minutes": round(minutes, 3), "steps": report.step, **scores})
        write_whole(record, json.dumps(curve, indent=1).encode())
        if progress is not None:
            progress(report.share)

    try:
        embedder = train(
            points.of(np.unique(points.owners[parts.train])),
            points.shapes,
            recipe,
            validation=points.of(np.unique(points.owners[parts.validation])),
            minutes=minutes,
            start=start,
            keep=lambda raw: write_whole(state, raw),
            progress=told,
            probe=_probe(points, parts),
        )
    except FormatError as error:
        state.unlink(missing_ok=True)
        message = f"an interrupted training cannot go on: {error.message}; its state was removed"
        raise InputError(message, hint="run the command again: it starts anew") from None
    write_whole(kept, embedder.to_bytes())
    state.unlink(missing_ok=True)
    return Learned(embedder, curve[-1]["minutes"], tuple(curve))


def _probe(points: Points, parts: Split) -> Callable[[Embedder], dict[str, float]]:
    """Validation R² of an embedder by its target, from a sample of rows: quick, and blind to the test models."""
    targets = [name for name in _TARGETS if name in points.numbers]
    fitted, held = (rows[:: -(-len(rows) // _PROBED)] for rows in (parts.train, parts.validation))
    rows = np.concatenate([fitted, held])
    own = Split(np.arange(len(fitted)), np.arange(len(fitted), len(rows)), np.empty(0, dtype=np.intp))
    truth = np.stack([points.numbers[name][rows] for name in targets], 1) if targets else np.empty((len(rows), 0))

    def score(embedder: Embedder) -> dict[str, float]:
        found = fit_ridge(embedder.embed(points.rows[rows]), truth, own).validation
        return dict(zip(targets, map(float, found), strict=True))

    return score
