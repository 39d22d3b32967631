"""What a checkpoint consists of: its files, each a skeleton, and its named tensors. Owns the manifest's canonical form.

Two checkpoints with the same manifest are the same content, byte for byte, whatever their path, time or message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from mvc.errors import FormatError, IntegrityError
from mvc.objects import canonical
from mvc.objects.checks import each, fields, text, whole
from mvc.objects.ids import ObjectId, hash_object, object_header
from mvc.objects.tensors import TensorSpec

#: weight: part of the model's point in weight space. optimizer, other: kept, out of all distances.
#: storage: bytes of a file that no named tensor tiles exactly, kept so that the file can be restored.
Role = Literal["weight", "optimizer", "other", "storage"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One named tensor. ``name`` is the canonical one: without wrappers and prefixes of training frameworks."""

    name: str
    object: ObjectId
    spec: TensorSpec
    role: Role


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file. ``path`` is relative to the checkpoint, POSIX, and '' for a checkpoint that is a single file.

    ``size`` and ``digest`` (BLAKE3, hex) are those of the original file. The holes of ``skeleton`` index ``tensors``.
    """

    path: str
    format: str
    size: int
    digest: str
    skeleton: ObjectId
    tensors: tuple[TensorEntry, ...]


@dataclass(frozen=True)
class Manifest:
    """Files in path order, each with its tensors in file order."""

    files: tuple[FileEntry, ...]

    @cached_property
    def weights(self) -> Mapping[str, TensorEntry]:
        """name → entry of every weight, in order. Of tied names each has its own entry with the same object."""
        return {entry.name: entry for file in self.files for entry in file.tensors if entry.role == "weight"}

    @property
    def nbytes(self) -> int:
        return sum(file.size for file in self.files)

    def objects(self) -> set[ObjectId]:
        """Every object that this manifest needs."""
        tensors = {entry.object for file in self.files for entry in file.tensors}
        return tensors | {file.skeleton for file in self.files}

    def to_payload(self) -> bytes:
        return canonical.encode({"version": 1, "files": [_file_to_json(file) for file in self.files]})

    @classmethod
    def from_payload(cls, payload: bytes) -> Manifest:
        """Raises IntegrityError for what `to_payload` never writes."""
        value = canonical.decode(payload)
        try:
            fields(value, {"version": lambda version: version == 1 and whole(version), "files": each(lambda _: True)})
            return cls(files=tuple(_file_from_json(file) for file in value["files"]))
        except (FormatError, TypeError, ValueError) as error:
            raise IntegrityError(f"a manifest is malformed: {error!r}", hint="run: mvc fsck") from None

    @cached_property
    def id(self) -> ObjectId:
        return hash_object(object_header("manifest"), (self.to_payload(),))


def _file_to_json(file: FileEntry) -> dict[str, Any]:
    return {
        "path": file.path,
        "format": file.format,
        "size": file.size,
        "digest": file.digest,
        "skeleton": file.skeleton,
        "tensors": [[t.name, t.object, t.spec.dtype, list(t.spec.shape), t.role] for t in file.tensors],
    }


_SHAPE = each(whole)
_FILE = {
    **dict.fromkeys(("path", "format", "digest", "skeleton"), text),
    "size": whole,
    "tensors": each(each(lambda _: True)),
}


def _file_from_json(value: dict[str, Any]) -> FileEntry:
    fields(value, _FILE)
    tensors = []
    for name, object_id, dtype, shape, role in value["tensors"]:
        if role not in ROLES or not all(map(text, (name, object_id, dtype))) or not _SHAPE(shape):
            raise ValueError("a tensor is not what it should be")
        tensors.append(TensorEntry(name, ObjectId(object_id), TensorSpec(dtype, tuple(shape)), role))
    return FileEntry(
        path=value["path"],
        format=value["format"],
        size=value["size"],
        digest=value["digest"],
        skeleton=ObjectId(value["skeleton"]),
        tensors=tuple(tensors),
    )
