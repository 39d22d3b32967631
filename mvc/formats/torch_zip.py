"""Torch's zip files, TorchScript archives included. Owns which member holds which storage.

Refuses deflated storages, storages whose size is not what the pickle says, and whatever the archive's directory or
the inert pickle reader refuse. Nothing in the file is ever imported or executed.
"""

from __future__ import annotations

from collections.abc import Mapping

from mvc.errors import FormatError
from mvc.formats.archive import STORED, Member, read_members
from mvc.formats.base import NamedTensor
from mvc.formats.inert import load_inert
from mvc.formats.pickle_stream import MAX_BYTES, PickleStream
from mvc.formats.source import FileSource, printable
from mvc.formats.strided import RegionFile
from mvc.formats.torch_tree import FoundTensor, collect_tensors, facts_of
from mvc.formats.views import Region, View
from mvc.objects import Role, TensorSpec

_HINT = "the file is damaged or hostile; save the weights as safetensors"


class TorchZipFile(RegionFile):
    """Tensors in the order of the state dict; every stored member is a region with its checksum."""

    format = "torch-zip"

    def __init__(self, source: FileSource, role: Role | None = None) -> None:
        members = read_members(source)
        root = archive_root(list(members))
        stored = [member for member in members.values() if member.method == STORED]
        numbers = {member.name: number for number, member in enumerate(stored)}
        big_endian = _is_big_endian(source, members, root)
        views: list[tuple[NamedTensor, View]] = []
        facts: dict[str, float] = {}
        for pickle, folder in (("data.pkl", "data"), ("constants.pkl", "constants")):
            member = members.get(f"{root}/{pickle}")
            if member is None:
                continue
            tree, _ = load_inert(_pickle_stream(source, member))
            if pickle == "data.pkl":
                facts = facts_of(tree)
                found = collect_tensors(tree, role)
            else:
                # TorchScript: constants that its code refers to by number
                found = [
                    FoundTensor(f"constants.{t.name}", "other", t.ref) for t in collect_tensors(tree, role or "other")
                ]
            for tensor in found:
                view = _view(tensor, members, numbers, f"{root}/{folder}/", big_endian)
                views.append((NamedTensor(tensor.name, view.spec, tensor.role), view))
        super().__init__(source, [Region(m.offset, m.length, m.crc) for m in stored], views)
        self.facts = facts


def archive_root(names: list[str]) -> str | None:
    """Folder of the archive that holds data.pkl; None where there is none."""
    roots = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
    return min(roots, key=lambda root: (root.count("/"), root), default=None)


def _pickle_stream(source: FileSource, member: Member) -> PickleStream:
    _must_be_stored(member)
    if member.length > MAX_BYTES:
        raise FormatError(
            f"a pickle of {member.length} bytes is too large", hint=f"pickles of up to {MAX_BYTES} bytes are read"
        )
    return PickleStream(source, member.offset, member.length)


def _must_be_stored(member: Member) -> None:
    if member.method != STORED:
        raise FormatError(
            f"archive member {printable(member.name)} is compressed, which torch never writes",
            hint="load and save the file again with torch",
        )


def _is_big_endian(source: FileSource, members: Mapping[str, Member], root: str | None) -> bool:
    member = members.get(f"{root}/byteorder")
    if member is None:  # files from before torch 2.1
        return False
    _must_be_stored(member)
    order = bytes(source.read(member.offset, min(member.length, 16)))
    if order not in (b"little", b"big"):
        raise FormatError(f"byte order {order!r} is unknown", hint=_HINT)
    return order == b"big"


def _view(
    tensor: FoundTensor, members: Mapping[str, Member], numbers: Mapping[str, int], folder: str, big_endian: bool
) -> View:
    ref = tensor.ref
    name = f"{folder}{ref.storage.key}"
    member = members.get(name)
    if member is None:
        raise FormatError(f"the storage of tensor {printable(tensor.name)} is missing", hint=_HINT)
    _must_be_stored(member)
    if member.length != ref.storage.nbytes:
        raise FormatError(
            f"the storage of tensor {printable(tensor.name)} has {member.length} bytes, not {ref.storage.nbytes}",
            hint=_HINT,
        )
    return View(numbers[name], ref.start, ref.strides, TensorSpec(ref.dtype, ref.shape), big_endian)
