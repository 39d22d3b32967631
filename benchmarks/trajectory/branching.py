"""Runs that branch off other runs: plans of forests, their training and their cache. Owns the kinds of forks.

A level of a forest (all runs of one depth) is trained as one batch, whatever checkpoints its runs start from. Data sets
are cut to equally many images, so that an epoch is the same number of steps for every kind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.trajectory.populations import Trained
from mvc.trajectory import Block, Declared, Population, lay_out
from mvc.trajectory.mst import Ints
from mvc.zoo import shifts
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, load
from mvc.zoo.nets import initial_weights
from mvc.zoo.train import State, Trainer

#: kind of fork → its data (None: as its host's) and the multiple of its host's learning rate; all draw a new data order
KINDS: Mapping[str, tuple[str | None, float]] = {
    "new seed": (None, 1.0),
    "label noise .37": ("label noise", 1.0),
    "half of the classes": ("half", 1.0),
    "lr × 0.3": (None, 0.3),
    "lr × 3": (None, 3.0),
    "rotated by 90°": ("rotated", 1.0),
    "inverted inputs": ("inverted", 1.0),
    "new head": (None, 1.0),
}
#: name → checkpoints an epoch, epochs a checkpoint
SPACINGS: Mapping[str, tuple[int, int]] = {"half": (2, 1), "one": (1, 1), "three": (1, 3)}


@dataclass(frozen=True)
class Run:
    """``length`` checkpoints, forked from checkpoint ``at`` of run ``parent``, which it does not hold itself.

    A root (no parent) holds its initial checkpoint. ``fresh``: the optimiser's state was forgotten at the fork.
    """

    seed: int
    length: int
    kind: str = "root"
    parent: int | None = None
    at: int = 0
    family: int = 0
    depth: int = 0
    fresh: bool = False
    data: str = "plain"
    lr: float = 1.0


def fork(runs: Sequence[Run], parent: int, kind: str, *, at: int, length: int, fresh: bool) -> Run:
    """The next run of the plan: its host's settings with one thing changed."""
    host, (data, rate) = runs[parent], KINDS[kind]
    return Run(1000 + len(runs), length, kind, parent, at, host.family, host.depth + 1, fresh,
               data or host.data, host.lr * rate)  # fmt: skip


@dataclass(frozen=True)
class Forest:
    """Trained runs: ``weights`` [n, d] with each point's ``run`` [n], ``place`` [n] in it and true ``parent`` [n]."""

    card: Card
    runs: Sequence[Run]
    weights: npt.NDArray[np.float32]
    run: Ints
    place: Ints
    parent: Ints

    def path(self, run: int) -> Ints:
        """The run's points in order."""
        return np.flatnonzero(self.run == run)

    def blocks(self) -> tuple[Block, ...]:
        return lay_out(self.card.architecture.shapes().items())

    def vectors(self, points: Ints) -> npt.NDArray[np.float32]:
        """Signatures [points, k], which is what inference sees of the weights."""
        return Trained(self.card, self.weights[None, points]).vectors(0)

    def shuffled(self, seed: int = 0, *, points: Ints | None = None) -> tuple[Population, Ints]:
        """These points (all unless given) thrown together, nothing said of any; and which point each one is."""
        order = np.random.default_rng(seed).permutation(np.arange(len(self.weights)) if points is None else points)
        keys = tuple(f"{i:06d}" for i in range(len(order)))
        return Population(keys, self.vectors(order), self.blocks(), (Declared(),) * len(keys)), order


def spaced(card: Card, spacing: str) -> Card:
    """The card with checkpoints that far apart."""
    per_epoch, every = SPACINGS[spacing]
    return replace(card, name=f"{card.name}-{spacing}", checkpoints_per_epoch=per_epoch, checkpoint_every=every)


def grown(card: Card, runs: Sequence[Run], *, images: int, data: Path, cache: Path, what: str) -> Forest:
    """The forest of this plan, from the cache ``what``-CARD.npz or trained now on that many images."""
    file = cache / f"{what}-{card.name}.npz"
    plan = json.dumps([asdict(run) for run in runs])
    if not file.exists() or str(np.load(file)["plan"]) != plan:
        cache.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        begun = time.monotonic()
        paths = _train(card, runs, datasets(load(data), images))
        np.savez(file.with_suffix(".part.npz"), weights=np.concatenate(paths), plan=plan)
        file.with_suffix(".part.npz").rename(file)
        print(f"{what} {card.name}: {len(runs)} runs, {time.monotonic() - begun:.0f} s", flush=True)
    weights = np.load(file)["weights"]
    run = np.repeat(np.arange(len(runs)), [one.length for one in runs])
    first = np.cumsum([0] + [one.length for one in runs])
    parent = np.arange(len(run)) - 1
    for number, one in enumerate(runs):
        parent[first[number]] = -1 if one.parent is None else first[one.parent] + one.at
    return Forest(card, runs, weights, run, np.arange(len(run)) - first[run], parent)


def datasets(data: Dataset, images: int) -> dict[str, Dataset]:
    """What runs are trained on, by name, each of so many images."""
    plain = shifts.subset(data, images / len(data.x_train))
    classes = shifts.only_classes(data, range(5))
    return {
        "plain": plain,
        "label noise": shifts.label_noise(plain, 0.37),
        "half": shifts.subset(classes, images / len(classes.x_train)),
        "rotated": shifts.rotated(plain, 90),
        "inverted": shifts.inverted(plain),
    }


def _train(card: Card, runs: Sequence[Run], data: Mapping[str, Dataset]) -> list[npt.NDArray[np.float32]]:
    """Weights [length, d] of every run."""
    wanted = {(run.parent, run.at) for run in runs}
    states: dict[tuple[int | None, int], State] = {}
    paths: list[list[npt.NDArray[np.float32]]] = [[] for _ in runs]
    longest = max(run.length for run in runs) * card.checkpoint_every // card.checkpoints_per_epoch + 1

    def trainer(rows: Sequence[int], start: State | None) -> Trainer:
        some = [runs[row] for row in rows]
        seeds, sets, rates = [one.seed for one in some], [data[one.data] for one in some], [one.lr for one in some]
        return Trainer(card, sets, seeds, start=start, lr=rates, epochs=longest)

    def record(rows: Sequence[int], now: Trainer) -> None:
        weights, state = now.weights.numpy(), now.state()
        for number, row in enumerate(rows):
            if (row, len(paths[row])) in wanted:
                states[row, len(paths[row])] = state.of([number])
            paths[row].append(weights[number])

    for level in _levels(card, runs):
        rows = list(level)
        now = trainer(rows, None if runs[rows[0]].parent is None else _start(card, [runs[row] for row in rows], states))
        if runs[rows[0]].parent is None:
            record(rows, now)
        while rows:
            for _ in range(card.checkpoint_every):
                now.advance()
            record(rows, now)
            going = [number for number, row in enumerate(rows) if len(paths[row]) < runs[row].length]
            if 0 < len(going) < len(rows):
                now = trainer([rows[number] for number in going], now.state().of(going))
            rows = [rows[number] for number in going]
    return [np.stack(path) for path in paths]


def _levels(card: Card, runs: Sequence[Run]) -> list[list[int]]:
    """Runs that are trained side by side: one depth, and one time where the learning rate depends on it."""
    times: list[int] = []
    for run in runs:
        times.append(0 if run.parent is None else times[run.parent] + run.at + (runs[run.parent].parent is not None))
    timed = card.schedule.shape != "constant"
    levels: dict[tuple[int, int], list[int]] = {}
    for number, run in enumerate(runs):
        levels.setdefault((run.depth, times[number] if timed else 0), []).append(number)
    return [levels[key] for key in sorted(levels)]


def _start(card: Card, runs: Sequence[Run], states: Mapping[tuple[int | None, int], State]) -> State:
    """Where these runs begin: their hosts' states, with what the fork forgets forgotten."""
    hosts = [states[run.parent, run.at] for run in runs]
    weights = torch.cat([host.weights for host in hosts])
    slots = {name: torch.cat([host.slots[name] for host in hosts]) for name in hosts[0].slots}
    sizes = [int(np.prod(shape)) for shape in card.architecture.shapes().values()]
    head = sum(sizes[-1 - card.architecture.bias :])
    for row, run in enumerate(runs):
        for slot in slots.values():
            if run.fresh:
                slot[row] = 0
            elif run.kind == "new head" and slot.shape == weights.shape:
                slot[row, -head:] = 0
        if run.kind == "new head":
            weights[row, -head:] = initial_weights(card, [run.seed])[0, -head:]
    return State(weights, slots, hosts[0].part)
