"""What tensors' values say of an average: the error that a narrow dtype made, and what the sources leave. Keeps none.

Models are given as keys of their tensors, in one order, and a reader of values; one tensor of each is held at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mvc.objects import DTYPES

Key = TypeVar("Key")
Read = Callable[[Key], npt.NDArray[Any]]

#: dtypes that averages are rounded to, with bits of their mantissa and smallest normal exponent
_NARROW = (("F16", 10, -14), ("BF16", 7, -126))


def rounding(tensors: Sequence[Key], read: Read[Key]) -> float:
    """Norm of the error that rounding made if every value went through a narrow dtype, 0 where they did not."""
    for kind, bits, smallest in _NARROW:
        narrow = DTYPES[kind].numpy
        if narrow is None:
            continue
        squares = 0.0
        for key in tensors:
            array = read(key)
            if not _passes(array, narrow):
                break
            exponents = np.frexp(np.abs(array.astype(np.float64)))[1] - 1
            squares += float((4.0 ** (np.maximum(exponents, smallest) - bits)).sum()) / 12  # units in the last place
        else:
            return math.sqrt(squares)
    return 0.0


def residual(
    tensors: Sequence[Key],
    read: Read[Key],
    sources: Sequence[Callable[[int], npt.NDArray[Any]]],
    weights: Sequence[float],
) -> tuple[float, float]:
    """Norm of what the average of ``sources`` leaves of the model, and the model's own, over all values.

    Each source gives the values of its tensor in a place.
    """
    left, norm = 0.0, 0.0
    for place, key in enumerate(tensors):
        rest = read(key).astype(np.float64).reshape(-1)
        norm += float(rest @ rest)
        for source, weight in zip(sources, weights, strict=True):
            rest -= weight * source(place).astype(np.float64).reshape(-1)
        left += float(rest @ rest)
    return math.sqrt(left), math.sqrt(norm)


def _passes(array: npt.NDArray[Any], narrow: np.dtype[Any]) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(narrow).astype(array.dtype) == array).all())
