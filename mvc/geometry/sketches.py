"""Seeded linear sketches of tensors. Owns the projection; caches nothing.

A sketch of a tensor with n values is one vector of floats: first sqrt(n) times the mean, then the residual after the
mean, which is itself where n is small and a CountSketch of it (Charikar, Chen, Farach-Colton 2002; Weinberger et al.
2009 for its inner products) where it is not. The two parts are orthogonal, so inner products of sketches estimate
those of tensors without bias, exactly where n ≤ EXACT, else with relative standard error about sqrt(2 / WIDTH) on a
squared distance. It is linear: the sketch of an average is the average of sketches. The same n has the same
projection in every repository, so a sketch depends on the tensor's values alone.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

#: changes whenever the same tensor would give another sketch; cached sketches of other versions are not used
VERSION = 1
#: tensors with at most so many values are kept exactly
EXACT = 4096
#: length of the residual's sketch above that; a power of two
WIDTH = 512

_SEED = 0x6D7663
_BLOCK = 1 << 20
_scratch = threading.local()


@dataclass(frozen=True)
class Signature:
    """What is remembered of one tensor: its sketch and the figures that need every value.

    ``values`` float32 [1 + n] or [1 + WIDTH]. Values that are not finite count as zero in it and are counted.
    """

    numel: int
    nonfinite: int
    max_abs: float
    values: npt.NDArray[np.float32]


def signature_length(numel: int) -> int:
    """Length of ``Signature.values`` for a tensor with ``numel`` values."""
    return 1 + (numel if numel <= EXACT else WIDTH)


def sign_tensor(array: npt.NDArray[Any]) -> Signature:
    """Signature of one float tensor of any shape and float dtype, some ten megabytes of memory at a time."""
    flat = array.reshape(-1)
    n = flat.size
    nonfinite, max_abs, total = 0, 0.0, 0.0
    block = np.empty(0)
    for start in range(0, n, _BLOCK):
        block, bad = _finite(flat[start : start + _BLOCK])
        nonfinite += bad
        total += float(block.sum())
        max_abs = max(max_abs, float(block.max()), -float(block.min()))
    mean = total / n if n else 0.0
    if n <= EXACT:
        residual = block - mean
    else:
        residual = np.zeros(WIDTH)
        for index, start in enumerate(range(0, n, _BLOCK)):
            if n > _BLOCK:  # else it is at hand
                block, _ = _finite(flat[start : start + _BLOCK])
            buckets, signs = _first_projection(_rounded(len(block))) if index == 0 else _projection(index, len(block))
            block -= mean
            block *= signs[: len(block)]
            residual += np.bincount(buckets[: len(block)], weights=block, minlength=WIDTH)
    # sums over values near the largest float32 do not fit one
    limit = np.finfo(np.float32).max
    values = np.clip(np.concatenate([[mean * np.sqrt(n)], residual]), -limit, limit).astype(np.float32)
    return Signature(numel=n, nonfinite=nonfinite, max_abs=max_abs, values=values)


def _finite(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], int]:
    """Values [≤ _BLOCK] with zero for those that are not finite, and how many those are; the next call in this thread
    writes over them. New memory would take as long as the arithmetic."""
    if not hasattr(_scratch, "block") or len(_scratch.block) < len(values):
        _scratch.block = np.empty(_rounded(len(values)))
    block: npt.NDArray[np.float64] = _scratch.block[: len(values)]
    np.copyto(block, values)
    if math.isfinite(float(block @ block)):  # cheaper than to look at every value
        return block, 0
    finite = np.isfinite(block)
    block[~finite] = 0.0
    return block, int(block.size - np.count_nonzero(finite))


def _rounded(size: int) -> int:
    """The next power of two: few sizes, for many that tensors have."""
    return int(1 << (size - 1).bit_length()) if size else 0


@lru_cache(maxsize=2)  # at most 16 MB each
def _first_projection(size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """That of the first block, which is all that most tensors have."""
    return _projection(0, size)


def _projection(block: int, size: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Buckets and signs of one block of coordinates; the first ``size`` of them do not depend on ``size``."""
    random = np.random.Generator(np.random.PCG64([_SEED, block]))
    words = random.integers(0, 1 << 16, size=size, dtype=np.uint16)
    return (words % WIDTH).astype(np.intp), np.where(words & 0x8000, 1.0, -1.0)
