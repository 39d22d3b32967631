"""Runs of small bytes, most of them smaller still. Owns how one is written, chosen by its histogram on a sample.

Huffman coding, all that zstd has for single bytes, spends at least one bit on each. Where most bytes are 0, 1 or 2,
eight, four or two of them are therefore packed into one first, so that it codes them together; a byte that does not fit
is written as the largest number of the packed width, and the rest of it apart.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.odb.zstd import Buffer, Bytes, Effort, compress, decompress, decompress_into, undecodable

#: methods: nothing but zeros; packed to so many bits, then zstd; zstd; as it is
ZEROS, PACKED, ZSTD, RAW = 0, (1, 2, 4), 8, 9
_HEAD = struct.Struct("<BI")  # method, length of what follows
_SAMPLE = 4096
#: bits of a byte above which it is not worth coding; that many uniform ones look as if they had 7.955
_NOISE = 7.9
#: bits that an optimal prefix code wastes where no symbol is very frequent
_WASTE = 0.03
#: bits that a frame takes by itself, and its code for each different byte
_FRAME, _SYMBOL = 96, 4
#: values from which on bytes are escaped, by the packed width, each range of them summed by itself
_BOUNDS = np.array([0, *((1 << bits) - 1 for bits in PACKED)])


def _unpacked(bits: int) -> npt.NDArray[Any]:
    """Of every byte the values that are packed into it, the first one lowest, together as one integer."""
    values = np.arange(256)[:, np.newaxis] >> np.arange(0, 8, bits) & (1 << bits) - 1
    return values.astype(np.uint8).view(f"u{8 // bits}")


_UNPACKED = {bits: _unpacked(bits) for bits in PACKED}


def write_stream(data: Bytes, effort: Effort) -> Iterator[Buffer]:
    """Encoded form of contiguous ``data`` (fewer than 2³² bytes), in parts; nothing of it is held on to."""
    yield from _write(data, effort, (RAW, ZSTD, *PACKED))


def _write(data: Bytes, effort: Effort, methods: tuple[int, ...]) -> Iterator[Buffer]:
    if not data.any():
        yield _HEAD.pack(ZEROS, 0)
        return
    costs = costs_of(sample(data), len(data))
    method = min(methods, key=costs.__getitem__)
    if method in PACKED:
        yield from _write_packed(data, method, effort)
        return
    packed = compress(data, effort) if method == ZSTD else b""
    if method == ZSTD and len(packed) < len(data):
        yield from (_HEAD.pack(ZSTD, len(packed)), packed)
    else:
        yield from (_HEAD.pack(RAW, len(data)), data.tobytes())


def read_stream(payload: memoryview, offset: int, into: Bytes) -> int:
    """Fills ``into`` from the stream at ``offset``; returns where the next begins. Raises IntegrityError."""
    return _read(payload, offset, into, (RAW, ZSTD, *PACKED))


def _read(payload: memoryview, offset: int, into: Bytes, methods: tuple[int, ...]) -> int:
    if offset + _HEAD.size > len(payload):
        raise undecodable("a stream is missing")
    method, length = _HEAD.unpack_from(payload, offset)
    offset += _HEAD.size
    part = payload[offset : offset + length]
    offset += length
    if len(part) != length:
        raise undecodable("a stream is cut short")
    if method == ZEROS and not length:
        into.fill(0)
    elif method == RAW and length == len(into):
        into.data[:] = part
    elif method == ZSTD:
        decompress_into(part, into)
    elif method in PACKED and method in methods:
        return _read_packed(payload, offset, part, into, method)
    else:
        raise undecodable("a stream is malformed")
    return offset


def _write_packed(data: Bytes, bits: int, effort: Effort) -> Iterator[Buffer]:
    per, top = 8 // bits, (1 << bits) - 1
    rest = np.compress(data >= top, data)  # in a third of the time that a mask takes as an index
    if bits == 1:
        small = np.packbits(data, bitorder="little")
    else:
        groups = np.zeros((-(-len(data) // per), per), dtype=np.uint8)  # the first one lowest
        np.minimum(data, top, out=groups.reshape(-1)[: len(data)])
        small = groups[:, 0].copy()
        for place in range(1, per):
            small |= groups[:, place] << (bits * place)
    packed = compress(small, effort)
    yield from (_HEAD.pack(bits, len(packed)), packed)
    rest -= top
    if len(rest):
        yield from _write(rest, effort, (RAW, ZSTD))


def _read_packed(payload: memoryview, offset: int, part: memoryview, into: Bytes, bits: int) -> int:
    per, top, size = 8 // bits, (1 << bits) - 1, len(into)
    small = decompress(part, -(-size // per))
    into[:] = _UNPACKED[bits].take(small).view(np.uint8)[:size]
    escaped = np.flatnonzero(into == top)
    if len(escaped):
        rest = np.empty(len(escaped), dtype=np.uint8)
        offset = _read(payload, offset, rest, (RAW, ZSTD))
        rest += top
        into[escaped] = rest
    return offset


def sample(data: Bytes) -> npt.NDArray[np.float64]:
    """Shares (256,) of every byte value, in a sample spread over ``data``."""
    counts = np.bincount(data[:: -(-len(data) // _SAMPLE)], minlength=256)
    shares: npt.NDArray[np.float64] = counts / counts.sum()
    return shares


def costs_of(shares: npt.NDArray[np.float64], size: int) -> dict[int, float]:
    """Bits that each of ``size`` bytes should take by each method if such shares of them have each value."""
    bits = np.zeros(256)
    present = np.flatnonzero(shares)
    bits[present] = -shares[present] * np.log2(shares[present])
    kinds = np.add.reduceat(shares > 0, _BOUNDS, dtype=np.intp).tolist()
    parts, sums, most = (
        gather.reduceat(values, _BOUNDS).tolist()
        for gather, values in ((np.add, shares), (np.add, bits), (np.maximum, shares))
    )
    found = {RAW: _NOISE, ZSTD: _coded(sum(sums), max(most), sum(kinds), size)}
    for place, method in enumerate(PACKED, 1):
        per, escapes = 8 // method, sum(parts[place:])
        clipped = sum(sums[:place]) - (escapes * math.log2(escapes) if escapes else 0.0)
        packed = _with_waste(per * clipped, max(*most[:place], escapes) ** per) / per
        if escapes:
            rest = sum(sums[place:]) / escapes + math.log2(escapes)
            packed += escapes * _coded(rest, max(most[place:]) / escapes, sum(kinds[place:]), escapes * size)
        found[method] = packed + 0.02 + _FRAME / size  # where they are alike, the plain form is quicker
    return found


def entropy(shares: npt.NDArray[np.float64]) -> float:
    """Bits a symbol."""
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())


def _coded(bits: float, most: float, kinds: int, size: float) -> float:
    """Bits for each of ``size`` bytes of ``kinds`` values by Huffman coding."""
    return min(_NOISE, _with_waste(bits, most) + (_FRAME + _SYMBOL * kinds) / size)


def _with_waste(bits: float, most: float) -> float:
    """What Huffman coding makes of an entropy: the most frequent symbol of share ``most`` takes a whole bit."""
    if most <= 0.4:
        return bits + _WASTE
    if most >= 1:
        return 1.0
    return bits + max(_WASTE, 1 + most * math.log2(most) + (1 - most) * math.log2(1 - most))
