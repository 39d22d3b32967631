"""Step length and turning angle along a lineage, with what was expected. Owns their rows; the expectation is the one
that `check` judges by (`mvc.drift.forecasts`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mvc.drift import HISTORY, Siblings
from mvc.drift.forecasts import expected
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.stepping import NO_STEPS
from mvc.porcelain.walking import figures_of, layout_of
from mvc.report import Picture, Table, colour

#: columns of a walk: log of the length, Fisher's z of the cosine to the step before
_LENGTH, _TURN = 0, 1
#: how much of what is predicted lies in the band
SHARE = 0.95
#: steps outside of it that are named
SAID = 6


def draw_drift(stock: Stock, lineage: int) -> Picture | None:
    """None for a lineage without a step. Bands begin where there is enough past to judge by."""
    numbers, row = stock.members[lineage], stock.lineages[lineage]
    commits = [stock.commits[number] for number in numbers]
    lengths: list[float | None] = [commit.distance for commit in commits]
    angles: list[float | None] = [commit.turning_angle for commit in commits]
    bands: list[list[list[float | None]]] = [[[None, None] for _ in numbers] for _ in (_LENGTH, _TURN)]
    walk = stock.teachers.walk(row.architecture, row)
    if walk is not None:
        layout = layout_of(stock.architectures[row.architecture])
        figures = figures_of(walk, layout)[:, :2]
        start = min(HISTORY - 1, len(figures))
        ends = expected(figures, layout.usual[:2], _of_two(stock, lineage), start=start, share=SHARE)
        step = {content: place - 1 for place, content in enumerate(walk.path)}
        for i, number in enumerate(numbers):
            # copies and averages have weights that others stepped to
            at = -1 if stock.commits[number].relation in NO_STEPS else step.get(stock.contents[number], -1)
            if at < 0:
                continue
            # what is judged: the step from the last sound checkpoint, wherever the one before was damaged
            lengths[i] = math.exp(figures[at, _LENGTH]) if math.isfinite(figures[at, _LENGTH]) else lengths[i]
            if at >= start:
                low, high = ends[:, at - start]
                bands[_LENGTH][i] = [_number(math.exp(end[_LENGTH])) for end in (low, high)]
                bands[_TURN][i] = [_number(_degrees(end[_TURN])) for end in (high, low)]
    if not any(lengths[1:]):
        return None
    tables = {
        name: Table(
            {
                "c": list(numbers),
                "t": [commit.position for commit in commits],
                "y": [_number(value) for value in values],
                "low": [low for low, _ in band],
                "high": [high for _, high in band],
                "broken": [bool(commit.flags) for commit in commits],
                "colour": [colour(lineage)] * len(commits),
            }
        )
        for name, values, band in (
            ("length", [value if value else None for value in lengths], bands[_LENGTH]),
            ("turn", angles, bands[_TURN]),
        )
    }
    note = f"How far each step of {row.name} went in weight space, and how far it turned from the step before "
    note += "(0° is straight on). "
    note += _conclusion(tables, [commit.position for commit in commits])
    note += " A cross breaks a rule of mvc check." if any(commit.flags for commit in commits) else ""
    return Picture("drift", f"Drift along {row.name}", note, tables, (lineage,))


def _conclusion(tables: Mapping[str, Table], positions: Sequence[int]) -> str:
    """What the band means, and which steps lie outside of it."""
    rows = [[table.columns[name] for name in ("y", "low", "high")] for table in tables.values()]
    if all(low is None for _, lows, _ in rows for low in lows):
        return "There are too few steps to expect anything of the next one."
    outside = [
        at
        for i, at in enumerate(positions)
        if any(None not in (y[i], low[i], high[i]) and not low[i] <= y[i] <= high[i] for y, low, high in rows)
    ]
    said = f"The band holds {SHARE:.0%} of what its own past and its siblings predict. "
    if not outside:
        return f"{said}No step lies outside."
    more = f" and {len(outside) - SAID} more" if len(outside) > SAID else ""
    return f"{said}Outside: @{', @'.join(map(str, outside[:SAID]))}{more}."


def _of_two(stock: Stock, lineage: int) -> Siblings | None:
    """What siblings teach of the first two figures."""
    row = stock.lineages[lineage]
    found = stock.teachers.siblings(row.architecture, row, layout_of(stock.architectures[row.architecture]))
    return None if found is None else Siblings(found.values[:, :, :2], found.squares[:, :2])


def _degrees(fisher: float) -> float:
    return math.degrees(math.acos(math.tanh(fisher)))


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(np.format_float_scientific(value, 4))
