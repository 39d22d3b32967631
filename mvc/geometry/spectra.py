"""Empirical spectra of weight matrices: norms and ranks, the random bulk's edge, the tail's exponent.

What is spectrally random about a layer and what was learned shows in the eigenvalues of its correlation matrix WᵀW
(Martin & Mahoney 2021): a bulk as Marchenko & Pastur 1967 have it, spikes beyond its edge, and in well trained large
layers a tail like a power law. Eigenvalues here are those of WᵀW, the squared singular values, not divided by the
number of rows. A convolution is the matrices [out, in] of its kernel's places, whose eigenvalues are pooled (as the
weightwatcher package does): not the spectrum of the convolution as an operator. Computes; judges nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry.bulk import Bulk, fit_bulk
from mvc.geometry.tails import PowerLaw, fit_tail

Floats = npt.NDArray[np.float64]

#: matrices with a smaller side than this have no spectrum worth a word
SMALLEST = 8
#: matrices whose smaller side is larger take minutes
LARGEST = 4096
#: eigenvalues that an exponent needs: below, its maximum likelihood is biased (Clauset, Shalizi & Newman 2009)
FEWEST = 50
#: rows of a matrix that are widened to float64 at a time
_ROWS = 1 << 12


@dataclass(frozen=True)
class LayerSpectrum:
    """Figures of one layer.

    ``rows`` ≥ ``columns`` of each of its ``slices`` matrices. ``spectral_norm`` is the largest singular value,
    ``stable_rank`` the squared Frobenius norm over its square, pooled over the slices. ``bulk`` and ``tail`` are None
    where the layer does not carry them; ``silence`` then says why.
    """

    rows: int
    columns: int
    slices: int
    eigenvalues: Floats  # [slices · columns], ascending
    spectral_norm: float
    stable_rank: float
    bulk: Bulk | None
    tail: PowerLaw | None
    silence: tuple[str, ...] = ()

    @property
    def positive(self) -> Floats:
        """Eigenvalues that are zero but for rounding left out: as many as the matrices' ranks."""
        return _positive(self.eigenvalues, self.rows)


def layer_spectrum(array: npt.NDArray[Any]) -> LayerSpectrum | str:
    """The spectrum of one weight of any float dtype, or the reason why it has none."""
    if reason := spectrum_refused(array.shape):
        return reason
    values = eigenvalues(array)
    if values is None:
        return "values that are not finite"
    largest = float(values[-1])
    if largest <= 0:
        return "all zero"
    columns, rows = sorted(array.shape[:2])
    slices = math.prod(array.shape[2:])
    bulk = fit_bulk(values, rows, columns)
    positive = _positive(values, rows)
    tail = fit_tail(positive) if len(positive) >= FEWEST else None
    silence: tuple[str, ...] = (bulk,) if isinstance(bulk, str) else ()
    if len(positive) < FEWEST:
        silence += (f"fewer than {FEWEST} eigenvalues above zero, no exponent",)
    elif tail is None:
        silence += ("all eigenvalues alike, no tail",)
    return LayerSpectrum(
        rows,
        columns,
        slices,
        values,
        math.sqrt(largest),
        float(values.sum()) / largest,
        None if isinstance(bulk, str) else bulk,
        tail,
        silence,
    )


def spectrum_refused(shape: tuple[int, ...]) -> str | None:
    """Why a tensor of this shape has no spectrum; None where it has one."""
    if len(shape) < 2 or math.prod(shape) == 0:
        return "not a matrix"
    smaller = min(shape[:2])
    if smaller < SMALLEST:
        return f"smaller side {smaller}, {SMALLEST} are needed"
    if smaller > LARGEST:
        return f"smaller side {smaller:,}, up to {LARGEST:,} are solved"
    return None


def eigenvalues(array: npt.NDArray[Any]) -> Floats | None:
    """Eigenvalues of WᵀW on the smaller side, those of a convolution [out, in, ...] pooled over its kernel's places.

    Ascending, [smaller side · places] float64, none below zero. None where the array has values that are not finite.
    """
    if not all(np.isfinite(array[start : start + _ROWS]).all() for start in range(0, len(array), _ROWS)):
        return None
    matrices = np.moveaxis(array.reshape(*array.shape[:2], -1), 2, 0)  # (slices, out, in)
    if array.shape[0] < array.shape[1]:
        matrices = matrices.transpose(0, 2, 1)
    found = [np.linalg.eigvalsh(_gram(matrix)) for matrix in matrices]
    return np.sort(np.clip(np.concatenate(found), 0.0, None))


def _positive(values: Floats, rows: int) -> Floats:
    kept: Floats = values[values > values[-1] * rows * np.finfo(np.float64).eps]
    return kept


def _gram(matrix: npt.NDArray[Any]) -> Floats:
    """WᵀW [columns, columns] of a matrix [rows, columns], a few rows at a time."""
    total = np.zeros((matrix.shape[1], matrix.shape[1]))
    for start in range(0, matrix.shape[0], _ROWS):
        block = matrix[start : start + _ROWS].astype(np.float64)
        total += block.T @ block
    return total
