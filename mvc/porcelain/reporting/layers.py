"""How much each layer changed at each step: the records of steps in the index, summed up. Owns the cells."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mvc.drift.profiles import StepProfile
from mvc.index import StepRow, chunked
from mvc.objects import ObjectId
from mvc.porcelain.comparing import layer_of
from mvc.porcelain.log import natural
from mvc.porcelain.reporting.stock import Stock
from mvc.report import Grid, Picture, Table

#: layers that a picture can show, and cells in all pictures together
LAYERS, CELLS = 96, 400_000


def read_steps(stock: Stock, numbers: Sequence[int]) -> dict[int, tuple[str, StepProfile]]:
    """Commit → the content that it is compared with and the step from there, as far as the index has it."""
    if not numbers:
        return {}
    row = stock.architectures[stock.lineages[stock.home[numbers[0]]].architecture]
    names = [name for name, _ in row.names]
    wanted = {stock.contents[number] for number in numbers}
    column = StepRow.TABLE.c
    steps: dict[str, tuple[str, StepProfile]] = {}
    for piece in chunked(map(ObjectId, wanted)):
        for step in stock.workspace.read(lambda c, piece=piece: StepRow.select(c, column.now.in_(piece))):  # type: ignore[misc]
            profile = StepProfile.unpack(names, step.record)
            if profile is not None:
                steps[step.now] = (step.before, profile)
    return {number: steps[stock.contents[number]] for number in numbers if stock.contents[number] in steps}


def draw_layers(stock: Stock, lineage: int, cells: int = CELLS) -> Picture | None:
    """None for a lineage without a recorded step. Layers are summed up to fit into ``cells``."""
    steps = read_steps(stock, stock.members[lineage])
    if not steps:
        return None
    most = max(1, min(LAYERS, cells // len(steps)))
    names = sorted({name for _, step in steps.values() for name in step.tensors}, key=natural)
    groups = _groups(names, most)
    columns = [_changes(step, groups) for _, step in steps.values()]
    down = list(dict.fromkeys(groups.values()))
    summed = len(set(map(layer_of, names)))
    note = f"How much each layer changed at each step of {stock.lineages[lineage].name}, as a share of its size; blank "
    note += "where nothing changed. A bright column is a violent step, a bright row a layer that trains apart."
    if len(down) < summed:
        note += f" {summed} layers are summed up as {len(down)}."
    places = [stock.commits[number].position for number in steps]
    across = Table({"c": list(steps), "x1": [t - 0.5 for t in places], "x2": [t + 0.5 for t in places]})
    values = [[column.get(layer) for column in columns] for layer in down]
    grid = Grid(Table({"layer": down}), across, values)
    return Picture("layers", f"Layers of {stock.lineages[lineage].name}", note, {"cells": grid}, (lineage,))


def _changes(step: StepProfile, groups: Mapping[str, str]) -> dict[str, float | None]:
    """Layer → log10 of its change over its norm, None for no change."""
    moved: dict[str, float] = defaultdict(float)
    size: dict[str, float] = defaultdict(float)
    for name, tensor in step.tensors.items():
        moved[groups[name]] += tensor.squared_distance
        size[groups[name]] += (tensor.squared_before + tensor.squared_now) / 2
    return {
        layer: round(0.5 * math.log10(moved[layer] / size[layer]), 2) if moved[layer] > 0 < size[layer] else None
        for layer in moved
    }


def _groups(names: Sequence[str], most: int) -> dict[str, str]:
    """Tensor → what it is summed up in, at most so many: its module, or a module around that, or a run of numbered
    blocks; ``names`` are in natural order."""
    deepest = max(name.count(".") + name.count("/") for name in names) + 1
    inner: dict[str, str] = {}
    for depth in range(deepest, 0, -1):
        found = {name: layer_of(name, depth) for name in names}
        if len(set(found.values())) <= most:
            blocks = any(module.rpartition(".")[2].isdigit() for module in inner.values())
            return _joined(found, inner, most) if blocks else found
        inner = found
    return dict.fromkeys(names, "all layers")


def _joined(around: Mapping[str, str], inner: Mapping[str, str], most: int) -> dict[str, str]:
    """Tensor → the run of neighbours that its ``inner`` module is in, all in one module ``around`` them. Runs are as
    short as leaves at most so many."""
    modules: dict[str, dict[str, None]] = defaultdict(dict)
    for name, module in inner.items():
        modules[around[name]][module] = None
    length = next(n for n in range(1, len(inner) + 1) if sum(-(-len(own) // n) for own in modules.values()) <= most)
    title: dict[str, str] = {}
    for own in map(list, modules.values()):
        for start in range(0, len(own), length):
            run = own[start : start + length]
            words = run[0] if len(run) == 1 else f"{run[0]} … {run[-1].rpartition('.')[2]}"
            title |= dict.fromkeys(run, words)
    return {name: title[module] for name, module in inner.items()}
