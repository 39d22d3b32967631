"""Safetensors files, read strictly. Owns the header's grammar; the tensors must tile the rest of the file exactly.

Refuses a header over 100 MB or beyond the file (before allocating), duplicate keys at any level, unknown dtypes,
shapes that do not match their bytes, and any gap, overlap or trailing byte between tensors.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from mvc.errors import FormatError
from mvc.formats.base import CheckpointFile, NamedTensor
from mvc.formats.names import check_name
from mvc.formats.source import FileSource, printable
from mvc.objects import Hole, Role, TensorSpec

#: the format's own limit on its header
MAX_HEADER = 100_000_000
#: objects and lists in a header, three for each tensor; keeps a hostile header from filling the memory once parsed
MAX_NODES = 6_000_000

_HINT = "the file is damaged or was not written by safetensors; fetch or save it again"


class SafetensorsFile(CheckpointFile):
    """Tensors in order of their offsets; the header is the file's only literal part."""

    format = "safetensors"

    def __init__(self, source: FileSource, role: Role = "weight") -> None:
        super().__init__(source)
        header, start = _read_header(source)
        metadata = header.pop("__metadata__", {})
        entries = sorted(
            (_parse_entry(name, entry) for name, entry in header.items()), key=lambda entry: (entry[2], entry[3])
        )
        _check_tiling(entries, source.size - start)
        self.facts = _facts(metadata)
        self.tensors = tuple(NamedTensor(name, spec, role) for name, spec, _, _ in entries)
        self._spans = tuple((start + begin, end - begin) for _, _, begin, end in entries)
        self.holes = tuple(Hole(begin, n, index) for index, (begin, n) in enumerate(self._spans) if n)

    def read(self, index: int) -> bytes | memoryview:
        return self._source.read(*self._spans[index])


def _read_header(source: FileSource) -> tuple[dict[str, Any], int]:
    if source.size < 8:
        raise FormatError("a safetensors file is too short for its header's length", hint=_HINT)
    length = int.from_bytes(source.read(0, 8), "little")
    if length > MAX_HEADER:
        raise FormatError(f"a safetensors header claims {length} bytes; the limit is {MAX_HEADER}", hint=_HINT)
    if 8 + length > source.size:
        raise FormatError(f"a safetensors header claims {length} bytes, more than the file has", hint=_HINT)
    text = bytes(source.read(8, length))
    if text.count(b"{") + text.count(b"[") > MAX_NODES:
        raise FormatError(f"a safetensors header has more than {MAX_NODES // 3} tensors", hint=_HINT)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"a safetensors header is not JSON: {printable(str(error))}", hint=_HINT) from None
    if not isinstance(header, dict):
        raise FormatError("a safetensors header is not a JSON object", hint=_HINT)
    return header, 8 + length


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FormatError(f"a safetensors header names {printable(key)} twice", hint=_HINT)
            seen.add(key)
    return value


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _parse_entry(name: str, entry: Any) -> tuple[str, TensorSpec, int, int]:
    check_name(name)
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"the safetensors entry of {printable(name)} is malformed", hint=_HINT)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise FormatError(f"the safetensors entry of {printable(name)} is malformed", hint=_HINT)
    try:
        spec = TensorSpec(dtype, tuple(shape))
    except FormatError as error:
        raise FormatError(f"tensor {printable(name)}: {error.message}", hint=_HINT, code=error.code) from None
    begin, end = offsets
    if end - begin != spec.nbytes:
        raise FormatError(
            f"tensor {printable(name)} has {end - begin} bytes where its shape needs {spec.nbytes}", hint=_HINT
        )
    return name, spec, begin, end


def _are_sizes(value: Any) -> bool:
    # 2**62 bounds what a product of sizes may start from; bool is an int to Python, but not to the format
    return (
        isinstance(value, list)
        and len(value) <= 64
        and all(type(item) is int and 0 <= item < 1 << 62 for item in value)
    )


def _check_tiling(entries: list[tuple[str, TensorSpec, int, int]], length: int) -> None:
    for (_, _, _, end), (name, _, begin, _) in pairwise([("", None, 0, 0), *entries]):
        if begin != end:
            what = "overlaps the tensor before it" if begin < end else "leaves a gap before it"
            raise FormatError(f"tensor {printable(name)} {what}", hint=_HINT)
    end = entries[-1][3] if entries else 0
    if end != length:
        what = "is truncated" if end > length else "has trailing bytes"
        raise FormatError(f"a safetensors file {what}: its tensors need {end} bytes, it has {length}", hint=_HINT)


def _facts(metadata: Any) -> Mapping[str, float]:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FormatError("safetensors metadata must map text to text", hint=_HINT)
    for key in ("global_step", "step"):
        try:
            step = float(metadata.get(key, ""))
        except ValueError:
            continue
        if math.isfinite(step):
            return {"step": step}
    return {}
