"""What training a population side by side costs, beside a plain PyTorch loop that trains its models one by one.

    OMP_NUM_THREADS=1 python -m benchmarks.zoo.throughput [--card tetris-seed] [--models 1000] [--epochs 75]
                                                          [--looped 2] [--images N] [--tested N] [--data PATH]

Trains the whole population with `mvc.zoo.growing` (files and facts of every checkpoint included), and in the same run
``--looped`` of its models the plain way (`mvc.testing.plain_training`): the same batches, the same accuracies and F1
after every epoch, nothing written. The loop's models are trained before and after the population, half of them each, so
that what else the machine does is shared. ``--images`` and ``--tested`` take the first images only. Prints a Markdown
table: seconds by the clock, and of the processor, which other processes change less. Exits with 1 where batched and
looped end apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvc.testing.plain_training import train_alone
from mvc.zoo.data import Dataset
from mvc.zoo.grids import Grid
from mvc.zoo.growing import train_grid
from mvc.zoo.published import find_population
from mvc.zoo.sources import load_for

_EVALUATED = 10_000  # images, as the trainer takes them


@dataclass
class Spent:
    """Seconds by the clock and of the processor, for so many epochs of a model."""

    name: str
    epochs: int
    wall: float = 0.0
    cpu: float = 0.0

    def on(self, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu
        return result

    def row(self, images: int) -> str:
        rates = f"{self.epochs / self.wall:,.2f} | {self.epochs / self.cpu:,.2f}"
        return (
            f"| {self.name} | {self.epochs:,} | {self.wall:.1f} | {self.cpu:.1f} | {rates} | "
            f"{self.cpu / self.epochs / images * 1e6:,.1f} |"
        )


def judging(data: Dataset) -> Callable[[nn.Module, Tensor], None]:
    """Finds accuracies and F1 of a module, as the trainer does after every epoch."""
    mean, deviation = data.moments
    x_test = (torch.tensor(data.x_test[:_EVALUATED]).unsqueeze(1) - mean) / deviation
    y, y_test = torch.tensor(data.y_train[:_EVALUATED]), torch.tensor(data.y_test[:_EVALUATED])
    classes = int(y.max()) + 1

    @torch.no_grad()
    def judge(module: nn.Module, x: Tensor) -> None:
        (module(x[:_EVALUATED]).argmax(1) == y).float().mean().item()
        seen = torch.bincount(y_test * classes + module(x_test).argmax(1), minlength=classes**2).view(classes, classes)
        (2 * seen.diagonal() / (seen.sum(0) + seen.sum(1)).clamp(min=1)).tolist()

    return judge


def measure(grid: Grid, data: Dataset, count: int) -> bool:
    """Prints the table; whether both ways end at the same weights."""
    members = grid.members()
    together = Spent("side by side", len(members) * grid.base.epochs)
    alone = Spent("one by one", count * grid.base.epochs)
    judge = judging(data)

    def loop(first: int, last: int) -> list[Tensor]:
        return [train_alone(one.card, data, one.seed, judge) for one in members[first:last]]

    once = replace(grid.base, epochs=1)  # what PyTorch does only once, such as importing more of itself, is no model's
    train_alone(once, data, 0, judge)
    with tempfile.TemporaryDirectory() as directory:
        train_grid(Grid(once), data, Path(directory, "zoo"))
    ends = alone.on(lambda: loop(0, count // 2))
    with tempfile.TemporaryDirectory() as directory:
        zoo = together.on(lambda: train_grid(grid, data, Path(directory, "zoo")))
    ends += alone.on(lambda: loop(count // 2, count))
    apart = max(float(np.abs(zoo.weights[row, -1] - end.numpy()).max()) for row, end in enumerate(ends))
    moved = float(np.abs(zoo.weights[:count, -1] - zoo.weights[:count, 0]).max())
    images = len(data.x_train)
    print(f"{grid.base.name}: {len(members):,} models × {grid.base.epochs} epochs, {images:,} images to train with,")
    print(f"{len(data.x_test):,} to test with; {count} of the models trained one by one.\n")
    print("| way | model-epochs | s | CPU s | model-epochs / s | / CPU s | CPU µs / image |")
    print("|---|---|---|---|---|---|---|")
    print(together.row(images))
    print(alone.row(images))
    wall, cpu = ((one.epochs / getattr(one, kind) for one in (together, alone)) for kind in ("wall", "cpu"))
    by_wall, by_cpu = next(wall) / next(wall), next(cpu) / next(cpu)
    print(f"\nSide by side ÷ one by one: {by_wall:.0f} by the clock, {by_cpu:.0f} of the processor. Mean test accuracy")
    print(f"{zoo.facts['test_accuracy'][:, -1].mean():.1%}. The two ways' ends are {apart:.2g} apart at most in any")
    print(f"weight, which moved by up to {moved:.2g}.")
    return apart < 0.02 * moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", default="tetris-seed")
    parser.add_argument("--models", type=int, help="seeds of the population")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--looped", type=int, default=2)
    parser.add_argument("--images", type=int, help="training images")
    parser.add_argument("--tested", type=int, help="test images")
    parser.add_argument("--data", type=Path, help=".npz or directory of IDX files")
    asked = parser.parse_args()
    grid = find_population(asked.card, seeds=asked.models, epochs=asked.epochs)
    data = load_for(grid.base, asked.data)
    data = replace(
        data,
        x_train=data.x_train[: asked.images],
        y_train=data.y_train[: asked.images],
        x_test=data.x_test[: asked.tested],
        y_test=data.y_test[: asked.tested],
    )
    torch.set_num_threads(1)
    sys.exit(not measure(grid, data, asked.looped))


if __name__ == "__main__":
    main()
