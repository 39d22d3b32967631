"""Trains a grid's models in a directory, side by side where they can be; interrupted anywhere, it goes on.

Owns which models are trained together: those whose cards share all that ``Card.shared`` keeps, in groups that fit the
memory. A model ends at the same weights in whatever group it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch

from mvc.errors import ExistsError, InputError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.files import write_whole
from mvc.zoo.grids import Grid, Member
from mvc.zoo.populations import FILE, POPULATION_VERSION, Zoo, read
from mvc.zoo.runs import train
from mvc.zoo.train import Progress

_AT_ONCE = 1 << 22  # numbers that all models of a group feed to one layer in one step: more is not faster


def train_grid(grid: Grid, data: Dataset, out: Path, *, progress: Progress | None = None) -> Zoo:
    """Trains every model of ``grid`` on ``data`` in ``out`` and returns them all; what is trained there is not again.

    Raises ExistsError where ``out`` holds something else, InputError where it holds another population's training.
    """
    members = grid.members()
    groups = plan(members)
    directories = [f"groups/{number:02d}" for number in range(len(groups))]
    _claim(grid.base.name, dict(zip(directories, groups, strict=True)), out)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small lose more by handing work over than they gain
    try:
        for number, (directory, rows) in enumerate(zip(directories, groups, strict=True)):

            def report(_what: str, done: int, total: int, number: int = number) -> None:
                if progress is not None:
                    progress(grid.base.name, number * total + done, len(groups) * total)

            cards = [members[row].card for row in rows]
            train(cards, data, out / directory, seeds=[members[row].seed for row in rows], progress=report)
    finally:
        torch.set_num_threads(threads)
    return read(out)


def plan(members: tuple[Member, ...]) -> list[list[int]]:
    """Which members (by number) are trained side by side."""
    alike: dict[Card, list[int]] = defaultdict(list)
    for number, member in enumerate(members):
        alike[member.card.shared()].append(number)
    groups = []
    for card, numbers in alike.items():
        size = max(1, _AT_ONCE // (card.batch * card.architecture.widest))
        count = -(-len(numbers) // size)  # of even size
        groups += [numbers[len(numbers) * n // count : len(numbers) * (n + 1) // count] for n in range(count)]
    return groups


def _claim(name: str, groups: Mapping[str, list[int]], out: Path) -> None:
    """Takes an empty directory for a population, or finds that it is this one's already."""
    known = out / FILE
    what = {
        "version": POPULATION_VERSION,
        "name": name,
        "groups": [{"directory": directory, "models": rows} for directory, rows in groups.items()],
    }
    description = json.dumps(what, indent=1)
    if known.is_file():
        if known.read_text() != description:
            raise InputError(
                f"{out} holds another population: its card or its models differ from those asked for",
                hint="give the same ones to go on with it, or a new directory",
                code="other-training",
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistsError(f"{out} is not empty and holds no population", hint="give a new directory")
    write_whole(known, description.encode())
