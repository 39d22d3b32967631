"""Safetensors files that are damaged or lie: each is refused with one clear error, before anything is allocated."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import FormatError
from mvc.formats import open_checkpoint
from tests.formats.makers import check_round_trip, raw_safetensors


def entry(begin: int, end: int, shape: list[int] | None = None, dtype: str = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [end - begin] if shape is None else shape, "data_offsets": [begin, end]}


def test_well_formed_one_is_read(tmp_path: Path) -> None:
    with open_checkpoint(raw_safetensors(tmp_path / "x", {"a": entry(0, 4), "b": entry(4, 8)}, b"12345678")) as c:
        assert bytes(c.read("b")) == b"5678"


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, 100_000_001, 10_000, 0, 1])
def test_header_length(tmp_path: Path, length: int) -> None:
    with pytest.raises(FormatError):
        open_checkpoint(raw_safetensors(tmp_path / "x", {"a": entry(0, 4)}, b"1234", length=length))


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": entry(0, 4), "b": entry(2, 6)}, b"123456"),
        ({"a": entry(0, 4), "b": entry(5, 8)}, b"12345678"),
        ({"a": entry(1, 4)}, b"1234"),
        ({"a": entry(0, 4)}, b"12345"),
        ({"a": entry(0, 4)}, b"123"),
        ({"a": entry(0, 4), "b": entry(0, 4)}, b"1234"),
        ({}, b"1"),
        ({"a": entry(0, 4, [5])}, b"1234"),
        ({"a": entry(0, 4, [2**33, 2**33])}, b"1234"),
        ({"a": entry(0, 4, [2**200])}, b"1234"),
        ({"a": entry(0, 4, [-2, -2])}, b"1234"),
        ({"a": entry(-4, 0, [4])}, b"1234"),
        ({"a": entry(4, 0, [4])}, b"1234"),
        ({"a": entry(0, 4, [4.0])}, b"1234"),
        ({"a": entry(0, 4, [True, 4])}, b"1234"),
        ({"a": entry(0, 4, dtype="F33")}, b"1234"),
        ({"a": entry(0, 4, dtype=["U8"])}, b"1234"),
        ({"a": {"dtype": "U8", "shape": [4]}}, b"1234"),
        ({"a": {**entry(0, 4), "more": 1}}, b"1234"),
        ({"a": [1]}, b"1234"),
        ({"": entry(0, 4)}, b"1234"),
        ({"a\0b": entry(0, 4)}, b"1234"),
        ({"a" * 1_000_000: entry(0, 4)}, b"1234"),
        ({"__metadata__": {"a": 1}, "a": entry(0, 4)}, b"1234"),
        ({"__metadata__": "x", "a": entry(0, 4)}, b"1234"),
        (b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,4]}}', b"1234"),
        (b'{"\\ud800":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', b"1234"),
        (b"{" + b"[" * 100_000, b""),
        (b'{"a":' * 50_000, b""),
        (b'{"a":' + b"9" * 10_000 + b"}", b""),
        (b"{\xff}", b""),
        (b"{}{}", b""),
    ],
)
def test_refused(tmp_path: Path, header: Any, data: bytes) -> None:
    path = raw_safetensors(tmp_path / "x", header, data)
    before = path.read_bytes()
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert "\n" not in caught.value.message and len(caught.value.message) < 1000
    assert path.read_bytes() == before


def test_duplicate_keys_that_still_tile(tmp_path: Path) -> None:
    one, two = json.dumps(entry(0, 4)), json.dumps(entry(4, 8))
    for text in (
        f'{{"a":{one},"a":{two}}}',  # the last alone leaves a gap
        f'{{"a":{one},"b":{two},"a":{one}}}',  # tiles whichever wins
        '{"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
    ):
        with pytest.raises(FormatError, match="twice"):
            open_checkpoint(raw_safetensors(tmp_path / "x", text.encode(), b"12345678"))


def test_many_nodes_are_refused_before_they_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b'{"a":[' + b"[]," * 7_000_000 + b"[]]}"
    path = raw_safetensors(tmp_path / "x", text)
    monkeypatch.setattr("mvc.formats.safetensors.json.loads", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(FormatError, match="more than"):
        open_checkpoint(path)


def test_200_000_tensors(tmp_path: Path) -> None:
    header = {f"layer.{i}.w": entry(4 * i, 4 * i + 4, [1], "F32") for i in range(200_000)}
    path = raw_safetensors(tmp_path / "x", header, np.arange(200_000, dtype=np.float32).tobytes())
    with open_checkpoint(path) as checkpoint:
        assert len(checkpoint.specs) == 200_000
        assert struct.unpack("<f", checkpoint.read("layer.777.w")) == (777.0,)


def test_empty_and_scalar_tensors_between_others(tmp_path: Path) -> None:
    header = {"b": entry(4, 4, [0, 3]), "a": entry(0, 4, [], "F32"), "c": entry(4, 6), "d": entry(6, 6, [0])}
    with open_checkpoint(raw_safetensors(tmp_path / "x", header, b"123456")) as checkpoint:
        assert checkpoint.specs["b"].shape == (0, 3) and checkpoint.specs["a"].shape == ()
        check_round_trip(checkpoint.files[0][1])


@pytest.mark.parametrize(("dtype", "shape"), [("F4", [4, 2]), ("F6_E2M3", [4]), ("F8_E8M0", [4]), ("F8_E4M3FNUZ", [4])])
def test_small_floats(tmp_path: Path, dtype: str, shape: list[int]) -> None:
    size = 3 if dtype.startswith("F6") else 4
    path = raw_safetensors(tmp_path / "x", {"w": entry(0, size, shape, dtype)}, b"\x01\x80\xff\x7f"[:size])
    with open_checkpoint(path) as checkpoint:
        assert bytes(checkpoint.read("w")) == b"\x01\x80\xff\x7f"[:size]
        check_round_trip(checkpoint.files[0][1])


def test_metadata_and_padding_survive(tmp_path: Path) -> None:
    text = json.dumps({"__metadata__": {"step": "12", "x": "\x1b[31m"}, "w": entry(0, 1)}).encode() + b"   "
    with open_checkpoint(raw_safetensors(tmp_path / "x", text, b"1")) as checkpoint:
        assert checkpoint.facts == {"step": 12.0}
        check_round_trip(checkpoint.files[0][1])
