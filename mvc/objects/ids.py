"""Names of objects: BLAKE3-256 of canonical bytes. Owns hashing and the shape of ids; refuses malformed ones.

Canonical bytes of every object are ``<kind> <descriptor>\\0<payload>``, as in git: the kind cannot be mistaken, and a
tensor's descriptor carries its dtype and shape, so that an object can be understood alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NewType

import blake3

from mvc.errors import InputError

ObjectId = NewType("ObjectId", str)
Kind = Literal["tensor", "skeleton", "manifest", "commit", "operation", "memory"]
KINDS: tuple[Kind, ...] = ("tensor", "skeleton", "manifest", "commit", "operation", "memory")

_ID = re.compile(r"[0-9a-f]{64}")


def object_header(kind: Kind, descriptor: str = "") -> bytes:
    """First part of an object's canonical bytes."""
    return f"{kind} {descriptor}\0".encode("ascii")


def hash_object(header: bytes, chunks: Iterable[bytes | memoryview]) -> ObjectId:
    """Id of the object whose canonical bytes are ``header`` followed by ``chunks``."""
    hasher = blake3.blake3(header)
    for chunk in chunks:
        hasher.update(chunk)
    return ObjectId(hasher.hexdigest())


def parse_object_id(text: str) -> ObjectId:
    """A full id in its only spelling. Raises InputError."""
    if not _ID.fullmatch(text):
        raise InputError(f"{text!r} is not an object id", hint="an id is 64 lower-case hexadecimal digits")
    return ObjectId(text)
