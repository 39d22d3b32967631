"""A tensor as its differences from others, or from zero: codec 3. Owns prediction, the choice of what to predict from,
and the layout of the residuals; never lossy, and exact on every machine.

A number is predicted from the same place of a *base*, an earlier state of the tensor, or from two of them, going on a
little in the direction that it moved. What remains, as ordered integers folded to unsigned ones, is split into byte
planes. How large a residual is depends on the number's exponent: a step of one size is many units in the last place of
a small number and few of a large one. So residuals are grouped by the exponent of their base first, each class a
stream of its own with a code of its own; that is worth as much again as the difference itself was on bfloat16.

Without a base the same layout holds the numbers themselves, sign last and exponent alone in the highest byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.objects import MAX_BASES
from mvc.odb.numbers import NumberForm, Ordered
from mvc.odb.streams import entropy, read_stream, sample, write_stream
from mvc.odb.zstd import Buffer, Effort, allocate, undecodable

#: classes of exponents, at most
MAX_CLASSES = 12
#: and for wide numbers, of which the bytes that classes help are few
_WIDE_CLASSES = 8
#: part of the size that a second base must save, for it has to be decoded as well
_MIN_GAIN = 0.01
#: bytes of a tensor above which one base is used, not two: memory holds so many fewer
ONE_BASE = 1 << 27

#: objects to be read besides this one, eighths of the extrapolation, classes, largest exponent of the bases
_HEAD = struct.Struct("<BbBH")
#: numbers that are coded together: large beside the codes' tables, small beside the memory
_SEGMENT = 1 << 20
#: numbers that are worked on at once: their integers stay in the cache
_BLOCK = 1 << 15
_PLACES = np.arange(_BLOCK, dtype=np.int32)
#: numbers for which one class more is worth its tables
_PER_CLASS = 1 << 12
#: runs of a sample and the numbers in each
_RUNS, _RUN = 4, 1 << 10
#: how far to go on from two bases; −4 lies between them, where an average of the two does
_EIGHTHS = (0, 2, 3, 4, 6, 8, -4)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one tensor is predicted. ``reach`` is how many objects must be read besides its own; 0: it has no base."""

    reach: int
    eighths: int
    classes: int
    top: int

    @property
    def bases(self) -> int:
        """How many it is predicted from."""
        return 0 if not self.reach else 1 if not self.eighths else 2

    def classify(self, form: NumberForm, base: Ordered) -> npt.NDArray[np.uint8]:
        """Class of each number by the bits of its ``base``: 0 for the largest exponents, then one for each below."""
        below = form.exponents(base)
        np.subtract(form.signed.type(min(self.top, form.largest)), below, out=below)
        return np.clip(below, 0, self.classes - 1, out=below).astype(np.uint8)


def read_plan(payload: Buffer) -> Plan:
    """Of an encoded payload, of which the beginning is enough. Raises IntegrityError."""
    if len(payload) < _HEAD.size:
        raise undecodable("it is cut short")
    plan = Plan(*(_HEAD.unpack_from(payload)[index] for index in (0, 1, 2, 3)))
    fits = plan.reach <= MAX_BASES and -8 <= plan.eighths <= 8 and 1 <= plan.classes <= MAX_CLASSES
    if not fits or (not plan.reach and (plan.eighths or plan.classes > 1)):
        raise undecodable("how it was predicted does not add up")
    return plan


PLAN_BYTES = _HEAD.size


def make_plan(data: Buffer, form: NumberForm, bases: Sequence[Buffer]) -> tuple[Plan, float]:
    """The best plan for ``data`` by a sample, and the share of its size that it should take.

    ``bases`` are none, one or two, the nearest first; a plan that uses them has their number as its reach so far.
    """
    values = _view(data, form)
    taken = _sampled(len(values))
    target = form.order(values[taken])
    plain = _bits(form.fold(target))
    best = Plan(0, 0, 1, 0), plain
    if bases:
        first = form.order(_view(bases[0], form)[taken])
        second = form.order(_view(bases[1], form)[taken]) if len(bases) > 1 else None
        options = {0: form.fold(target - first)}
        bits = _bits(options[0])
        if second is not None and form.mantissa is not None:
            options |= {k: form.fold(target - form.predict(first, second, k)) for k in _EIGHTHS if k}
        eighths = min(options, key=lambda k: float(np.log2(options[k] + 1.0).mean()))
        if eighths and (less := _bits(options[eighths])) < bits * (1 - _MIN_GAIN):
            bits = less
        else:
            eighths = 0
        if bits < plain:
            top = int(form.exponents(_view(bases[0], form)[taken]).max())
            most = 1 if form.mantissa is None else MAX_CLASSES if form.width < 4 else _WIDE_CLASSES
            classes = max(1, min(len(values) // _PER_CLASS, most))
            best = Plan(1 if not eighths else 2, eighths, classes, top), bits
    plan, bits = best
    return plan, bits / (8 * form.width)


def encode_residuals(
    data: Buffer, form: NumberForm, bases: Sequence[Buffer], plan: Plan, effort: Effort = "symbols"
) -> Iterator[Buffer]:
    """The encoded payload, in parts; ``bases`` are those that the plan uses."""
    yield _HEAD.pack(plan.reach, plan.eighths, plan.classes, plan.top)
    values = _view(data, form)
    sources = [_view(base, form) for base in bases]
    for start in range(0, len(values), _SEGMENT):
        stop = start + _SEGMENT
        yield from _encode_segment(values[start:stop], [base[start:stop] for base in sources], form, plan, effort)


def decode_residuals(payload: memoryview, form: NumberForm, size: int, bases: Sequence[Buffer]) -> Buffer:
    """``size`` bytes. Raises IntegrityError for any payload that is not exactly that, having allocated little more."""
    plan = read_plan(payload)
    if size % form.width or any(len(base) != size for base in bases):
        raise undecodable("its bases do not fit its size")
    if len(bases) != plan.bases:
        raise undecodable("it has another number of bases than it uses")
    values = allocate(size).view(form.signed)
    sources = [_view(base, form) for base in bases]
    offset = _HEAD.size
    for start in range(0, len(values), _SEGMENT):
        stop = start + _SEGMENT
        offset = _decode_segment(
            payload, offset, values[start:stop], [base[start:stop] for base in sources], form, plan
        )
    if offset != len(payload):
        raise undecodable("bytes follow its last stream")
    return values.view(np.uint8).data.toreadonly()


def _encode_segment(
    values: Ordered, bases: Sequence[Ordered], form: NumberForm, plan: Plan, effort: Effort
) -> Iterator[Buffer]:
    pieces: list[list[npt.NDArray[Any]]] = [[] for _ in range(plan.classes)]
    for start in range(0, len(values), _BLOCK):
        target = form.order(values[start : start + _BLOCK])
        if bases:
            target = target - _predicted(bases, start, form, plan)
        folded = form.fold(target)
        if plan.classes == 1:
            pieces[0].append(folded)
            continue
        order, bounds = _grouped(plan.classify(form, bases[0][start : start + _BLOCK]), plan.classes)
        folded = folded.take(order)
        for number, parts in enumerate(pieces):
            parts.append(folded[bounds[number] : bounds[number + 1]])
    for parts in pieces:
        residuals = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if not len(residuals):
            continue
        planes = residuals.view(np.uint8).reshape(-1, form.width)  # [n, width], the lowest byte first
        for index in range(form.width):
            yield from write_stream(np.ascontiguousarray(planes[:, index]), effort)


def _decode_segment(
    payload: memoryview, offset: int, out: Ordered, bases: Sequence[Ordered], form: NumberForm, plan: Plan
) -> int:
    """Fills ``out``; returns where the next segment begins."""
    blocks = range(0, len(out), _BLOCK)
    classes = [plan.classify(form, bases[0][start : start + _BLOCK]) for start in blocks] if plan.classes > 1 else []
    counts = [len(out)]
    if plan.classes > 1:
        counts = [sum(int(np.count_nonzero(part == number)) for part in classes) for number in range(plan.classes)]
    streams = []
    for count in counts:
        planes = np.empty((count, form.width), dtype=np.uint8)
        for index in range(form.width if count else 0):
            planes[:, index], offset = read_stream(payload, offset, count)
        streams.append(planes.reshape(-1).view(form.unsigned))
    used = [0] * len(streams)
    for number, start in enumerate(blocks):
        into = out[start : start + _BLOCK]
        if plan.classes == 1:
            folded = streams[0][start : start + _BLOCK]
        else:
            order, bounds = _grouped(classes[number], plan.classes)
            parts = []
            for index, stream in enumerate(streams):
                count = int(bounds[index + 1] - bounds[index])
                parts.append(stream[used[index] : used[index] + count])
                used[index] += count
            folded = np.empty(len(into), dtype=form.unsigned)
            folded[order] = np.concatenate(parts)
        residuals = form.unfold(folded)
        if bases:
            residuals += _predicted(bases, start, form, plan)
        into[:] = form.order(residuals)
    return offset


def _predicted(bases: Sequence[Ordered], start: int, form: NumberForm, plan: Plan) -> Ordered:
    """What is expected of the numbers of one block."""
    ordered = [form.order(base[start : start + _BLOCK]) for base in bases]
    return form.predict(ordered[0], ordered[1] if len(ordered) > 1 else None, plan.eighths)


def _grouped(classes: npt.NDArray[np.uint8], count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The numbers' places in the order of their classes, and where in it each class begins (and the last ends)."""
    # class and place in one integer: sorting those is quicker than any sort of the classes that keeps count of places
    keys = classes.astype(np.int32)
    keys *= _BLOCK
    keys += _PLACES[: len(keys)]
    keys.sort()
    bounds = np.searchsorted(keys, np.arange(count + 1, dtype=np.int32) * _BLOCK)
    keys &= _BLOCK - 1
    return keys.astype(np.intp), bounds


def _view(data: Buffer, form: NumberForm) -> Ordered:
    return np.frombuffer(data, dtype=form.signed)


def _sampled(count: int) -> npt.NDArray[np.intp]:
    """Places of a sample: a few runs spread over all, or everything where that is little."""
    if count <= _RUNS * _RUN:
        return np.arange(count)
    starts = np.linspace(0, count - _RUN, _RUNS).astype(np.intp)
    return (starts[:, np.newaxis] + np.arange(_RUN)).reshape(-1)


def _bits(folded: npt.NDArray[Any]) -> float:
    """Bits that one number takes, by the entropy of its byte planes."""
    planes = folded.view(np.uint8).reshape(len(folded), -1)
    return sum(entropy(sample(np.ascontiguousarray(planes[:, index]))) for index in range(planes.shape[1]))
