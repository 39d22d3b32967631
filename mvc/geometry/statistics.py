"""Layer statistics s(W): seven figures of each tensor, a model's shortest description. Owns them; reads one tensor at
a time.

Mean, variance and five percentiles of every layer's weights and of its biases, joined in the order of the tensors.
Unterthiner, Keysers, Gelly, Bousquet and Tolstikhin 2020 predict accuracy from them; Schürholt, Kostadinov and Borth
2021 use the same with less extreme percentiles as the baseline of their representations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: smallest, quartiles and largest value (Unterthiner et al. 2020)
EXTREMES = (0, 25, 50, 75, 100)
#: without the single smallest and largest values (Schürholt et al. 2021)
TRIMMED = (1, 25, 50, 75, 99)


def tensor_statistics(values: npt.NDArray[Any], percentiles: Sequence[float] = EXTREMES) -> Floats:
    """Mean, variance and percentiles of one tensor of any shape and float dtype, [2 + len(percentiles)] float64.

    The variance is the population's (divided by n), percentiles interpolate linearly. Values that are not finite are
    left out; without a finite one all figures are NaN.
    """
    flat = np.asarray(values).reshape(-1).astype(np.float64)
    if not np.isfinite(flat).all():
        flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return np.full(2 + len(percentiles), np.nan)
    with np.errstate(over="ignore"):
        return np.concatenate([[flat.mean(), flat.var()], np.percentile(flat, percentiles)])


def layer_statistics(tensors: Iterable[npt.NDArray[Any]], percentiles: Sequence[float] = EXTREMES) -> Floats:
    """s(W) [tensors · (2 + len(percentiles))] of a model given tensor by tensor; one of them is held at a time.

    Two models are compared tensor by tensor: give both in the same order, as `Architecture.names` has it.
    """
    parts = [tensor_statistics(tensor, percentiles) for tensor in tensors]
    return np.concatenate(parts) if parts else np.empty(0)


def statistic_names(tensors: Iterable[str], percentiles: Sequence[float] = EXTREMES) -> tuple[str, ...]:
    """Names of the figures of `layer_statistics`, in its order: ``fc1.weight mean``, ``fc1.weight p25``, …"""
    figures = ("mean", "variance", *(f"p{q:g}" for q in percentiles))
    return tuple(f"{name} {figure}" for name in tensors for figure in figures)


def population_statistics(
    points: npt.NDArray[Any], shapes: Iterable[tuple[int, ...]], percentiles: Sequence[float] = EXTREMES
) -> Floats:
    """`layer_statistics` [n, tensors · (2 + len(percentiles))] of n models given flat, [n, d], all values finite.

    ``shapes`` are those of the tensors that d is made of. The same figures as one by one, in a fraction of the time.
    """
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    figures = []
    for part in np.split(points, ends[:-1], axis=1):
        values = part.astype(np.float64)  # (n, weights of one tensor)
        figures += [values.mean(1), values.var(1), *np.percentile(values, percentiles, axis=1)]
    return np.stack(figures, axis=1)
