"""What was found out about new weights while they were in memory, so that the index need not have them decoded again.
Owns which figures those are, and the bound on what is kept: whoever misses one computes it from what is stored.

A figure is a function of the tensors alone. It is the same whether it was seen or computed later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from mvc.drift.profiles import TensorStep, profile_tensor
from mvc.geometry import EXACT, Signature, compare_tensors
from mvc.objects import ObjectId

#: bytes that are kept
_MEMORY = 1 << 28


@dataclass(frozen=True, slots=True)
class SeenStep:
    """A tensor's step from ``before``: its record, packed, and the squared distance as `compare_tensors` has it."""

    before: ObjectId
    record: bytes
    squared: float

    @classmethod
    def of(cls, before: ObjectId, old: npt.NDArray[Any], now: npt.NDArray[Any]) -> SeenStep:
        """``old`` and ``now`` are one array where the tensor stayed."""
        # small tensors' distances are those of their signatures
        asked = now is not old and now.size > EXACT
        squared = compare_tensors(old, now).squared_distance if asked else 0.0
        return cls(before, profile_tensor(old, now).pack(), squared)


class Seen:
    """Gathered by one command, bounded by ``room`` bytes. ``signatures`` by tensor id."""

    def __init__(self, room: int = _MEMORY) -> None:
        self.signatures: dict[ObjectId, Signature] = {}
        self._steps: dict[tuple[ObjectId, ObjectId], SeenStep] = {}
        self._room = room

    def sign(self, tensor: ObjectId, signature: Signature) -> None:
        if tensor not in self.signatures and self._take(signature.values.nbytes):
            self.signatures[tensor] = signature

    def add(self, now: ObjectId, step: SeenStep) -> None:
        if (step.before, now) not in self._steps and self._take(len(step.record)):
            self._steps[step.before, now] = step

    def step(self, before: ObjectId, now: ObjectId) -> TensorStep | None:
        """The record of a tensor's step, None where it has to be measured."""
        found = self._steps.get((before, now))
        return None if found is None else TensorStep.unpack(found.record)

    def squared_distance(self, a: ObjectId, b: ObjectId) -> float | None:
        """Of two different tensors of more than EXACT values each; None where they have to be read."""
        found = self._steps.get((a, b)) or self._steps.get((b, a))
        return None if found is None else found.squared

    def _take(self, size: int) -> bool:
        fits = size <= self._room
        self._room -= size if fits else 0
        return fits


#: how others ask for `Seen.step`
SeenSteps = Callable[[ObjectId, ObjectId], TensorStep | None]
