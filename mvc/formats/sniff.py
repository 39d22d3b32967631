"""What kind of file this is, by its first bytes (and, for archives, its directory); never by its name. Owns the kinds.

Refuses, by name, what can be told apart but is not read. Pointers (Git LFS, mvc) are a kind of their own, so that a
pointer is never mistaken for weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NoReturn

from mvc.errors import FormatError, PointerError
from mvc.formats.archive import member_names
from mvc.formats.source import FileSource, printable
from mvc.formats.torch_zip import archive_root

Kind = Literal[
    "safetensors", "torch-zip", "torch-legacy", "npz", "lfs-pointer", "mvc-pointer", "pickle", "empty", "foreign"
]
#: kinds that a reader exists for
READABLE: frozenset[Kind] = frozenset({"safetensors", "torch-zip", "torch-legacy", "npz"})

LFS_MAGIC = b"version https://git-lfs.github.com/spec/v1\n"
#: first line of the small file that stands in a working tree for a committed checkpoint
MVC_POINTER_MAGIC = b"version https://modelvc.dev/spec/v1\n"
#: what its name ends with, after that of the checkpoint
POINTER_SUFFIX = ".mvc"

#: torch's 0x1950a86a20f9469cfc6c as any pickle protocol from 2 on writes it
_LEGACY_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
_FOREIGN = (
    (b"\x89HDF\r\n\x1a\n", 0, "an HDF5 file"),
    (b"GGUF", 0, "a GGUF file"),
    (b"\x93NUMPY", 0, "a single NumPy array"),
    (b"ustar", 257, "a tar archive (torch wrote those before version 0.1.10)"),
    (b"\x1f\x8b", 0, "a gzip file"),
    (b"\x28\xb5\x2f\xfd", 0, "a zstd file"),
    (b"PK", 0, "a zip archive without tensors"),
)


def sniff(source: FileSource) -> Kind:
    """Kind of an open file. Raises FormatError for a damaged archive."""
    if not source.size:
        return "empty"
    head = bytes(source.read(0, min(512, source.size)))
    if head.startswith(LFS_MAGIC):
        return "lfs-pointer"
    if head.startswith(MVC_POINTER_MAGIC):
        return "mvc-pointer"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _sniff_archive(source)
    if head[8:9] == b"{":
        return "safetensors"
    if head[0] == 0x80 and len(head) > 1 and head[1] <= 5:
        return "torch-legacy" if _LEGACY_MAGIC in head[:32] else "pickle"
    return "foreign"


def sniff_path(path: Path) -> Kind:
    """Kind of the file under a path. Raises FormatError for what cannot be opened as a file."""
    source = FileSource(path)
    try:
        return sniff(source)
    finally:
        source.close()


def refuse(source: FileSource, kind: Kind) -> NoReturn:
    """Raises the error for a file of a kind that no reader exists for."""
    name = printable(source.path)
    if kind == "empty":
        raise FormatError(f"{name} is empty", hint="save or fetch the file again", code="empty-file")
    if kind == "lfs-pointer":
        raise PointerError(
            f"{name} is a Git LFS pointer; the weights were not fetched",
            hint=f"run: git lfs pull --include {printable(source.path.name)}",
        )
    if kind == "mvc-pointer":
        raise PointerError(f"{name} is an mvc pointer; the weights were not fetched", hint=f"run: mvc checkout {name}")
    if kind == "pickle":
        raise FormatError(
            f"{name} is a bare pickle, which mvc does not read",
            hint="save the weights as safetensors, or with torch.save",
        )
    head = bytes(source.read(0, min(512, source.size)))
    what = next((what for magic, at, what in _FOREIGN if head[at : at + len(magic)] == magic), "no checkpoint file")
    raise FormatError(f"{name} is {what}, which mvc does not read", hint="mvc reads safetensors, torch and npz files")


def _sniff_archive(source: FileSource) -> Kind:
    names = member_names(source)
    if archive_root(names) is not None:
        return "torch-zip"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    return "foreign"
