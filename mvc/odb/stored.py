"""The stored form of one object: a small head, the canonical header, the encoded payload. Owns the byte layout
(``docs/internals/repository-format.md``) and refuses a head that does not add up before anything is allocated for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

from mvc.errors import FormatError, IntegrityError
from mvc.objects import Kind, ObjectId, TensorSpec, hash_object
from mvc.odb.codecs import RESIDUALS, Encoded, decode
from mvc.odb.deltas import decode_residuals
from mvc.odb.numbers import number_form
from mvc.odb.zstd import Buffer

MAGIC = b"mvco"
VERSION = 1
#: magic, version, codec, length of bases (32 for each), reserved (0), length of header, size of the decoded payload
_HEAD = struct.Struct("<4sBBBBIQ")
#: bytes of an id
_ID = 32
#: bytes of a stored object that hold its head and header for every sane tensor
HEAD_BYTES = 512
_MAX_HEADER = 1 << 20
_NEWER = "a newer version of mvc may have written it"


@dataclass(frozen=True, slots=True)
class StoredHead:
    """What a stored object says of itself. ``payload_offset`` is where its encoded payload begins.

    ``bases`` are the ids of the objects that the codec needs besides the payload: none, one or two.
    """

    codec: int
    bases: tuple[ObjectId, ...]
    header: bytes
    size: int
    payload_offset: int

    @property
    def kind(self) -> Kind:
        """Raises IntegrityError for a kind that mvc does not know."""
        return kind_of(self.header)

    @property
    def spec(self) -> TensorSpec:
        """A tensor's dtype and shape. Raises IntegrityError where they contradict the declared size."""
        kind, descriptor = _split(self.header)
        try:
            dtype, shape = descriptor.split(" ")
            spec = TensorSpec(dtype, tuple(int(size) for size in shape.split(",") if size))
        except (FormatError, ValueError):
            raise malformed("its header names no tensor") from None
        if kind != "tensor" or spec.header() != self.header or spec.nbytes != self.size:
            raise malformed("its header names no tensor of its size")
        return spec


@cache
def kind_of(header: bytes) -> Kind:
    """What a canonical header says. Raises IntegrityError for a kind that mvc does not know."""
    return _split(header)[0]


def _split(header: bytes) -> tuple[Kind, str]:
    try:
        text = header.decode("ascii")
    except UnicodeDecodeError:
        raise malformed("its header is not ASCII") from None
    name, _, descriptor = text[:-1].partition(" ")
    for kind in get_args(Kind):
        if name == kind and text.endswith("\0"):
            return kind, descriptor
    raise malformed("its header names no kind of object")


def pack(header: bytes, size: int, encoded: Encoded) -> tuple[Buffer, ...]:
    """Stored form of the object with this canonical header and a payload of ``size`` bytes."""
    bases = b"".join(map(bytes.fromhex, encoded.bases))
    return _HEAD.pack(MAGIC, VERSION, encoded.codec, len(bases), 0, len(header), size), bases, header, *encoded.chunks


def parse_head(data: Buffer) -> StoredHead | int:
    """Head of the stored object that begins with ``data``; or, where that is too short, how many bytes it takes.

    Raises IntegrityError.
    """
    if len(data) < _HEAD.size:
        raise malformed("it is cut short")
    magic, version, codec, base_length, reserved, header_length, size = _HEAD.unpack_from(data)
    if magic != MAGIC:
        raise malformed("it does not begin as one")
    if version != VERSION:
        raise IntegrityError(
            f"a stored object has version {version}", hint="a newer version of mvc may have written it"
        )
    if base_length not in (0, _ID, 2 * _ID) or reserved or not 0 < header_length <= _MAX_HEADER:
        raise malformed("its head does not add up")
    offset: int = _HEAD.size + base_length + header_length
    if len(data) < offset:
        return offset
    starts = range(_HEAD.size, _HEAD.size + base_length, _ID)
    bases = tuple(ObjectId(bytes(data[start : start + _ID]).hex()) for start in starts)
    header = bytes(data[_HEAD.size + base_length : offset])
    return StoredHead(codec, bases, header, int(size), offset)


def read_head(start: Callable[[int], bytes], more: int = 0) -> tuple[StoredHead, bytes]:
    """Head of a stored object, whose first so many bytes ``start`` reads, and ``more`` bytes of its encoded payload.

    Raises IntegrityError.
    """
    data = start(HEAD_BYTES)
    head = parse_head(data)
    need = more + (head if isinstance(head, int) else head.payload_offset)
    if need > HEAD_BYTES:
        data = start(need)
        head = parse_head(data)
    if isinstance(head, int):
        raise malformed("it is cut short")
    return head, data[head.payload_offset : need]


def unpack(object_id: ObjectId, data: Buffer, bases: Sequence[Buffer] = ()) -> tuple[StoredHead, Buffer]:
    """Head and decoded payload of a whole stored object, checked against its id. Raises IntegrityError.

    ``bases`` are the decoded payloads of its bases, of its own size.
    """
    head = parse_head(data)
    if isinstance(head, int):
        raise malformed("it is cut short")
    if head.kind == "tensor":
        _ = head.spec  # its shape bounds what is decoded
    encoded = memoryview(data)[head.payload_offset :]
    if head.codec == RESIDUALS:
        payload = decode_residuals(encoded, number_form(head.spec), head.size, bases)
    elif head.bases:
        raise malformed("its codec has no bases")
    else:
        payload = decode(head.codec, encoded, head.size)
    if hash_object(head.header, (payload,)) != object_id:
        raise malformed("its content is not what its name says")
    return head, payload


def named(error: IntegrityError, object_id: ObjectId) -> IntegrityError:
    """The same error, with the object's id in place of "a stored object"."""
    message = error.message.replace("a stored object", f"object {object_id}", 1)
    return IntegrityError(message, hint=error.hint, code=error.code)


def malformed(why: str) -> IntegrityError:
    """What everyone raises who finds a stored form that is not one."""
    return IntegrityError(f"a stored object is damaged: {why}", hint="run: mvc fsck")
