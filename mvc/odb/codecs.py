"""How a payload is written: as it is, zstd, or byte planes. Owns the codec numbers and both directions; never lossy.

Whole numbers are split into planes (byte 0 of every value, then byte 1, ...), of which the high ones are mostly zeros.
Each plane is kept raw where zstd does not pay, and so is the whole: zstd gives up on noise at about 3 GB/s, which makes
trying cheaper than guessing. Decoding is capped by the declared size, whatever a frame says of itself. Floats, and all
that has a base, are in ``deltas``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.zstd import Buffer, allocate, compress, decompress, undecodable

RAW, ZSTD, PLANES, RESIDUALS = 0, 1, 2, 3

#: part of the size that must be saved before decoding is worth its time
_MIN_GAIN = 0.02
#: bytes below which a payload stays raw: a file takes a block on the disk all the same
_MIN_SIZE = 256
_PLANE = struct.Struct("<BQ")


@dataclass(frozen=True, slots=True)
class Encoded:
    """``codec``, the encoded payload in parts to be joined, and the objects that decoding needs besides it."""

    codec: int
    chunks: tuple[Buffer, ...]
    bases: tuple[ObjectId, ...] = ()


def encode(data: Buffer, itemsize: int = 1) -> Encoded:
    """The smallest of the codecs' forms of ``data``, whose values are ``itemsize`` bytes each (1: no planes)."""
    data = memoryview(data).cast("B")
    if len(data) >= _MIN_SIZE:
        chunks = _encode_planes(data, itemsize) if itemsize > 1 else (compress(data),)
        if sum(map(len, chunks)) <= len(data) * (1 - _MIN_GAIN):
            return Encoded(PLANES if itemsize > 1 else ZSTD, chunks)
    return Encoded(RAW, (data,))


def decode(codec: int, payload: Buffer, size: int) -> Buffer:
    """``size`` bytes. Raises IntegrityError for any payload that is not exactly that, having allocated no more."""
    if codec == RAW:
        if len(payload) != size:
            raise undecodable(f"{len(payload)} bytes where {size} are declared")
        return payload
    if codec == ZSTD:
        return decompress(payload, size).data.toreadonly()
    if codec == PLANES:
        return _decode_planes(memoryview(payload), size)
    raise IntegrityError(f"a stored object uses codec {codec}", hint="a newer version of mvc may have written it")


def _encode_planes(data: memoryview, itemsize: int) -> tuple[Buffer, ...]:
    values = np.frombuffer(data, dtype=np.uint8).reshape(-1, itemsize)  # [n, itemsize]
    chunks: list[Buffer] = [bytes([itemsize])]
    for index in range(itemsize):
        plane = np.ascontiguousarray(values[:, index]).data
        packed = compress(plane)
        if len(packed) <= len(plane) * (1 - _MIN_GAIN):
            chunks += [_PLANE.pack(ZSTD, len(packed)), packed]
        else:
            chunks += [_PLANE.pack(RAW, len(plane)), plane]
    return tuple(chunks)


def _decode_planes(payload: memoryview, size: int) -> Buffer:
    itemsize = payload[0] if payload else 0
    if itemsize < 2 or size % itemsize:
        raise undecodable("byte planes do not fit the declared size")
    values = allocate(size).reshape(-1, itemsize)  # [n, itemsize]
    offset = 1
    for index in range(itemsize):
        if offset + _PLANE.size > len(payload):
            raise undecodable("a byte plane is missing")
        method, length = _PLANE.unpack_from(payload, offset)
        offset += _PLANE.size
        part = payload[offset : offset + length]
        offset += length
        if method not in (RAW, ZSTD) or len(part) != length or (method == RAW and length != len(values)):
            raise undecodable("a byte plane is malformed")
        plane = decompress(part, len(values)) if method == ZSTD else np.frombuffer(part, dtype=np.uint8)
        values[:, index] = plane
    if offset != len(payload):
        raise undecodable("bytes follow the last byte plane")
    return values.reshape(-1).data.toreadonly()
