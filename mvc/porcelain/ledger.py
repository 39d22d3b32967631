"""Points beside those before them, judged for damage. Owns which point another is judged by, and what is measured.

A point that is damaged is no measure for the next one. So each is judged by the last sound point before it, along a
chain of sound points; but what holds beside the damaged point itself is what the run went on from, and a new start.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.drift import RuleFinding
from mvc.drift.integrity import integrity_findings
from mvc.drift.profiles import PROFILE_VERSION, StepProfile, profile_tensor
from mvc.objects import ObjectId
from mvc.odb import Lanes
from mvc.porcelain.seen import SeenSteps

#: rules that a ledger judges by
DAMAGE = ("MVC013", "MVC014", "MVC015", "MVC016", "MVC017")
#: steps before the one that is judged, as many as any rule looks at
_PAST = 16
#: steps that are held at once
_HELD = 2 * _PAST


@dataclass(frozen=True)
class Point:
    """One set of trainable weights. ``content`` names it, ``read`` gives a tensor's values by its name."""

    content: str
    tensors: Mapping[str, ObjectId]
    read: Callable[[str], npt.NDArray[Any]]


@dataclass(frozen=True)
class Standing:
    """What a point is judged ``before`` ("" for nothing), what it breaks, and a digest of all that this rests on."""

    before: str
    rules: tuple[str, ...]
    judged: str = ""


def measure(before: Point, now: Point, seen: SeenSteps | None = None) -> StepProfile:
    """The step between two points of one architecture, few tensors in memory; a tensor that stayed is read once.

    Tensors' steps that were ``seen`` are taken from there.
    """
    known = {
        name: step for name, tensor in now.tensors.items() if seen and (step := seen(before.tensors[name], tensor))
    }
    missing = [name for name in now.tensors if name not in known]
    with Lanes() as lanes:
        steps = lanes.map(lambda pair: profile_tensor(*pair), _pairs(before, now, missing))
        known |= zip(missing, steps, strict=True)
    return StepProfile({name: known[name] for name in now.tensors})


def _pairs(
    before: Point, now: Point, names: Iterable[str]
) -> Iterator[tuple[int, tuple[npt.NDArray[Any], npt.NDArray[Any]]]]:
    """Bytes and values of each of these tensors before and now, read in their order."""
    for name in names:
        tensor = now.tensors[name]
        value = now.read(name)
        old = value if before.tensors[name] == tensor else before.read(name)
        yield value.nbytes + old.nbytes, (old, value)
        del value, old  # they would be held while the next ones are read


def measure_state(point: Point) -> StepProfile:
    """The step to a point from zeros: its values, as a step has them."""
    values = ((name, point.read(name)) for name in point.tensors)
    return StepProfile({name: profile_tensor(np.zeros(value.shape, value.dtype), value) for name, value in values})


class Ledger:
    """``points`` gives committed points by content, ``records`` what was kept of the step into one, or None.

    ``held`` keeps the steps that were read or measured last, for another ledger of the same points to go on with.
    ``find`` is asked once for the standing of a point that is not among ``standings`` yet; None for one that has none.
    ``seen`` gives tensors' steps that need not be measured.
    """

    def __init__(
        self,
        find: Callable[[str], Standing | None],
        points: Callable[[str], Point],
        records: Callable[[str], StepProfile | None],
        held: OrderedDict[tuple[str, str], StepProfile] | None = None,
        seen: SeenSteps | None = None,
    ) -> None:
        self.standings: dict[str, Standing | None] = {}
        self._find = find
        self._points, self._records, self._seen = points, records, seen
        self._held: OrderedDict[tuple[str, str], StepProfile] = OrderedDict() if held is None else held

    def standing(self, content: str) -> Standing | None:
        """How a point stands, None for one that is judged by nothing."""
        if content not in self.standings:
            self.standings[content] = self._find(content)
        return self.standings[content]

    def point(self, content: str) -> Point:
        """A committed point."""
        return self._points(content)

    def chain(self, content: str) -> tuple[str, ...]:
        """Sound points up to this one, oldest first; a damaged one stands only at the start of what went on from it."""
        found = [content]
        while len(found) <= _PAST:
            standing = self.standing(found[-1])
            if standing is None or not standing.before or standing.rules or standing.before in found:
                break
            found.append(standing.before)
        return tuple(reversed(found))

    def sound(self, content: str) -> str | None:
        """The last sound point at or before this one, None where there is none."""
        seen: set[str] = set()
        at = content
        while at and at not in seen:
            seen.add(at)
            standing = self.standing(at)
            if standing is None or not standing.rules:
                return at
            at = standing.before
        return None

    def digest(self, previous: str, content: str) -> str:
        """Of all that the judgement of ``content`` after ``previous`` rests on."""
        sound = self.sound(previous)
        chain = self.chain(previous)
        told = (PROFILE_VERSION, content, chain, chain if sound == previous else sound and self.chain(sound))
        return hashlib.blake2b(repr(told).encode(), digest_size=32).hexdigest()

    def judge(self, previous: str, now: Point) -> tuple[str, tuple[RuleFinding, ...]]:
        """The point that ``now`` is judged by, "" for none, and what is found."""
        findings = self.findings(previous, now)
        sound = self.sound(previous)
        if not findings or sound == previous:
            return previous, findings
        return (sound, self.findings(sound, now)) if sound is not None else ("", ())

    def findings(self, before: str, now: Point) -> tuple[RuleFinding, ...]:
        """What the step from one point to another breaks, beside the steps that led to the first."""
        chain = self.chain(before)
        past = [self.between(before, after) for before, after in pairwise(chain)]
        return integrity_findings(self.between(chain[-1], now), past)

    def between(self, before: str, now: str | Point) -> StepProfile:
        """The step between two points, from what was kept or measured now."""
        key = (before, now if isinstance(now, str) else now.content)
        if key not in self._held:
            self._held[key] = self._kept(*key) or self._measured(before, now)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[key]

    def _kept(self, before: str, now: str) -> StepProfile | None:
        standing = self.standing(now)
        return None if standing is None or standing.before != before else self._records(now)

    def _measured(self, before: str, now: str | Point) -> StepProfile:
        point = self._points(now) if isinstance(now, str) else now
        return measure(self._points(before), point, self._seen)


def broken(findings: Iterable[RuleFinding]) -> tuple[str, ...]:
    """Rules that are broken, each once."""
    return tuple(sorted({finding.rule for finding in findings}))
