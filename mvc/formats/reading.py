"""One file under a path, opened by what it is. Owns the choice of reader; refuses kinds that have none."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import FormatError
from mvc.formats.base import CheckpointFile
from mvc.formats.lfs import open_source
from mvc.formats.npz import NpzFile
from mvc.formats.opaque import OpaqueFile
from mvc.formats.safetensors import SafetensorsFile
from mvc.formats.sniff import refuse, sniff
from mvc.formats.source import FileSource, printable
from mvc.formats.torch_legacy import TorchLegacyFile
from mvc.formats.torch_zip import TorchZipFile
from mvc.objects import Role


def open_file(path: Path, role: Role | None = None) -> CheckpointFile:
    """The file, or the object that a Git LFS pointer stands for, opened; names are those in the file. With
    ``role``, all its tensors have that role.

    Raises FormatError (PointerError, ChangedError) or NotFoundError; nothing stays open then.
    """
    source = open_source(path)
    try:
        match sniff(source):
            case "safetensors":
                return SafetensorsFile(source, role or "weight")
            case "torch-zip":
                return TorchZipFile(source, role)
            case "torch-legacy":
                return TorchLegacyFile(source, role)
            case "npz":
                return NpzFile(source, role or "weight")
            case kind:
                refuse(source, kind)
    except FormatError as error:
        source.close()
        if printable(path) not in error.message:
            error.message = f"{printable(path)}: {error.message}"
            error.args = (error.message,)
        raise
    except BaseException:
        source.close()
        raise


def open_opaque(path: Path) -> OpaqueFile:
    """The file, opened without a look inside; a pointer is a pointer."""
    return OpaqueFile(FileSource(path))
