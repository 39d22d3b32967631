"""The directory of a zip archive, read strictly. Owns where each member's bytes lie; inflates nothing.

Refuses encrypted members, duplicate names, members that overlap, leave the file or contradict their own local
headers, archives in several parts, and anything after the archive's end.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from mvc.errors import FormatError
from mvc.formats.source import FileSource, printable

MAX_MEMBERS = 2_000_000
MAX_DIRECTORY = 512 * 1024 * 1024
STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_HINT = "the file is damaged or incomplete; fetch or save it again"


@dataclass(frozen=True, slots=True)
class Member:
    """``length`` bytes at ``offset`` of the file; ``size`` once inflated, ``crc`` that of the inflated bytes."""

    name: str
    method: int
    offset: int
    length: int
    size: int
    crc: int


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    flags: int
    method: int
    crc: int
    length: int
    size: int
    header: int


def member_names(source: FileSource) -> list[str]:
    """Names in the archive's directory, in order; reads nothing else."""
    entries, _ = _read_directory(source)
    return [_decode(entry) for entry in entries]


def read_members(source: FileSource) -> Mapping[str, Member]:
    """name → member, in the order in which they lie in the file. Raises FormatError."""
    entries, directory = _read_directory(source)
    entries.sort(key=lambda entry: entry.header)
    members: dict[str, Member] = {}
    end = 0
    for entry in entries:
        name = _decode(entry)
        if name in members:
            raise FormatError(f"an archive has two members named {printable(name)}", hint=_HINT)
        if entry.header < end:
            raise FormatError(f"archive member {printable(name)} overlaps the one before it", hint=_HINT)
        offset = _data_offset(source, entry, name, directory)
        end = offset + entry.length
        if end > directory:
            raise FormatError(f"archive member {printable(name)} reaches beyond the archive", hint=_HINT)
        members[name] = Member(name, entry.method, offset, entry.length, entry.size, entry.crc)
    return members


def _data_offset(source: FileSource, entry: _Entry, name: str, directory: int) -> int:
    if entry.header + _LOCAL.size > directory:
        raise FormatError(f"archive member {printable(name)} reaches beyond the archive", hint=_HINT)
    raw = source.read(entry.header, min(_LOCAL.size + len(entry.name), directory - entry.header))
    signature, _, flags, method, *_, name_length, extra_length = _LOCAL.unpack_from(raw)
    local_name = bytes(raw[_LOCAL.size :])
    if signature != b"PK\x03\x04" or method != entry.method or name_length != len(entry.name):
        raise FormatError(f"archive member {printable(name)} contradicts the archive's directory", hint=_HINT)
    if local_name != entry.name:
        raise FormatError(f"archive member {printable(name)} contradicts the archive's directory", hint=_HINT)
    if (flags | entry.flags) & 0x2041:
        raise FormatError(f"archive member {printable(name)} is encrypted", hint="save it without encryption")
    if entry.method == STORED and entry.length != entry.size:
        raise FormatError(f"archive member {printable(name)} has two sizes", hint=_HINT)
    return entry.header + _LOCAL.size + int(name_length) + int(extra_length)


def _decode(entry: _Entry) -> str:
    # bit 11 says UTF-8; without it the name is code page 437, of which torch and NumPy write only ASCII
    try:
        return entry.name.decode("utf-8" if entry.flags & 0x800 else "cp437")
    except UnicodeDecodeError:
        raise FormatError("an archive member's name is not text", hint=_HINT) from None


def _read_directory(source: FileSource) -> tuple[list[_Entry], int]:
    offset, length, count = _locate(source)
    if length > MAX_DIRECTORY or count > MAX_MEMBERS:
        raise FormatError(
            f"an archive's directory claims {count} members in {length} bytes",
            hint=f"archives of up to {MAX_MEMBERS} members are read",
        )
    raw = source.read(offset, length)
    entries = []
    at = 0
    for _ in range(count):
        try:
            fields = _CENTRAL.unpack_from(raw, at)
        except struct.error:
            raise FormatError("an archive's directory is cut short", hint=_HINT) from None
        signature, _, _, flags, method, _, _, crc, packed, size = fields[:10]
        name_length, extra_length, comment_length, disk, _, _, header = fields[10:]
        if signature != b"PK\x01\x02" or disk not in (0, 0xFFFF):
            raise FormatError("an archive's directory is damaged", hint=_HINT)
        at += _CENTRAL.size
        name = bytes(raw[at : at + name_length])
        extra = bytes(raw[at + name_length : at + name_length + extra_length])
        at += name_length + extra_length + comment_length
        if at > length:
            raise FormatError("an archive's directory is cut short", hint=_HINT)
        size, packed, header = _wide(extra, size, packed, header)
        entries.append(_Entry(name, flags, method, crc, packed, size, header))
    if at != length:
        raise FormatError("an archive's directory has bytes that no member accounts for", hint=_HINT)
    return entries, offset


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """The three numbers, those at their 32-bit limit replaced from the zip64 field."""
    narrow = [size, packed, header]
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        if tag == 1:
            field = extra[at + 4 : at + 4 + length]
            for index, value in enumerate(narrow):
                if value == 0xFFFFFFFF:
                    if len(field) < 8:
                        break
                    narrow[index] = int.from_bytes(field[:8], "little")
                    field = field[8:]
            break
        at += 4 + length
    return narrow[0], narrow[1], narrow[2]


def _locate(source: FileSource) -> tuple[int, int, int]:
    """(offset, length, members) of the central directory."""
    tail_length = min(source.size, _END.size + 0xFFFF)
    tail_offset = source.size - tail_length
    tail = bytes(source.read(tail_offset, tail_length))
    found = tail.rfind(b"PK\x05\x06")
    while found >= 0:
        if found + _END.size <= len(tail):
            fields = _END.unpack_from(tail, found)
            if found + _END.size + fields[7] == len(tail):
                break
        found = tail.rfind(b"PK\x05\x06", 0, found)
    if found < 0:
        raise FormatError("an archive has no directory: it is truncated", hint=_HINT)
    _, disk, start_disk, here, count, length, offset, _ = fields
    end = tail_offset + found
    if end >= _LOCATOR64.size:
        locator = _LOCATOR64.unpack(source.read(end - _LOCATOR64.size, _LOCATOR64.size))
        if locator[0] == b"PK\x06\x07":
            at = locator[2]
            if at + _END64.size > end:
                raise FormatError("an archive's directory is damaged", hint=_HINT)
            signature, _, _, _, disk, start_disk, here, count, length, offset = _END64.unpack(
                source.read(at, _END64.size)
            )
            if signature != b"PK\x06\x06":
                raise FormatError("an archive's directory is damaged", hint=_HINT)
            end = at
    if disk or start_disk or here != count:
        raise FormatError("an archive in several parts is not read", hint="join its parts first")
    if offset + length != end:
        raise FormatError("an archive's directory is not where its end says", hint=_HINT)
    return offset, length, count
