"""The public zoos of Unterthiner et al. 2020 ("Predicting Neural Network Accuracy from Weights"), read as they are
distributed ("Small CNN Zoo"). Owns their layout on disk; runs nothing that is in them.

The layout is that of the authors' README and notebook (google-research, dnn_predict_accuracy) and of what others read
of it (the columns of layout.csv; that step is the epoch):

    weights.npy      a checkpoint's weights in each row, (N, d)
    metrics.csv.gz   as many rows: modeldir and step (the epoch), accuracies, config.… (or metrics.csv)
    layout.csv       which columns are which tensor: varname, start_idx, end_idx, shape
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import FormatError, InputError, NotFoundError
from mvc.zoo.files import read_limited
from mvc.zoo.populations import Zoo

_LIMIT = 1 << 30  # bytes of a table, unpacked; the largest that is distributed has a tenth of that
_MEASURED = ("train_accuracy", "test_accuracy")
#: a fact's name → its column, of numbers and of text
_NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "lr": "config.learning_rate",
        "weight_decay": "config.l2reg",
        "dropout": "config.dropout",
        "fraction": "config.train_fraction",
    }
)
_TEXTS: Mapping[str, str] = MappingProxyType(
    {"activation": "config.activation", "init": "config.w_init", "optimiser": "config.optimizer"}
)
_Row = Mapping[str, str]


def read_unterthiner(directory: Path, *, models: int | None = None) -> Zoo:
    """The zoo in ``directory``, or its first ``models`` models.

    Tensors are named, ordered and laid out as PyTorch has them: conv1.weight (out, in, height, width), conv1.bias, …,
    fc1.weight (out, in), fc1.bias. Left out are models that lack one of the epochs of the others or whose weights are
    not all finite. Facts have the values of the zoo's own tables, and no F1; ``members`` is empty, for what is no card
    of ours. Raises NotFoundError, FormatError, InputError.
    """
    weights = _weights(directory / "weights.npy")
    shapes, columns = _layout(_table(directory, "layout.csv"), weights.shape[1])
    rows = _table(directory, "metrics.csv")
    if len(rows) != len(weights):
        raise FormatError(f"{directory}: {len(weights)} rows of weights, {len(rows)} of metrics")
    epochs, found = _complete(directory, rows)
    if models is not None and models < 1:
        raise InputError("at least one model is to be read")
    kept: list[list[int]] = []
    arrays: list[npt.NDArray[np.float32]] = []
    for numbers in found:
        one = np.asarray(weights[numbers][:, columns], np.float32)  # (K, d)
        if np.isfinite(one).all():
            kept.append(numbers)
            arrays.append(one)
        if len(kept) == models:
            break
    if not kept or (models is not None and len(kept) < models):
        raise InputError(f"{directory} has {len(kept)} whole models", hint="ask for fewer")
    return Zoo(directory.resolve().name, np.stack(arrays), shapes, epochs, (), _facts(directory, rows, kept))


def _weights(file: Path) -> npt.NDArray[np.floating[Any]]:
    """(N, d), read from the disk where it is looked at."""
    try:
        weights = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise NotFoundError(f"no {file.name} in {file.parent}") from error
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(f"{file} is no array: {error}") from error
    if not isinstance(weights, np.ndarray) or weights.ndim != 2 or weights.dtype.kind != "f" or 0 in weights.shape:
        raise FormatError(f"{file} holds no table of weights")
    return weights


def _table(directory: Path, name: str) -> list[_Row]:
    """Rows of a CSV file, gzipped or not."""
    file = next((path for path in (directory / f"{name}.gz", directory / name) if path.is_file()), None)
    if file is None:
        raise NotFoundError(f"no {name} in {directory} (nor {name}.gz)")
    try:
        reader = csv.DictReader(io.StringIO(read_limited(file, _LIMIT).decode("utf-8"), newline=""), restval="")
        return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{file} is no table: {error}") from error


def _layout(rows: Sequence[_Row], width: int) -> tuple[Mapping[str, tuple[int, ...]], npt.NDArray[np.int64]]:
    """Our shapes, and for each of our weights its column among theirs, (d,)."""
    layers: dict[str, dict[str, npt.NDArray[np.int64]]] = defaultdict(dict)
    try:
        for row in rows:
            layer, _, kind = row["varname"].split(":")[0].rpartition("/")
            shape = tuple(int(number) for number in re.findall(r"\d+", row["shape"]))
            start, stop = int(row["start_idx"]), int(row["end_idx"])
            if not 0 <= start <= stop <= width or stop - start != math.prod(shape) or kind in layers[layer]:
                raise ValueError(f"{row['varname']!r} at {start} to {stop}, {shape}")
            layers[layer][kind] = np.arange(start, stop).reshape(shape)
        named: dict[str, npt.NDArray[np.int64]] = {}
        counts = {"conv": 0, "fc": 0}
        for tensors in layers.values():
            kernel = tensors["kernel"]
            kind = {4: "conv", 2: "fc"}[kernel.ndim]
            counts[kind] += 1
            # theirs are (height, width, in, out) and (in, out)
            named[f"{kind}{counts[kind]}.weight"] = kernel.transpose((3, 2, 0, 1) if kind == "conv" else (1, 0))
            if "bias" in tensors:
                named[f"{kind}{counts[kind]}.bias"] = tensors["bias"]
        columns = np.concatenate([places.ravel() for places in named.values()])
        if not np.array_equal(np.sort(columns), np.arange(width)):
            raise ValueError(f"it does not say of each of {width} columns, once, what it is")
    except (KeyError, ValueError) as error:
        raise FormatError(f"layout.csv: not understood: {error}") from error
    return MappingProxyType({name: places.shape for name, places in named.items()}), columns


def _complete(directory: Path, rows: Sequence[_Row]) -> tuple[npt.NDArray[np.float64], list[list[int]]]:
    """Epochs [K], and each whole model's row numbers in their order."""
    models: dict[str, dict[float, int]] = defaultdict(dict)
    try:
        for number, row in enumerate(rows):
            models[row["modeldir"]][float(row["step"])] = number
    except (KeyError, ValueError) as error:
        raise FormatError(f"{directory}: its metrics lack modeldir or step: {error}") from error
    epochs = sorted(set().union(*models.values()))
    return np.array(epochs), [[steps[at] for at in epochs] for steps in models.values() if len(steps) == len(epochs)]


def _facts(directory: Path, rows: Sequence[_Row], kept: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[Any]]:
    try:
        facts: dict[str, npt.NDArray[Any]] = {
            # what a table leaves empty was not a number
            name: np.array([[float(rows[number][name] or "nan") for number in numbers] for numbers in kept], np.float32)
            for name in _MEASURED
        }
        first = [rows[numbers[0]] for numbers in kept]
        facts |= {name: np.array([float(row[column]) for row in first]) for name, column in _NUMBERS.items()}
        facts["seed"] = np.array([int(float(row["config.random_seed"])) for row in first])
        facts |= {name: np.array([row[column] for row in first]) for name, column in _TEXTS.items()}
    except (KeyError, ValueError) as error:
        raise FormatError(f"{directory}: its metrics lack a column, or a number in it: {error}") from error
    return {**facts, "gap": facts["train_accuracy"] - facts["test_accuracy"]}
