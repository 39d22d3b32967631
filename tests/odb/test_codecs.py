"""Every codec gives back what it was given, and takes nothing that lies about itself."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.errors import IntegrityError
from mvc.objects import DTYPES, TensorSpec
from mvc.odb.codecs import PLANES, RAW, ZSTD, Encoded, decode, encode
from mvc.odb.numbers import number_form


def joined(encoded: Encoded) -> bytes:
    return b"".join(encoded.chunks)


def values(spec: TensorSpec, kind: str) -> bytes:
    """Bytes of a tensor as training leaves them, of noise, or of one value."""
    rng = np.random.default_rng(spec.numel)
    dtype = DTYPES[spec.dtype].numpy
    if kind == "trained" and dtype is not None and DTYPES[spec.dtype].number in ("float", "complex"):
        return (rng.normal(size=spec.shape) * 0.02).astype(dtype).tobytes()
    if kind == "constant":
        return bytes(spec.nbytes)
    return rng.bytes(spec.nbytes)


@pytest.mark.parametrize("kind", ["trained", "noise", "constant"])
@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None)
@given(numel=st.integers(0, 3000).map(lambda n: 4 * n))
def test_round_trip_of_every_dtype(dtype: str, kind: str, numel: int) -> None:
    spec = TensorSpec(dtype, (numel,))
    data = values(spec, kind)
    encoded = encode(data, number_form(spec).width)
    payload = joined(encoded)
    assert len(payload) <= len(data)
    assert bytes(decode(encoded.codec, payload, len(data))) == data


@settings(deadline=None)
@given(data=st.binary(max_size=5000), itemsize=st.sampled_from([1, 2, 4, 8, 16]))
def test_round_trip_of_any_bytes(data: bytes, itemsize: int) -> None:
    data *= itemsize
    encoded = encode(data, itemsize)
    assert bytes(decode(encoded.codec, joined(encoded), len(data))) == data


@settings(deadline=None)
@given(
    codec=st.sampled_from([RAW, ZSTD, PLANES]),
    payload=st.binary(max_size=300),
    size=st.integers(0, 2000),
)
def test_any_payload_gives_the_declared_size_or_an_integrity_error(codec: int, payload: bytes, size: int) -> None:
    with contextlib.suppress(IntegrityError):
        assert len(decode(codec, payload, size)) == size


@settings(deadline=None)
@given(st.data())
def test_damaged_payloads_give_the_declared_size_or_an_integrity_error(data: st.DataObject) -> None:
    numbers = (np.arange(500, dtype="<u4") ** 2).tobytes()
    encoded = encode(numbers, 4)
    assert encoded.codec == PLANES
    payload = bytearray(joined(encoded))
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for damaged in (bytes(payload), bytes(payload[:cut])):
        with contextlib.suppress(IntegrityError):
            assert len(decode(PLANES, damaged, len(numbers))) == len(numbers)


def test_noise_and_small_payloads_stay_raw() -> None:
    assert encode(np.random.default_rng(0).bytes(1 << 16), 4).codec == RAW
    assert encode(b"\0" * 100, 4).codec == RAW


def test_a_bomb_allocates_no_more_than_is_declared() -> None:
    bomb = zstandard.compress(bytes(200 << 20))
    assert len(bomb) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError):
            decode(ZSTD, bomb, 1000)
        with pytest.raises(IntegrityError):
            decode(PLANES, b"\2" + struct.pack("<BQ", ZSTD, len(bomb)) + bomb, 1000)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def frame(data: bytes, *, declare: bool) -> bytes:
    compressor = zstandard.ZstdCompressor(write_content_size=declare)
    return compressor.compress(data)


def test_frames_need_not_declare_their_size() -> None:
    assert bytes(decode(ZSTD, frame(b"x" * 5000, declare=False), 5000)) == b"x" * 5000


@pytest.mark.parametrize("declare", [True, False])
@pytest.mark.parametrize("size", [0, 1, 4999, 5001, 1 << 40, (1 << 63) - 1])
def test_a_size_that_lies_is_an_integrity_error(declare: bool, size: int) -> None:
    with pytest.raises(IntegrityError):
        decode(ZSTD, frame(b"x" * 5000, declare=declare), size)


def test_a_frame_that_declares_a_lie_is_an_integrity_error() -> None:
    honest = bytearray(frame(bytes(300), declare=True))
    assert honest[4] >> 6 == 1  # two bytes of content size, from 256
    honest[5:7] = struct.pack("<H", 60_000 - 256)
    for size in (300, 60_000):
        with pytest.raises(IntegrityError):
            decode(ZSTD, bytes(honest), size)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(IntegrityError, match="codec 9"):
        decode(9, b"", 0)
