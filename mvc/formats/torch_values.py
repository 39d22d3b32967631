"""What torch's rebuild functions mean, read off dead records. Owns dtypes, storages and strides as torch writes them.

Refuses calls whose arguments are not what torch writes, and dtypes that mvc has no name for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mvc.errors import FormatError
from mvc.formats.inert import Dict, Global, Persistent, Record
from mvc.formats.source import printable
from mvc.objects import DTYPES

_HINT = "the file is damaged or hostile; save the weights as safetensors"
_MAX_AXES = 64
_LIMIT = 1 << 62

_STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
    "ComplexDoubleStorage": "C128",
    # quantised tensors are kept as the integers they consist of; scale and zero point stay in the pickle
    "QInt8Storage": "I8",
    "QUInt8Storage": "U8",
    "QInt32Storage": "I32",
    "UntypedStorage": "U8",
}
_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint64": "U64",
    "uint32": "U32",
    "uint16": "U16",
    "uint8": "U8",
    "bool": "BOOL",
    "complex64": "C64",
    "complex128": "C128",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
_PLAIN = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_qtensor"})
_WRAPPED = frozenset({"_rebuild_parameter", "_rebuild_parameter_with_state"})
_TYPED = frozenset({"_rebuild_from_type", "_rebuild_from_type_v2"})
_MODULES = frozenset({"torch._utils", "torch._tensor"})


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A storage of ``numel`` elements of ``dtype``, found under ``key``; ``first`` elements of it come before a view's
    own."""

    key: str
    dtype: str
    numel: int
    first: int = 0

    @property
    def nbytes(self) -> int:
        return self.numel * DTYPES[self.dtype].bits // 8


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A strided view of a storage. ``start`` is in bytes, ``strides`` in elements of ``dtype``."""

    storage: StorageRef
    dtype: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def tensor_of(node: Any) -> TensorRef | None:
    """The tensor that a record would have become; None for everything else. Raises FormatError."""
    for _ in range(8):  # parameters and subclasses wrap a tensor, each at most a few times over
        if not isinstance(node, Record) or not isinstance(node.call, Global) or node.call.module not in _MODULES:
            return None
        name, args = node.call.name, node.args
        if not isinstance(args, tuple):
            raise FormatError(f"a pickle calls {printable(node.path)} with no arguments", hint=_HINT)
        if name in _WRAPPED and args:
            node = args[0]
        elif name in _TYPED and len(args) >= 3:
            node = Record(args[0], args[2])
        elif name in _PLAIN or name == "_rebuild_tensor_v3":
            return _plain_tensor(name, args)
        else:
            return None
    return None


def storage_of(identity: Any) -> StorageRef:
    """The storage behind a persistent id. Raises FormatError."""
    if not isinstance(identity, Persistent) or not isinstance(identity.id, tuple) or len(identity.id) not in (5, 6):
        raise FormatError("a tensor's storage is not described as torch does it", hint=_HINT)
    tag, kind, key, _, numel, *view = identity.id
    # protocol 0 and TorchScript write the key as a number
    key = str(key) if type(key) is int else key
    if tag != "storage" or not isinstance(kind, Global) or not isinstance(key, str) or not _is_size(numel):
        raise FormatError("a tensor's storage is not described as torch does it", hint=_HINT)
    dtype = _STORAGES.get(kind.name)
    if dtype is None:
        raise FormatError(
            f"tensors of storage type {printable(kind.path)} are not read",
            hint="save the weights as safetensors",
            code="unknown-dtype",
        )
    if view and view[0] is not None:
        # legacy files: a storage that is a stretch of another one
        if not isinstance(view[0], tuple) or len(view[0]) != 3 or not all(_is_size(item) for item in view[0][1:]):
            raise FormatError("a storage's view is malformed", hint=_HINT)
        _, first, size = view[0]
        if first + size > numel:
            raise FormatError("a storage's view reaches outside its storage", hint=_HINT)
        return StorageRef(key, dtype, numel, first)
    return StorageRef(key, dtype, numel)


def _plain_tensor(name: str, args: tuple[Any, ...]) -> TensorRef:
    if len(args) < 4 or (name == "_rebuild_tensor_v3" and len(args) < 7):
        raise FormatError("a tensor is not described as torch does it", hint=_HINT)
    storage = storage_of(args[0])
    offset, shape, strides = args[1:4]
    sized = isinstance(shape, Record) and shape.path == "torch.Size" and isinstance(shape.args, tuple)
    shape = shape.args[0] if sized and shape.args else shape
    if not _is_size(offset) or not _are_sizes(shape) or not _are_sizes(strides) or len(shape) != len(strides):
        raise FormatError("a tensor's shape or strides are malformed", hint=_HINT)
    if math.prod(shape) >= _LIMIT:
        raise FormatError(f"a tensor of shape {list(shape)} cannot be", hint=_HINT)
    dtype = storage.dtype
    if name == "_rebuild_tensor_v3":
        kind = args[6]
        known = _DTYPES.get(kind.name) if isinstance(kind, Global) else None
        if known is None:
            what = kind.path if isinstance(kind, Global) else "?"
            raise FormatError(
                f"tensors of dtype {printable(what)} are not read",
                hint="save the weights as safetensors",
                code="unknown-dtype",
            )
        dtype = known
    first = storage.first * DTYPES[storage.dtype].bits // 8
    return TensorRef(storage, dtype, first + offset * DTYPES[dtype].bits // 8, tuple(shape), tuple(strides))


def sparse_parts(node: Record) -> list[tuple[str, Any]] | None:
    """The dense tensors that a sparse one consists of, named; None for what is not sparse."""
    if node.path != "torch._utils._rebuild_sparse_tensor" or not isinstance(node.args, tuple) or len(node.args) < 2:
        return None
    layout, parts = node.args[:2]
    if not isinstance(parts, tuple | list):
        return None
    names = {
        "sparse_coo": ("indices", "values"),
        "sparse_csr": ("crow_indices", "col_indices", "values"),
        "sparse_bsr": ("crow_indices", "col_indices", "values"),
        "sparse_csc": ("ccol_indices", "row_indices", "values"),
        "sparse_bsc": ("ccol_indices", "row_indices", "values"),
    }.get(_layout_name(layout), ())
    return list(zip(names, parts, strict=False)) or [(str(i), part) for i, part in enumerate(parts)]


def _layout_name(layout: Any) -> str:
    if isinstance(layout, Record) and isinstance(layout.args, tuple) and layout.args:
        layout = layout.args[0]
    if isinstance(layout, Global):
        return layout.name
    return layout.removeprefix("torch.") if isinstance(layout, str) else ""


def pairs_of(node: Any) -> list[tuple[Any, Any]] | None:
    """Pairs of a dictionary or of what would have become one; None for everything else."""
    if isinstance(node, Dict):
        return node.pairs
    if isinstance(node, Record) and node.path in (
        "collections.OrderedDict",
        "collections.defaultdict",
        "builtins.dict",
    ):
        return [*_given_pairs(node.args), *node.pairs]
    return None


def _given_pairs(args: Any) -> list[tuple[Any, Any]]:
    """Pairs that a dictionary was made from: old pickles hand OrderedDict a list of them."""
    for arg in args if isinstance(args, tuple) else ():
        if isinstance(arg, Dict):
            return arg.pairs
        if isinstance(arg, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in arg):
            return [(pair[0], pair[1]) for pair in arg]
    return []


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LIMIT


def _are_sizes(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) <= _MAX_AXES and all(_is_size(item) for item in value)
