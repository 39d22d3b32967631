"""Torch's files from before 1.6: five pickles, then the storages one after another. Owns their layout.

Refuses another protocol than torch's one, storages out of step with the pickles, and trailing bytes. The format has no
checksums. The numbers are little-endian on every machine, whatever the file's system information says.
"""

from __future__ import annotations

from typing import Any

from mvc.errors import FormatError
from mvc.formats.base import NamedTensor
from mvc.formats.inert import Persistent, load_inert
from mvc.formats.pickle_stream import MAX_BYTES, PickleStream
from mvc.formats.source import FileSource, printable
from mvc.formats.strided import RegionFile
from mvc.formats.torch_tree import collect_tensors, facts_of
from mvc.formats.torch_values import StorageRef, storage_of
from mvc.formats.views import Region, View
from mvc.objects import Role, TensorSpec

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_HINT = "the file is damaged or was not written by torch; save it again"


class TorchLegacyFile(RegionFile):
    """Tensors in the order of the state dict; every storage is a region."""

    format = "torch-legacy"

    def __init__(self, source: FileSource, role: Role | None = None) -> None:
        stream = PickleStream(source, 0, min(source.size, MAX_BYTES))
        magic, _ = load_inert(stream)
        protocol, _ = load_inert(stream)
        if type(magic) is not int or magic != _MAGIC or type(protocol) is not int or protocol != _PROTOCOL:
            raise FormatError("a torch file has an unknown protocol", hint=_HINT)
        load_inert(stream)  # what the machine that wrote it was like
        tree, persistents = load_inert(stream)
        keys, _ = load_inert(stream)
        regions = _read_regions(source, stream.tell(), keys, _storages(persistents))
        numbers = {key: number for number, key in enumerate(regions)}
        views = []
        for tensor in collect_tensors(tree, role):
            ref = tensor.ref
            if ref.storage.key not in numbers:
                raise FormatError(f"the storage of tensor {printable(tensor.name)} is missing", hint=_HINT)
            view = View(numbers[ref.storage.key], ref.start, ref.strides, TensorSpec(ref.dtype, ref.shape))
            views.append((NamedTensor(tensor.name, view.spec, tensor.role), view))
        super().__init__(source, list(regions.values()), views)
        self.facts = facts_of(tree)


def _storages(persistents: list[Persistent]) -> dict[str, StorageRef]:
    """key → storage, of all that the object refers to, whether a tensor uses it or not."""
    storages: dict[str, StorageRef] = {}
    for persistent in persistents:
        identity = persistent.id
        if isinstance(identity, tuple) and identity and isinstance(identity[0], str) and identity[0] == "module":
            continue  # the source text of a class, which nobody runs
        storage = storage_of(persistent)
        known = storages.setdefault(storage.key, storage)
        if known.nbytes != storage.nbytes:
            raise FormatError(f"storage {printable(storage.key)} has two sizes", hint=_HINT)
    return storages


def _read_regions(source: FileSource, at: int, keys: Any, storages: dict[str, StorageRef]) -> dict[str, Region]:
    """key → region, in file order."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise FormatError("a torch file's list of storages is malformed", hint=_HINT)
    regions = {}
    for key in keys:
        if key not in storages:
            raise FormatError(f"storage {printable(key)} belongs to nothing in the file", hint=_HINT)
        storage = storages[key]
        if at + 8 > source.size:
            raise FormatError("a torch file is truncated", hint=_HINT)
        count = int.from_bytes(source.read(at, 8), "little")
        if count != storage.numel:
            raise FormatError(f"storage {printable(key)} has {count} elements, not {storage.numel}", hint=_HINT)
        regions[key] = Region(at + 8, storage.nbytes)
        at += 8 + storage.nbytes
        if at > source.size:
            raise FormatError("a torch file is truncated", hint=_HINT)
    if at != source.size:
        raise FormatError("a torch file has trailing bytes", hint=_HINT)
    return regions
