"""What linear probes read from embeddings, one line a recipe: how recipes are chosen.

    python -m benchmarks.embedding.recipes ZOO [--recipe units --recipe "invariant temperature=0.05" ...]
        [--splits 0 1 2] [--epochs 6] [--test]

ZOO is a trained population (``mvc zoo train CARD --population ZOO``). Of every split by model, an embedder is trained
on 70 % and ridge regressions with it, or linear classifiers (on every fifth checkpoint) where a hyperparameter is a
name; 15 % choose their penalty and are what is printed, R² or accuracy in percent, mean (and half the range) over
splits. The last 15 % are read with ``--test`` alone, which is for recipes that have been chosen. CPU
minutes are those of the training. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mvc.embedding.embedder import Embedder
from mvc.embedding.probes import Split, classify, fit_ridge, r2, split
from mvc.embedding.recipes import Recipe, find_recipe
from mvc.embedding.train import train
from mvc.geometry import TRIMMED, population_statistics
from mvc.papers.tables import table_head, table_row
from mvc.zoo.populations import Zoo, read

Floats = npt.NDArray[Any]


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("zoo", type=Path)
    reader.add_argument("--recipe", action="append", default=[], help="a recipe's name, then changes: field=value")
    reader.add_argument("--splits", type=int, nargs="+", default=[0])
    reader.add_argument("--epochs", type=int, help="of training, instead of the recipes'")
    reader.add_argument("--test", action="store_true")
    asked = reader.parse_args()
    torch.set_num_threads(1)
    zoo = read(asked.zoo)
    models, checkpoints, size = zoo.weights.shape
    flat = zoo.weights.reshape(-1, size)  # (M · K, d)
    targets = _targets(zoo)
    splits = [split(np.repeat(np.arange(models), checkpoints), seed) for seed in asked.splits]
    print("\n".join(table_head(("representation", *targets.names, "CPU minutes"))), flush=True)
    statistics = _statistics(zoo, flat)
    baseline = [_scores(statistics, targets, parts, test=asked.test) for parts in splits]
    print(table_row(("s(W)", *_cells(baseline), "–")), flush=True)
    for wanted in asked.recipe:
        recipe = _recipe(wanted, asked.epochs)
        alone, joined, minutes = [], [], []
        for seed, parts in zip(asked.splits, splits, strict=True):
            embedder, spent = _trained(zoo, replace(recipe, seed=seed), parts)
            vectors = embedder.embed(flat)
            alone.append(_scores(vectors, targets, parts, test=asked.test))
            joined.append(_scores(np.concatenate([vectors, statistics], 1), targets, parts, test=asked.test))
            minutes.append(spent)
        print(table_row((wanted, *_cells(alone), f"{np.mean(minutes):.1f}")), flush=True)
        print(table_row((f"{wanted} + s(W)", *_cells(joined), "")), flush=True)


@dataclass(frozen=True, eq=False)
class Targets:
    """What differs between the checkpoints: ``values`` [M · K, T], and labels [M · K] by name."""

    names: tuple[str, ...]
    values: Floats
    labels: dict[str, Any]


def _targets(zoo: Zoo) -> Targets:
    models, checkpoints, _ = zoo.weights.shape
    facts = {
        "epoch": np.broadcast_to(zoo.epochs, (models, checkpoints)),
        "accuracy": zoo.facts["test_accuracy"],
        "gap": zoo.facts["gap"],
        **{f"F1 {number}": zoo.facts["f1"][..., number] for number in range(zoo.facts["f1"].shape[-1])},
    }
    for name, scale in (("lr", np.log), ("weight_decay", np.sqrt), ("dropout", np.copy), ("fraction", np.copy)):
        values = scale(zoo.facts[name].astype(np.float64))
        if np.ptp(values):
            facts[name] = np.broadcast_to(values[:, None], (models, checkpoints))
    labels = {name: np.repeat(zoo.facts[name], checkpoints) for name in ("activation", "init", "optimiser")}
    labels = {name: given for name, given in labels.items() if len(np.unique(given)) > 1}
    values = np.stack([np.asarray(one, np.float64).ravel() for one in facts.values()], 1)
    return Targets((*facts, *labels), values, labels)


def _statistics(zoo: Zoo, flat: Floats) -> Floats:
    return population_statistics(flat, zoo.shapes.values(), TRIMMED)


def _recipe(wanted: str, epochs: int | None) -> Recipe:
    name, *changes = wanted.split()
    recipe = find_recipe(name)
    kinds = {field.name: type(getattr(recipe, field.name)) for field in fields(Recipe)}
    values: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    for change in changes:
        key, _, text = change.partition("=")
        if kinds[key] is tuple:
            values[key] = tuple(float(one) if "." in one else int(one) for one in text.split(","))
        else:
            values[key] = text == "true" if kinds[key] is bool else kinds[key](text)
    return replace(recipe, **values)


def _trained(zoo: Zoo, recipe: Recipe, parts: Split) -> tuple[Embedder, float]:
    """An embedder of the training models, and the CPU minutes that it took."""
    chosen = np.unique(parts.train // zoo.weights.shape[1])
    began = time.process_time()
    embedder = train(zoo.weights[chosen], zoo.shapes, recipe)
    return embedder, (time.process_time() - began) / 60


def _scores(rows: Floats, targets: Targets, parts: Split, *, test: bool) -> Floats:
    """R² or accuracy of every target on the validation rows, or on the test rows."""
    fitted = fit_ridge(rows, targets.values, parts)
    known = r2(targets.values[parts.test], fitted.predict(rows[parts.test])) if test else fitted.validation
    thin = Split(parts.train[::5], parts.validation[::5], parts.test[::5])
    named = [classify(rows, given, thin) for given in targets.labels.values()]
    return np.concatenate([known, [one.test if test else one.validation for one in named]])


def _cells(scores: list[Floats]) -> list[str]:
    """Percent: the mean over splits, and half the range where there are several."""
    table = 100 * np.stack(scores)
    spread = np.ptp(table, axis=0) / 2
    return [f"{m:.1f}" + (f" ± {s:.1f}" if len(scores) > 1 else "") for m, s in zip(table.mean(0), spread, strict=True)]


if __name__ == "__main__":
    main()
