"""What kind of change lies between two tensors: of low rank, as an adapter's that was merged, and how strong.

Owns the rank of a change and its spectral norm; holds no third tensor to find a rank, and one to find spectra. Whether
few values changed is counted where distances are (`compare_tensors`). Densities of eigenvalues are another room's.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]

#: a change of low rank has at most this share of the rank that its shape allows, and at most so much of it
SHARE, MOST = 1 / 4, 128
#: the share of the change that must not be rounding
SIGNAL = 0.5
#: columns drawn beyond the largest rank that counts (Halko, Martinsson, Tropp 2011)
_SPARE = 8
_BLOCK = 1 << 16
#: matrices with a side of at most so many values are decomposed whole
_SMALL = 64
#: relative error of squares that computing leaves
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Spectrum:
    """Of one matrix [rows, all else]: the largest singular value, and the squared norm in units of its square.

    The stable rank (Rudelson and Vershynin 2007) is at most the rank, and does not jump where a value goes to zero.
    """

    spectral_norm: float
    stable_rank: float | None


@dataclass(frozen=True)
class ChangeSpectra:
    """Spectra of a matrix before and after, and of the change."""

    before: Spectrum
    after: Spectrum
    change: Spectrum


def rank_of_change(a: Array, b: Array) -> int | None:
    """Rank of b − a where it is low, but for what rounding to the tensors' dtypes leaves; None where it is not.

    Both of equal shape, their first axis the rows. Low: at most SHARE of the rank that the shape allows. A sketch of a
    few hundred rows and columns [Clarkson and Woodruff 2009] rules most changes out at the cost of one subtraction;
    what passes is decomposed. None, too, for what is no matrix, has values that are not finite, or is equal.
    """
    rows, columns = _shape(a)
    most = min(MOST, int(SHARE * min(rows, columns)))
    if most < 1 or a.shape != b.shape:
        return None
    sketch, squared, noise = sketch_of_change(a, b, 2 * most + _SPARE)
    if not math.isfinite(squared) or squared <= noise:
        return None  # not finite, nothing, or nothing that rounding would not do
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(sketch @ rng.normal(size=(len(sketch), most + _SPARE // 2)))
    left = sketch - basis @ (basis.T @ sketch)
    if np.vdot(left, left) > (_ROUNDING + 4 * noise / squared) * np.vdot(sketch, sketch):
        return None
    values, squared = _largest_values(a, b, min(most + _SPARE, rows, columns))
    # what rounding alone would have as its largest singular value
    edge = math.sqrt(noise / (rows * columns)) * (math.sqrt(rows) + math.sqrt(columns))
    rank = int(np.count_nonzero(values > max(edge, math.sqrt(_ROUNDING) * values[0])))
    kept = float((values[:rank] ** 2).sum())
    if not 1 <= rank <= most or kept < SIGNAL * squared or squared - kept > _ROUNDING * squared + 2 * noise:
        return None
    return rank


def spectra_of_change(a: Array, b: Array) -> ChangeSpectra | None:
    """Spectral norms and stable ranks; None for what is no matrix. Values that are not finite count as zero."""
    if a.ndim < 2 or not a.size or a.shape != b.shape:
        return None
    x, y = (_finite(array) for array in (a, b))
    before, after = _spectrum(x), _spectrum(y)
    return ChangeSpectra(before, after, _spectrum(y - x))


def _finite(array: Array) -> Floats:
    wide: Floats = array.reshape(len(array), -1)
    if wide.dtype != np.float64:
        wide = wide.astype(np.float32, copy=False)
    return wide if np.isfinite(wide).all() else np.nan_to_num(wide, posinf=0.0, neginf=0.0)


def _spectrum(matrix: Floats) -> Spectrum:
    squared = float(np.einsum("ij,ij->", matrix, matrix, dtype=np.float64))
    if squared == 0:
        return Spectrum(0.0, None)
    if min(matrix.shape) <= _SMALL:
        norm = float(np.linalg.norm(matrix.astype(np.float64), 2))
    else:
        start = np.random.default_rng(0).normal(size=min(matrix.shape)).astype(matrix.dtype)
        svds = importlib.import_module("scipy.sparse.linalg").svds
        norm = float(svds(matrix, k=1, tol=1e-6, v0=start, return_singular_vectors=False)[0])
    return Spectrum(norm, max(1.0, squared / norm**2))


def _shape(a: Array) -> tuple[int, int]:
    return (0, 0) if a.ndim < 2 or not a.size else (a.shape[0], a.size // a.shape[0])


def _blocks(a: Array, b: Array) -> Iterator[tuple[int, Floats, Floats]]:
    """Stretches of rows of both, in single precision at least, with the number of the first."""
    rows, columns = _shape(a)
    wide = np.float64 if np.float64 in (a.dtype, b.dtype) else np.float32
    x, y = a.reshape(rows, columns), b.reshape(rows, columns)
    size = max(1, _BLOCK // columns)
    for start in range(0, rows, size):
        yield start, x[start : start + size].astype(wide, copy=False), y[start : start + size].astype(wide, copy=False)


def sketch_of_change(a: Array, b: Array, size: int) -> tuple[Floats, float, float]:
    """The change with rows and columns added up, with random signs, into ``size`` each; its squares, and rounding's."""
    rows, columns = _shape(a)
    rng = np.random.default_rng(0)
    row_signs, column_signs = (rng.choice(np.array([-1, 1], np.float32), count) for count in (rows, columns))
    sketch = np.zeros((size, size))
    squared, noise = 0.0, 0.0
    rounding = [_precision(array) ** 2 / 12 for array in (a, b)]
    for start, x, y in _blocks(a, b):
        change = y - x
        for values, unit in ((x, rounding[0]), (y, rounding[1])):
            noise += unit * float(np.vdot(values, values))
        squared += float(np.vdot(change, change))
        change *= column_signs
        change *= row_signs[start : start + len(change), None]
        _add_up(sketch, start, _folded(change, size))
    return sketch, squared, noise


def _folded(change: Floats, size: int) -> Floats:
    """Columns [rows, columns] added up into ``size``."""
    whole = change.shape[1] // size * size
    folded: Floats = change[:, :whole].reshape(len(change), -1, size).sum(1)
    folded[:, : change.shape[1] - whole] += change[:, whole:]
    return folded


def _add_up(sketch: Floats, start: int, rows: Floats) -> None:
    """Adds rows, of which the first has the number ``start``, to those of the sketch in turn."""
    at = 0
    while at < len(rows):
        place = (start + at) % len(sketch)
        count = min(len(sketch) - place, len(rows) - at)
        sketch[place : place + count] += rows[at : at + count]
        at += count


def _largest_values(a: Array, b: Array, count: int) -> tuple[Floats, float]:
    """The largest singular values of the change, by a randomised range finder, and its squared norm."""
    rows, columns = _shape(a)
    probes = np.random.default_rng(1).normal(size=(columns, count))
    image = np.empty((rows, count))
    squared = 0.0
    for start, x, y in _blocks(a, b):
        change = (y - x).astype(np.float64)
        image[start : start + len(x)] = change @ probes
        squared += float(np.vdot(change, change))
    basis, _ = np.linalg.qr(image)
    projected = np.zeros((count, columns))
    for start, x, y in _blocks(a, b):
        projected += basis[start : start + len(x)].T @ (y - x).astype(np.float64)
    return np.linalg.svd(projected, compute_uv=False), squared


def _precision(array: Array) -> float:
    """Distance from 1 to the next number of an array's dtype."""
    limits: Any = ml_dtypes.finfo
    return float(limits(array.dtype).eps)
