"""Exact distances where signatures are only sketches. Owns which tensors have to be read for one; keeps no tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import GoneError
from mvc.geometry import EXACT, Signature, compare_tensors
from mvc.objects import ObjectId

ReadArray = Callable[[ObjectId], npt.NDArray[Any]]
#: squared distance of two tensors as `compare_tensors` has it, None where they have to be read
SeenSquares = Callable[[ObjectId, ObjectId], float | None]
#: contents of two points, the smaller one first
Pair = tuple[str, str]


class ExactDistances:
    """Distances of the points ``keys``. ``tensors``: key → ids; ``varying``: place of a tensor there → its numel.

    ``known`` are distances from earlier on, ``read`` gives a tensor's values. Equal tensors are not read, nor are those
    that signatures hold exactly; ``needed`` says whether there are others. Nor are pairs whose squared distance was
    ``seen``. ``asked`` is all that was asked for.
    """

    def __init__(
        self,
        keys: Sequence[str],
        tensors: Mapping[str, Sequence[ObjectId]],
        varying: Mapping[int, int],
        signatures: Mapping[ObjectId, Signature],
        known: Mapping[Pair, float],
        read: ReadArray,
        seen: SeenSquares | None = None,
    ) -> None:
        self._keys, self._signatures, self._known, self._read = keys, signatures, known, read
        self._tensors, self._seen = tensors, seen
        self._varying = [(i, numel > EXACT) for i, numel in varying.items()]
        self.needed = any(large for _, large in self._varying)
        self.asked: dict[Pair, float] = {}

    def between(self, a: int, b: int) -> float:
        pair = (self._keys[min(a, b)], self._keys[max(a, b)])
        if pair not in self.asked:
            self.asked[pair] = self._known[pair] if pair in self._known else self._measure(*pair)
        return self.asked[pair]

    def apart(self, a: str, b: str) -> float:
        """The same by keys."""
        return self.between(self._keys.index(a), self._keys.index(b))

    def _measure(self, a: str, b: str) -> float:
        squares = []
        for i, large in self._varying:
            left, right = self._tensors[a][i], self._tensors[b][i]
            if left != right:
                squares.append(self._exactly(left, right) if large else self._by_signatures(left, right))
        return math.sqrt(math.fsum(squares))

    def _exactly(self, left: ObjectId, right: ObjectId) -> float:
        """Squared distance of two tensors by their values; by their sketches where one was given up."""
        if self._seen is not None and (squared := self._seen(left, right)) is not None:
            return squared
        try:
            return compare_tensors(self._read(left), self._read(right)).squared_distance
        except GoneError:
            return self._by_signatures(left, right)

    def _by_signatures(self, left: ObjectId, right: ObjectId) -> float:
        change = self._signatures[left].values.astype(np.float64) - self._signatures[right].values
        return float(change @ change)
