"""One zstd frame in, one out. Owns the levels that are used, and the cap on what is decoded; knows no codec."""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zstandard

from mvc.errors import IntegrityError

Buffer = bytes | memoryview
Bytes = npt.NDArray[np.uint8]

#: ``fast``: repeated bytes found; ``symbols``: hardly any match is looked for, which leaves Huffman coding: that codes
#: exponents better than every level up to 9 (0.33 against 0.37 of their size) and in a third of level 1's time;
#: ``best``: for who has time
Effort = Literal["fast", "symbols", "best"]

_PARAMETERS = {
    "fast": zstandard.ZstdCompressionParameters.from_level(1),
    "symbols": zstandard.ZstdCompressionParameters(
        window_log=17, hash_log=6, chain_log=6, search_log=1, min_match=7, target_length=0, strategy=1
    ),
    "best": zstandard.ZstdCompressionParameters.from_level(12),
}
_local = threading.local()


def compress(data: Buffer | Bytes, effort: Effort = "fast") -> bytes:
    """One frame. May be called by several threads at once."""
    compressor: Any = getattr(_local, effort, None)
    if compressor is None:
        compressor = zstandard.ZstdCompressor(compression_params=_PARAMETERS[effort])
        setattr(_local, effort, compressor)
    packed: bytes = compressor.compress(data)
    return packed


def decompress(payload: Buffer, size: int) -> Bytes:
    """One frame that holds exactly ``size`` bytes. What the frame declares is not relied on. Raises IntegrityError."""
    output = allocate(size)
    decompress_into(payload, output)
    return output


def decompress_into(payload: Buffer, output: Bytes) -> None:
    """One frame that fills ``output`` exactly. May be called by several threads at once. Raises IntegrityError."""
    decompressor: Any = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    view = output.data
    size, filled = len(view), 0
    try:
        with decompressor.stream_reader(payload, read_size=1 << 20) as reader:
            while filled < size and (count := reader.readinto(view[filled:])):
                filled += count
            surplus = reader.read(1)
    except zstandard.ZstdError as error:
        raise undecodable(str(error)) from None
    if filled != size or surplus:
        raise undecodable(f"a frame does not hold the {size} bytes that are declared")


def allocate(size: int) -> Bytes:
    """Raises IntegrityError where there is no such memory."""
    try:
        return np.empty(size, dtype=np.uint8)
    except (MemoryError, ValueError):
        raise undecodable(f"it declares {size} bytes, more than this machine can hold") from None


def undecodable(why: str) -> IntegrityError:
    """What every decoder raises."""
    return IntegrityError(f"a stored object cannot be decoded: {why}", hint="run: mvc fsck")
