"""A tensor as its differences from others, or from zero: codec 3. Owns prediction, the choice of what to predict from,
and the layout of the residuals; never lossy, and exact on every machine.

A number is predicted from the same place of a *base*, an earlier state of the tensor, or from two of them, going on a
little in the direction that it moved. What remains, as ordered integers folded to unsigned ones, is split into byte
planes (``loops``). How large a residual is depends on the number's exponent: a step of one size is many units in the
last place of a small number and few of a large one. So residuals are grouped by the exponent of their base first, each
class a stream of its own with a code of its own; that is worth as much again as the difference itself was on bfloat16.

Without a base the same layout holds the numbers themselves, sign last and exponent alone in the highest byte.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.objects import MAX_BASES
from mvc.odb.kernel import join, split, tally
from mvc.odb.loops import MAX_CLASSES, Terms
from mvc.odb.numbers import NumberForm, Ordered
from mvc.odb.streams import entropy, read_stream, sample, write_stream
from mvc.odb.zstd import Buffer, Bytes, Effort, allocate, undecodable

#: classes of exponents for wide numbers, at most: the bytes that classes help are few of those
_WIDE_CLASSES = 8
#: part of the size that a second base must save, for it has to be decoded as well
_MIN_GAIN = 0.01
#: bytes of a tensor above which one base is used, not two: memory holds so many fewer
ONE_BASE = 1 << 27

#: objects to be read besides this one, eighths of the extrapolation, classes, largest exponent of the bases
_HEAD = struct.Struct("<BbBH")
#: numbers that are coded together: large beside the codes' tables, small beside the memory
_SEGMENT = 1 << 20
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

    def terms(self, form: NumberForm) -> Terms:
        """What the inner loops are told."""
        return Terms.of(form, eighths=self.eighths, classes=self.classes, top=self.top)


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
    terms = plan.terms(form)
    room = np.empty(min(len(data), _SEGMENT * form.width), dtype=np.uint8)  # written over by every segment
    for part in _segments(len(data), form):
        values, first, second = _parts(part, data, *bases)
        planes = room[: len(values)]
        counts = split(values, first, second, terms, planes)
        for stream in _streams(planes, counts, form):
            yield from write_stream(stream, effort)


def decode_residuals(payload: memoryview, form: NumberForm, size: int, bases: Sequence[Buffer]) -> Buffer:
    """``size`` bytes. Raises IntegrityError for any payload that is not exactly that, having allocated little more."""
    plan = read_plan(payload)
    if size % form.width or any(len(base) != size for base in bases):
        raise undecodable("its bases do not fit its size")
    if len(bases) != plan.bases:
        raise undecodable("it has another number of bases than it uses")
    terms = plan.terms(form)
    values = allocate(size)
    room = np.empty(min(size, _SEGMENT * form.width), dtype=np.uint8)
    offset = _HEAD.size
    for part in _segments(size, form):
        into, first, second = _parts(part, values.data, *bases)
        planes = room[: len(into)]
        counts = tally(first, terms) if bases else (len(into) // form.width,)
        for stream in _streams(planes, counts, form):
            offset = read_stream(payload, offset, stream)
        join(planes, counts, first, second, terms, values[part])
    if offset != len(payload):
        raise undecodable("bytes follow its last stream")
    return values.data.toreadonly()


def _segments(size: int, form: NumberForm) -> Iterator[slice]:
    """Of so many bytes."""
    step = _SEGMENT * form.width
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


def _parts(part: slice, *buffers: Buffer) -> tuple[Buffer, Buffer, Buffer]:
    """Of values and none to two bases."""
    values, first, second = (memoryview(buffer)[part] for buffer in (*buffers, b"", b"")[:3])
    return values, first, second


def _streams(planes: Bytes, counts: Sequence[int], form: NumberForm) -> Iterator[Bytes]:
    """Pieces of planes in the order in which they are stored: class after class, the lowest byte first."""
    for start, stop in pairwise((0, *accumulate(counts))):
        if start < stop:
            yield from planes.reshape(form.width, -1)[:, start:stop]


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
