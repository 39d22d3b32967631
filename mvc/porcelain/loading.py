"""A committed model's weights as a mapping. Owns turning stored bytes into arrays, one at a time and when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mvc.errors import NotFoundError
from mvc.objects import ObjectId, TensorSpec, as_array
from mvc.porcelain.revisions import resolve
from mvc.porcelain.workspace import Workspace
from mvc.repository import StoredCheckpoint

#: names of torch's dtypes; those of sub-byte values are given as their bytes
_TORCH = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "C128": "complex128",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}


class Weights(Mapping[str, Any]):
    """name → array of one commit's weights, in file order; nothing is read before it is asked for, nothing is kept.

    Arrays are NumPy's and read-only (bfloat16 and float8 through ml_dtypes), or torch's where that was asked for.
    """

    def __init__(self, commit: ObjectId, checkpoint: StoredCheckpoint, *, torch: bool = False) -> None:
        self.commit = commit
        self._checkpoint = checkpoint
        self._torch = torch

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """name → dtype and shape, without reading values."""
        return self._checkpoint.specs

    def __getitem__(self, name: str) -> Any:
        try:
            data = self._checkpoint.read(name)
        except NotFoundError:
            raise KeyError(name) from None
        spec = self.specs[name]
        return _as_torch(spec, data) if self._torch else as_array(spec, data)

    def __iter__(self) -> Iterator[str]:
        return iter(self.specs)

    def __len__(self) -> int:
        return len(self.specs)


def load(workspace: Workspace, revision: str, *, torch: bool = False) -> Weights:
    """Weights of a commit, or of the one that a pointer names. Raises NotFoundError; reading one raises IntegrityError
    where it is damaged."""
    commit = resolve(workspace, revision, Path())
    return Weights(commit, workspace.repository.checkpoint(commit), torch=torch)


def _as_torch(spec: TensorSpec, data: bytes | memoryview) -> Any:
    """A tensor with memory of its own."""
    torch = importlib.import_module("torch")
    if spec.dtype not in _TORCH:
        return torch.frombuffer(bytearray(data), dtype=torch.uint8)
    dtype = getattr(torch, _TORCH[spec.dtype])
    if not spec.numel:
        return torch.empty(spec.shape, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(spec.shape)
