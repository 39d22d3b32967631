"""NumPy's .npz archives. Owns the .npy header and which arrays can be cut out of the file.

Stored members become holes; deflated ones are read on demand, inflating to exactly what their header declares. Arrays
of text or dates are kept as bytes of the file and named nowhere. Refuses object arrays (they are pickles), raw void
and long double arrays, and headers that NumPy does not write.
"""

from __future__ import annotations

import ast
import math
import re
import zlib
from dataclasses import dataclass

from mvc.errors import FormatError
from mvc.formats.archive import DEFLATED, STORED, Member, read_members
from mvc.formats.base import NamedTensor
from mvc.formats.names import check_name
from mvc.formats.source import FileSource, printable
from mvc.formats.strided import RegionFile
from mvc.formats.views import Region, View, contiguous_strides
from mvc.objects import Role, TensorSpec

#: NumPy's own limit on a header that it did not write itself
MAX_HEADER = 10_000
#: deflate cannot do better than about 1032 to 1
_MAX_RATIO = 1040
_HINT = "the file is damaged or was not written by NumPy; save it again"

_DTYPES = {
    "b1": "BOOL",
    "i1": "I8",
    "u1": "U8",
    "i2": "I16",
    "u2": "U16",
    "i4": "I32",
    "u4": "U32",
    "i8": "I64",
    "u8": "U64",
    "f2": "F16",
    "f4": "F32",
    "f8": "F64",
    "c8": "C64",
    "c16": "C128",
}
_DESCRIPTOR = re.compile(r"([<>|=])([a-zA-Z])([0-9]{1,9})(\[[^\]]*\])?")


@dataclass(frozen=True, slots=True)
class _Header:
    """``length`` bytes of header; ``dtype`` is None for an array that is no tensor."""

    length: int
    dtype: str | None
    big_endian: bool
    fortran: bool
    shape: tuple[int, ...]


class NpzFile(RegionFile):
    """Arrays in the order in which they lie in the archive, named without ``.npy``."""

    format = "npz"

    def __init__(self, source: FileSource, role: Role = "weight") -> None:
        regions: list[Region] = []
        views: list[tuple[NamedTensor, View]] = []
        for member in read_members(source).values():
            header = _parse_header(_first_bytes(source, member), member)
            inflated = member.size if member.method == DEFLATED else None
            region = Region(member.offset, member.length, member.crc, inflated)
            regions.append(region)
            if header.dtype is None:
                continue
            name = check_name(member.name.removesuffix(".npy"))
            spec = TensorSpec(header.dtype, header.shape)
            if header.length + spec.nbytes != member.size:
                raise FormatError(f"array {printable(name)} does not have the size that it declares", hint=_HINT)
            strides = contiguous_strides(header.shape)
            if header.fortran:
                strides = tuple(reversed(contiguous_strides(header.shape[::-1])))
            view = View(len(regions) - 1, header.length, strides, spec, header.big_endian)
            views.append((NamedTensor(name, spec, role), view))
        super().__init__(source, regions, views)


def _first_bytes(source: FileSource, member: Member) -> bytes:
    """As much of a member's content as a header can take."""
    limit = MAX_HEADER + 12
    if member.method == STORED:
        return bytes(source.read(member.offset, min(limit, member.length)))
    if member.method != DEFLATED:
        raise FormatError(f"member {printable(member.name)} is compressed in an unknown way", hint=_HINT)
    if member.size > _MAX_RATIO * member.length + 64:
        raise FormatError(f"member {printable(member.name)} cannot inflate to {member.size} bytes", hint=_HINT)
    try:
        packed = source.read(member.offset, min(member.length, 4 * limit))
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, limit)
    except zlib.error:
        raise FormatError(f"member {printable(member.name)} is damaged", hint=_HINT) from None


def _parse_header(content: bytes, member: Member) -> _Header:
    name = printable(member.name)
    prefix = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}.get(content[6:8])
    if content[:6] != b"\x93NUMPY" or prefix is None:
        raise FormatError(f"member {name} is not a NumPy array", hint=_HINT)
    start = 8 + prefix
    length = start + int.from_bytes(content[8:start], "little")
    if length > MAX_HEADER or length > len(content):
        raise FormatError(f"the header of array {name} is too long", hint=_HINT)
    try:
        fields = ast.literal_eval(content[start:length].decode("latin-1").strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise FormatError(f"the header of array {name} is malformed", hint=_HINT) from None
    if not isinstance(fields, dict) or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise FormatError(f"the header of array {name} is malformed", hint=_HINT)
    descriptor, fortran, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    sizes_fit = (
        isinstance(shape, tuple) and len(shape) <= 64 and all(type(n) is int and 0 <= n < 1 << 62 for n in shape)
    )
    if not sizes_fit or not isinstance(fortran, bool) or math.prod(shape) >= 1 << 62:
        raise FormatError(f"the header of array {name} is malformed", hint=_HINT)
    dtype, big_endian = _parse_descriptor(descriptor, name)
    return _Header(length, dtype, big_endian, fortran, shape)


def _parse_descriptor(descriptor: object, name: str) -> tuple[str | None, bool]:
    match = _DESCRIPTOR.fullmatch(descriptor) if isinstance(descriptor, str) else None
    if match is None or match[2] in "OV":
        what = (
            "an object array, which is a pickle" if match is not None and match[2] == "O" else "of a dtype without name"
        )
        raise FormatError(
            f"array {name} is {what}: {printable(str(descriptor))}",
            hint="save numbers only, or use safetensors",
            code="unknown-dtype",
        )
    order, kind, size = match[1], match[2], match[3]
    if kind in "SUMm":
        return None, False
    dtype = _DTYPES.get(f"{kind}{size}")
    if dtype is None:
        raise FormatError(
            f"array {name} has dtype {printable(str(descriptor))}, which mvc does not read",
            hint="save it as float64 or smaller",
            code="unknown-dtype",
        )
    return dtype, order == ">"
