"""Numbers to the byte planes of what is left of them once they are predicted, and back: the inner loops of ``deltas``,
in NumPy. Owns what they do; ``kernel.c`` does the same several times as fast, where there is a compiler.

The planes of n numbers are [width, n], the lowest byte first; within each, class after class and in order, so that
every stream lies in one piece. Buffers may lie anywhere in memory; an empty one is no base. Lengths and counts that do
not fit each other are a ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mvc.odb.numbers import NumberForm, Ordered
from mvc.odb.zstd import Buffer, Bytes

#: classes of exponents, at most
MAX_CLASSES = 12
#: numbers that are worked on at once: their integers stay in the cache
_BLOCK = 1 << 15
_PLACES = np.arange(_BLOCK, dtype=np.int32)


class Terms(NamedTuple):
    """How numbers become residuals: their ``NumberForm`` (mantissa −1: whole numbers), and what a ``Plan`` says."""

    width: int
    mantissa: int
    eighths: int
    classes: int
    top: int

    @classmethod
    def of(cls, form: NumberForm, *, eighths: int, classes: int, top: int) -> Terms:
        """``top`` as far as any exponent is told apart from it."""
        mantissa = -1 if form.mantissa is None else form.mantissa
        return cls(form.width, mantissa, eighths, classes, min(top, form.largest, (1 << 15) - 1))

    @property
    def form(self) -> NumberForm:
        return NumberForm(self.width, None if self.mantissa < 0 else self.mantissa)


def tally(first: Buffer, terms: Terms) -> tuple[int, ...]:
    """How many numbers have each class, by their first base."""
    return _counts(_classified(np.frombuffer(first, dtype=terms.form.signed), terms), terms)


def split(values: Buffer, first: Buffer, second: Buffer, terms: Terms, planes: Bytes) -> tuple[int, ...]:
    """Fills ``planes``, as long as ``values``; returns what `tally` does."""
    form = terms.form
    numbers, bases = _matched(values, first, second, terms)
    if len(planes) != len(values):
        raise _unfit()
    classes = _classified(bases[0] if bases else numbers, terms)
    counts = _counts(classes, terms)
    grouped = np.empty(len(numbers), dtype=form.unsigned)  # class after class
    places = [*accumulate(counts, initial=0)]
    for start in range(0, len(numbers), _BLOCK):
        target = form.order(numbers[start : start + _BLOCK])
        if bases:
            target = target - _expected(bases, start, terms)
        order, bounds = _in_classes(classes[start : start + _BLOCK], terms)
        folded = form.fold(target)[order]
        for number, (begin, end) in enumerate(pairwise(bounds)):
            grouped[places[number] : places[number] + end - begin] = folded[begin:end]
            places[number] += end - begin
    words = grouped.view(np.uint8).reshape(-1, terms.width)
    for index, plane in enumerate(planes.reshape(terms.width, -1)):
        plane[:] = words[:, index]
    return counts


def join(planes: Bytes, counts: tuple[int, ...], first: Buffer, second: Buffer, terms: Terms, values: Bytes) -> None:
    """Fills ``values``, as long as ``planes``; ``counts`` are what `tally` says."""
    form = terms.form
    numbers, bases = _matched(values, first, second, terms)
    classes = _classified(bases[0] if bases else numbers, terms)
    if len(planes) != len(values) or counts != _counts(classes, terms):
        raise _unfit()
    words = np.empty((len(numbers), terms.width), dtype=np.uint8)
    for index, plane in enumerate(planes.reshape(terms.width, -1)):
        words[:, index] = plane
    grouped = words.reshape(-1).view(form.unsigned)  # class after class
    places = [*accumulate(counts, initial=0)]
    for start in range(0, len(numbers), _BLOCK):
        into = numbers[start : start + _BLOCK]
        order, bounds = _in_classes(classes[start : start + _BLOCK], terms)
        parts = []
        for number, (begin, end) in enumerate(pairwise(bounds)):
            parts.append(grouped[places[number] : places[number] + end - begin])
            places[number] += end - begin
        folded = np.empty(len(into), dtype=form.unsigned)
        folded[order] = np.concatenate(parts)
        residuals = form.unfold(folded)
        if bases:
            residuals += _expected(bases, start, terms)
        into[:] = form.order(residuals)


def _matched(values: Buffer | Bytes, first: Buffer, second: Buffer, terms: Terms) -> tuple[Ordered, list[Ordered]]:
    """The values, and the bases that there are, as signed integers."""
    bases = [base for base in (first, second) if len(base)]
    lacks_first = len(values) and not len(first) and (terms.classes > 1 or len(second))
    if lacks_first or any(len(base) != len(values) for base in bases):
        raise _unfit()
    numbers, *found = (np.frombuffer(buffer, dtype=terms.form.signed) for buffer in (values, *bases))
    return numbers, found


def _classified(base: Ordered, terms: Terms) -> npt.NDArray[np.uint8]:
    """Class of each number by the bits of its ``base``: 0 for the largest exponents, then one for each below."""
    classes = np.zeros(len(base), dtype=np.uint8)
    for start in range(0, len(base) if terms.classes > 1 else 0, _BLOCK):
        below = terms.form.exponents(base[start : start + _BLOCK])
        np.subtract(terms.form.signed.type(terms.top), below, out=below)
        classes[start : start + _BLOCK] = np.clip(below, 0, terms.classes - 1, out=below)
    return classes


def _counts(classes: npt.NDArray[np.uint8], terms: Terms) -> tuple[int, ...]:
    if terms.classes == 1:
        return (len(classes),)
    return tuple(int(np.count_nonzero(classes == number)) for number in range(terms.classes))


def _expected(bases: Sequence[Ordered], start: int, terms: Terms) -> Ordered:
    """Of the ordered numbers of one block."""
    ordered = [terms.form.order(base[start : start + _BLOCK]) for base in bases]
    return terms.form.predict(ordered[0], ordered[1] if len(ordered) > 1 else None, terms.eighths)


def _in_classes(classes: npt.NDArray[np.uint8], terms: Terms) -> tuple[npt.NDArray[np.intp] | slice, list[int]]:
    """The places of a block's numbers in the order of their classes, and where in it each class begins (and the last
    ends)."""
    if terms.classes == 1:
        return slice(None), [0, len(classes)]
    # class and place in one integer: sorting those is quicker than any sort of the classes that keeps count of places
    keys = classes.astype(np.int32)
    keys *= _BLOCK
    keys += _PLACES[: len(keys)]
    keys.sort()
    bounds = np.searchsorted(keys, np.arange(terms.classes + 1, dtype=np.int32) * _BLOCK)
    keys &= _BLOCK - 1
    return keys.astype(np.intp), bounds.tolist()


def _unfit() -> ValueError:
    return ValueError("lengths, counts and terms do not fit each other")
