"""A walk as series of figures that go on smoothly while training is healthy. Owns the figures; predicts nothing.

Each step gives figures of the whole model (length, turn, growth of the norm), of each tensor, and of patterns within
one: how its change spreads over rows (units) and columns (inputs). A pattern is a figure in two stages: its distance
from the mean of the patterns just before it, as a log, which is again a series that goes on smoothly. The ``head`` is
the matrix with the fewest rows, a classifier's last layer: its rows are classes, and what happens to labels shows
there first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mvc.drift.profiles import StepProfile
from mvc.drift.tensorsteps import TensorStep

Floats = npt.NDArray[np.float64]

#: kind of figure → usual size of the error of predicting it, where nothing is known of a lineage. Figures of logs are
#: in natural logs, those of cosines in Fisher's z, sums over rows in standard errors of changes that do not agree
KINDS: Mapping[str, float] = {
    "length": 0.1,
    "turn": 0.1,
    "norm": 0.05,
    "spread": 0.4,
    "matrix-length": 0.12,
    "matrix-norm": 0.06,
    "rank": 0.1,
    "rows": 0.3,
    "columns": 0.3,
    "row-sums": 0.3,
    "least-row-sum": 0.25,
    "largest-row-sum": 0.25,
    "vector-drift": 0.3,
    "units": 0.3,
    "least-unit": 0.3,
    "head-rows": 0.3,
    "head-row-sums": 0.3,
    "head-least-row-sum": 0.25,
    "head-largest-row-sum": 0.25,
    "head-units": 0.3,
    "head-least-unit": 0.3,
    "head-largest-unit": 0.3,
}
#: steps whose mean pattern one is compared with
_RECENT = 4
#: steps before one that its figures depend on
BEHIND = _RECENT + 1
#: so many matrices, and so many vectors, the largest ones, say enough of a model
_TENSORS = 48
#: cosines beyond this say "straight on" or "straight back"; keeps their Fisher transform finite
_STRAIGHT = 0.999


@dataclass(frozen=True)
class Layout:
    """Which tensors of an architecture are looked at: the largest, in natural order of their names.

    ``head`` is one of the matrices, ``beside`` its bias, one of the vectors; None where there is none.
    """

    matrices: tuple[str, ...]
    vectors: tuple[str, ...]
    head: str | None
    beside: str | None

    @classmethod
    def of(cls, shapes: Mapping[str, Sequence[int]]) -> Layout:
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        kinds: tuple[list[str], list[str]] = ([], [])
        for name, shape in shapes.items():
            if sizes[name] > 1:
                kinds[len(shape) < 2].append(name)
        largest = (sorted(names, key=lambda name: (-sizes[name], name))[:_TENSORS] for names in kinds)
        matrices, vectors = (sorted(names, key=_natural) for names in largest)
        head = min(reversed(matrices), key=lambda name: shapes[name][0], default=None)
        module = None if head is None else head.rpartition(".")[0]
        fitting = (name for name in vectors if head and name.rpartition(".")[0] == module)
        beside = next((name for name in fitting if head and sizes[name] == shapes[head][0]), None)
        return cls(tuple(matrices), tuple(vectors), head, beside)

    @cached_property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """Kind and tensor ("" for the whole model) of every figure, in the order of a walk's columns."""
        found = [("length", ""), ("turn", ""), ("norm", ""), ("spread", "")]
        for name in self.matrices:
            head = "head-" if name == self.head else ""
            patterns = ("rows", "row-sums", "least-row-sum", "largest-row-sum")
            found += [("matrix-length", name), ("matrix-norm", name), ("rank", name), ("columns", name)]
            found += [(head + kind, name) for kind in patterns]
        for name in self.vectors:
            head = "head-" if name == self.beside else ""
            found += [("vector-drift", name), (f"{head}units", name), (f"{head}least-unit", name)]
            found += [("head-largest-unit", name)] if head else []
        return tuple(found)

    @cached_property
    def usual(self) -> Floats:
        """Usual sizes [F] of prediction errors."""
        return np.array([KINDS[kind] for kind, _ in self.figures])


def walk(layout: Layout, profiles: Sequence[StepProfile], turns: Floats) -> Floats:
    """Figures [T, F] along T consecutive steps, NaN where there is none. A row depends on its own step and up to four
    before it alone. ``turns`` [T] are cosines between each step and the one before it, the first one NaN.
    """
    if not profiles:
        return np.empty((0, len(layout.figures)))
    steps = {name: [profile.tensors[name] for profile in profiles] for name in (*layout.matrices, *layout.vectors)}
    found = {
        ("length", ""): _log(np.array([profile.distance for profile in profiles])),
        ("turn", ""): _fisher(turns),
        ("norm", ""): _fisher(np.array([_growth(profile) for profile in profiles])),
        ("spread", ""): _spread(list(steps.values()), len(profiles)),
    }
    for name in layout.matrices:
        head = "head-" if name == layout.head else ""
        found.update({(kind, name): values for kind, values in _matrix(steps[name], head)})
    for name in layout.vectors:
        head = "head-" if name == layout.beside else ""
        found.update({(kind, name): values for kind, values in _vector(steps[name], head)})
    return np.stack([found[figure] for figure in layout.figures], axis=1)


def _spread(tensors: Sequence[Sequence[TensorStep]], steps: int) -> Floats:
    """How a step's length spreads over tensors, as a pattern."""
    if not tensors:
        return np.full(steps, np.nan)
    logs = np.stack([_log(np.array([step.distance for step in rows])) for rows in tensors], axis=1)
    known = np.isfinite(logs)
    means = np.where(known, logs, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return _pattern(logs - means[:, None])


def _matrix(steps: Sequence[TensorStep], head: str) -> Iterator[tuple[str, Floats]]:
    yield "matrix-length", _log(np.array([step.distance for step in steps]))
    yield "matrix-norm", _fisher(np.array([_growth(step) for step in steps]))
    yield "rank", _log(np.array([step.effective_rank for step in steps]))
    rows = _centred_logs(np.stack([step.row_shares for step in steps]))
    yield f"{head}rows", _pattern(rows)
    columns = np.stack([step.column_shares for step in steps])
    yield "columns", _pattern(_centred_logs(columns, floor=1e-4))
    sums = _row_sums(steps)
    yield f"{head}row-sums", _pattern(sums)
    yield f"{head}least-row-sum", sums.min(axis=1)
    yield f"{head}largest-row-sum", sums.max(axis=1)


def _vector(steps: Sequence[TensorStep], head: str) -> Iterator[tuple[str, Floats]]:
    sums = _row_sums(steps)
    yield "vector-drift", sums.sum(axis=1) / np.sqrt(sums.shape[1])
    yield f"{head}units", _pattern(sums)
    yield f"{head}least-unit", sums.min(axis=1)
    if head:
        yield f"{head}largest-unit", sums.max(axis=1)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _growth(step: StepProfile | TensorStep) -> float:
    """Cosine between a step and the weights that it starts from."""
    norms = step.distance * np.sqrt(step.squared_before)
    return float((step.inner - step.squared_before) / norms) if norms > 0 else np.nan


def _row_sums(steps: Sequence[TensorStep]) -> Floats:
    """Sums of the change over (groups of) rows [T, rows], in standard errors of changes that do not agree in sign."""
    sums: Floats = np.stack([step.row_sums for step in steps]).astype(np.float64)
    scaled: Floats = sums * math.sqrt(sums.shape[1])
    return scaled


def _centred_logs(shares: npt.NDArray[np.float32], floor: float = 0.0) -> Floats:
    """Half logs of shares [T, n] about their mean: of root mean squares, whatever the step's length."""
    logs = 0.5 * np.log(shares.astype(np.float64) + floor / max(1, shares.shape[1]) + 1e-12)
    centred: Floats = logs - logs.mean(axis=1, keepdims=True)
    return centred


def _pattern(values: Floats) -> Floats:
    """Log of the largest deviation of each pattern [T, n] from the mean of those just before it; NaN for the first, and
    where nothing deviates at all: a tensor that rested goes on resting, which is no pattern to compare later ones with.
    """
    found = np.full(len(values), np.nan)
    for t in range(2, len(values)):
        recent = values[max(0, t - _RECENT) : t].mean(axis=0)
        deviations = np.abs(values[t] - recent)
        deviations = deviations[np.isfinite(deviations)]
        if deviations.any():
            found[t] = np.log(deviations.max() + 1e-6)
    return found


def _log(values: Floats) -> Floats:
    return np.log(values, out=np.full(len(values), np.nan), where=values > 0)


def _fisher(cosines: Floats) -> Floats:
    """Fisher's z of cosines: large for straight on, 0 for a right angle."""
    return np.arctanh(np.clip(cosines, -_STRAIGHT, _STRAIGHT))
