"""A file's bytes with its tensors cut out. Owns the skeleton's canonical form; skeleton + tensors = the file.

Payload: canonical JSON ``{"holes": [[offset, length, tensor, axes|null], ...], "size": n}``, a newline, then the bytes
between the holes, joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mvc.errors import IntegrityError
from mvc.objects import canonical
from mvc.objects.checks import each, fields, or_none, whole
from mvc.objects.ids import ObjectId, hash_object, object_header


@dataclass(frozen=True, slots=True)
class Hole:
    """``length`` bytes at ``offset`` of the file are tensor number ``tensor`` of the file's manifest entry.

    With ``axes`` the file holds the tensor transposed: its bytes are those of ``np.transpose(array, axes)`` made
    row-major, as memory formats other than row-major leave them.
    """

    offset: int
    length: int
    tensor: int
    axes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Skeleton:
    """``holes`` ascend and do not overlap; ``literal`` is everything between them, in order."""

    size: int
    holes: tuple[Hole, ...]
    literal: bytes

    def __post_init__(self) -> None:
        end = 0
        for hole in self.holes:
            if hole.offset < end or hole.length < 0 or hole.tensor < 0:
                raise IntegrityError("a skeleton's holes overlap or are out of order", hint="run: mvc fsck")
            end = hole.offset + hole.length
        if end > self.size or self.size - sum(hole.length for hole in self.holes) != len(self.literal):
            raise IntegrityError("a skeleton does not add up to its file's size", hint="run: mvc fsck")

    def to_payload(self) -> bytes:
        holes = [[h.offset, h.length, h.tensor, None if h.axes is None else list(h.axes)] for h in self.holes]
        return canonical.encode({"size": self.size, "holes": holes}) + b"\n" + self.literal

    @classmethod
    def from_payload(cls, payload: bytes) -> Skeleton:
        """Raises IntegrityError for what `to_payload` never writes."""
        head, newline, literal = payload.partition(b"\n")
        value = canonical.decode(head)
        try:
            fields(value, {"size": whole, "holes": each(each(lambda _: True))})
            if not newline:
                raise ValueError("no end")
            holes = tuple(_hole(*hole) for hole in value["holes"])
            size = value["size"]
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"a skeleton is malformed: {error!r}", hint="run: mvc fsck") from None
        return cls(size=size, holes=holes, literal=literal)

    @cached_property
    def id(self) -> ObjectId:
        return hash_object(object_header("skeleton"), (self.to_payload(),))


_AXES = or_none(each(whole))


def _hole(offset: Any, length: Any, tensor: Any, axes: Any) -> Hole:
    if not (whole(offset) and whole(length) and whole(tensor) and _AXES(axes)):
        raise ValueError("a hole is not what it should be")
    return Hole(offset, length, tensor, None if axes is None else tuple(axes))
