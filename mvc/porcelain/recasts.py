"""Points that are another point in another precision: half-precision exports, and what was cast back from them. Owns
how they are found.

An export is no step of training, like any other copy, though its weights are not the original's to the last bit:
inference leaves it out, and it stands beside what it was made of. Told from values alone: every value of every tensor
must be the original's, cast. Rounding keeps order, so a copy's largest value is the original's largest one, cast, and
the index, which has that of each tensor, says by itself whose values have to be read: hardly anyone else's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.drift.integrity import FLUSHED
from mvc.errors import GoneError
from mvc.geometry import Signature
from mvc.objects import DTYPES, ObjectId

ReadArray = Callable[[ObjectId], npt.NDArray[Any]]

#: what rounding to the coarsest dtype that models are exported in, bfloat16, leaves of a tensor at most
_ROUNDING = 2.0**-8


@dataclass(frozen=True)
class Recast:
    """``source``: the point that the values are of, by content. ``precision``: the dtype they were cast to."""

    source: str
    precision: str


def find_recasts(
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    shapes: Sequence[Sequence[int]],
    read: ReadArray,
    known: Mapping[tuple[str, str], str],
) -> dict[str, Recast]:
    """Content of a copy → what it was made of, which is no copy itself if any such point fits.

    ``tensors``: content → ids, of ``shapes``, in one order. ``known``: (source, copy) → precision, from earlier on;
    those values need not be read again. Of two points that are each the other one cast, as float32 is of bfloat16
    that was only widened, the narrower one is the original. A cast that flushes values to zero is damage, no copy.
    """
    sources: dict[str, dict[str, str]] = defaultdict(dict)
    for a, b in _likely(tensors, signatures, shapes):
        if (a, b) in known or (b, a) in known:
            source, copy = (a, b) if (a, b) in known else (b, a)
            sources[copy][source] = known[source, copy]
        elif (made := _made(tensors[a], tensors[b], signatures, read)) is not None:
            forward, precision = made
            sources[b if forward else a][a if forward else b] = precision
    found = {}
    for copy, of in sources.items():
        source = min(of, key=lambda key: (key in sources, key))
        found[copy] = Recast(source, of[source])
    return found


def is_recast(
    file: str,
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    shapes: Sequence[Sequence[int]],
    read: ReadArray,
) -> bool:
    """Whether the point ``file`` is a copy of any of the others in another precision."""
    for a, b in _likely(tensors, signatures, shapes):
        if file in (a, b) and (made := _made(tensors[a], tensors[b], signatures, read)) is not None:
            forward, _ = made
            if file == (b if forward else a):
                return True
    return False


def root_of(recasts: Mapping[str, Recast], key: str) -> str:
    """The point at the end of a chain of copies; ``key`` itself if it is none."""
    while key in recasts:
        key = recasts[key].source
    return key


def _likely(
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    shapes: Sequence[Sequence[int]],
) -> Iterator[tuple[str, str]]:
    """Pairs of which one may be the other one cast, each once: by the largest values of their matrices.

    Exports often leave vectors (gains, biases) as they are, so matrices alone must fit, where there are any.
    """
    keys = [key for key in tensors if not any(signatures[tensor].nonfinite for tensor in tensors[key])]
    matrices = [i for i, shape in enumerate(shapes) if len(shape) > 1]
    vectors = [i for i, shape in enumerate(shapes) if len(shape) <= 1]
    yield from sorted(_fitting(keys, tensors, signatures, [places for places in (matrices, vectors) if places]))


def _fitting(
    keys: Sequence[str],
    tensors: Mapping[str, Sequence[ObjectId]],
    signatures: Mapping[ObjectId, Signature],
    places: Sequence[Sequence[int]],
) -> set[tuple[str, str]]:
    """Pairs whose tensors at the first of ``places`` fit by their largest values; at the next ones, where those are the
    very same: of a model whose matrices are frozen every checkpoint fits every other one by them."""
    if not places:
        return set()
    same: dict[tuple[ObjectId, ...], list[str]] = defaultdict(list)
    for key in keys:
        same[tuple(tensors[key][i] for i in places[0])].append(key)
    pairs = {pair for some in same.values() for pair in _fitting(some, tensors, signatures, places[1:])}
    maxima = np.array([[signatures[tensor].max_abs for tensor in row] for row in same])
    held = defaultdict(list)
    for some, row in zip(same.values(), maxima, strict=True):
        held[row.tobytes()].append(some)
    for dtype in DTYPES.values():
        if dtype.number != "float" or dtype.numpy is None:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            cast = maxima.astype(dtype.numpy).astype(np.float64)
        for some, row in zip(same.values(), cast, strict=True):
            for others in held.get(row.tobytes(), ()):
                if others is not some:
                    pairs |= {(min(a, b), max(a, b)) for a in some for b in others}
    return pairs


def _made(
    a: Sequence[ObjectId], b: Sequence[ObjectId], signatures: Mapping[ObjectId, Signature], read: ReadArray
) -> tuple[bool, str] | None:
    """Whether b was made of a (True) or a of b, and to what dtype its largest tensor was cast. None: neither.

    The smallest tensors go first: checkpoints of one precision are told by them.
    """
    forward = backward = True
    narrower, names = 0, ("", "")
    for x, y in sorted(zip(a, b, strict=True), key=lambda pair: signatures[pair[0]].numel):
        if x == y:
            continue
        try:
            left, right = read(x), read(y)
        except GoneError:  # what is remembered has to do
            if not _near(signatures[x], signatures[y]):
                return None
            continue
        forward = forward and _is_cast(left, right)
        backward = backward and _is_cast(right, left)
        if not (forward or backward):
            return None
        narrower += right.nbytes - left.nbytes
        names = (str(left.dtype), str(right.dtype))
    if not any(names):
        return None
    made = narrower >= 0 if forward and backward else forward
    return made, names[made]


def _is_cast(source: npt.NDArray[Any], copy: npt.NDArray[Any]) -> bool:
    if source.dtype == copy.dtype:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.array_equal(source.astype(copy.dtype), copy):
            return False
    flushed = int(np.count_nonzero(source)) - int(np.count_nonzero(copy))
    return flushed <= max(1.0, FLUSHED * source.size)


def _near(a: Signature, b: Signature) -> bool:
    change = np.linalg.norm(b.values.astype(np.float64) - a.values)
    return bool(change <= _ROUNDING * np.linalg.norm(a.values.astype(np.float64)))
