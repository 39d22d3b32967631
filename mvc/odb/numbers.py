"""Numbers as integers in the same order, so that values near each other are integers near each other. Owns the bits of
every dtype, and prediction; exact on every machine, as nothing here is computed in floating point.

A float's bits, sign and magnitude, become two's complement; a difference wraps around, so none overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.objects import DTYPES, TensorSpec

#: signed integers of a number's width
Ordered = npt.NDArray[Any]

_MANTISSAS = {
    "F64": 52,
    "F32": 23,
    "F16": 10,
    "BF16": 7,
    "F8_E4M3": 3,
    "F8_E4M3FNUZ": 3,
    "F8_E5M2": 2,
    "F8_E5M2FNUZ": 2,
    "C64": 23,
    "C128": 52,
}


@dataclass(frozen=True, slots=True)
class NumberForm:
    """``width`` in bytes, ``mantissa`` in bits: those below the exponent; None for whole numbers."""

    width: int
    mantissa: int | None

    @property
    def signed(self) -> np.dtype[Any]:
        return np.dtype(f"<i{self.width}")

    @property
    def unsigned(self) -> np.dtype[Any]:
        return np.dtype(f"<u{self.width}")

    @property
    def largest(self) -> int:
        """The largest signed integer: all bits but the sign."""
        return int((1 << (8 * self.width - 1)) - 1)

    def order(self, bits: Ordered) -> Ordered:
        """Bits (as signed integers) → ordered integers, and back: it is its own inverse."""
        if self.mantissa is None:
            return bits
        ordered = bits >> (8 * self.width - 1)
        ordered &= self.largest
        ordered ^= bits
        return ordered

    def fold(self, residuals: Ordered) -> npt.NDArray[Any]:
        """Signed → unsigned, small ones small: 0, −1, 1, −2, … become 0, 1, 2, 3, … (zig-zag)."""
        folded = residuals >> (8 * self.width - 1)
        folded ^= residuals << 1
        return folded.view(self.unsigned)

    def unfold(self, folded: npt.NDArray[Any]) -> Ordered:
        """The inverse of ``fold``."""
        residuals = (folded >> 1).view(self.signed)
        residuals ^= -(folded & 1).view(self.signed)
        return residuals

    def predict(self, first: Ordered, second: Ordered | None, eighths: int) -> Ordered:
        """``first`` + (``first`` − ``second``) · ``eighths``/8, rounded.

        A weight that moved by more than a factor of two, or through zero, is not extrapolated: there the integers are
        far apart though the numbers are not.
        """
        if second is None or not eighths or self.mantissa is None:
            return first
        moved = first - second
        limit = 1 << self.mantissa
        moved[(moved > limit) | (moved < -limit)] = 0
        moved *= eighths
        moved += 4
        moved >>= 3
        moved += first
        return moved

    def exponents(self, bits: Ordered) -> Ordered:
        """Exponent field of each number; 0 for whole numbers."""
        if self.mantissa is None:
            return np.zeros_like(bits)
        magnitude = bits & self.largest
        magnitude >>= self.mantissa
        return magnitude


def number_form(spec: TensorSpec) -> NumberForm:
    """How a tensor's bytes are numbers. Complex ones are pairs; what has no whole number of bytes is bytes."""
    mantissa = _MANTISSAS.get(spec.dtype)
    bits = DTYPES[spec.dtype].bits
    if DTYPES[spec.dtype].number == "complex":
        bits //= 2
    return NumberForm(bits // 8 if bits in (8, 16, 32, 64) else 1, mantissa)
