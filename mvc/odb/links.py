"""What a stored form of an object rests on. Owns reading that from its head, and the errors of what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.codecs import RESIDUALS
from mvc.odb.deltas import PLAN_BYTES, read_plan
from mvc.odb.stored import named, read_head
from mvc.odb.zstd import Buffer, undecodable


@dataclass(frozen=True, slots=True)
class Link:
    """What one object rests on, and how it says what it is (its canonical header)."""

    bases: tuple[ObjectId, ...]
    reach: int
    header: bytes


def unfit(object_id: ObjectId, base: ObjectId) -> IntegrityError:
    """The error of an object that says that it rests on one of another kind."""
    return named(undecodable(f"{base} cannot be its base"), object_id)


def circular(object_id: ObjectId) -> IntegrityError:
    """The error of an object that rests on itself, however far below."""
    return named(undecodable("it rests on what rests on it"), object_id)


def link_of(stored: Buffer) -> Link | None:
    """Of a stored form; None where its head is damaged."""
    try:
        return read_link(lambda length: bytes(stored[:length]))
    except IntegrityError:
        return None


def read_link(start: Callable[[int], bytes]) -> Link:
    """Of a stored form, whose first so many bytes ``start`` reads. Raises IntegrityError."""
    head, plan = read_head(start, PLAN_BYTES)
    reach = read_plan(plan).reach if head.codec == RESIDUALS else 0
    if bool(head.bases) != bool(reach):
        raise undecodable("its bases do not fit its reach")
    return Link(head.bases, reach, head.header)
