"""What a tensor is: a dtype, a shape, and little-endian row-major bytes. Owns the table of dtypes; computes nothing.

Dtype names are those of safetensors. A dtype that NumPy lacks is viewed through ml_dtypes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
import numpy.typing as npt

from mvc.errors import FormatError
from mvc.objects.ids import ObjectId, hash_object, object_header

Number = Literal["float", "int", "bool", "complex"]


@dataclass(frozen=True, slots=True)
class DType:
    """One row of the table. ``numpy`` is None where a single value is no whole number of bytes."""

    name: str
    bits: int
    number: Number
    numpy: np.dtype[Any] | None


def _table() -> dict[str, DType]:
    plain: dict[str, tuple[Number, Any]] = {
        "BOOL": ("bool", np.bool_),
        "U8": ("int", np.uint8),
        "I8": ("int", np.int8),
        "U16": ("int", np.uint16),
        "I16": ("int", np.int16),
        "U32": ("int", np.uint32),
        "I32": ("int", np.int32),
        "U64": ("int", np.uint64),
        "I64": ("int", np.int64),
        "F16": ("float", np.float16),
        "BF16": ("float", ml_dtypes.bfloat16),
        "F32": ("float", np.float32),
        "F64": ("float", np.float64),
        "C64": ("complex", np.complex64),
        "C128": ("complex", np.complex128),
        "F8_E4M3": ("float", ml_dtypes.float8_e4m3fn),
        "F8_E5M2": ("float", ml_dtypes.float8_e5m2),
        "F8_E4M3FNUZ": ("float", ml_dtypes.float8_e4m3fnuz),
        "F8_E5M2FNUZ": ("float", ml_dtypes.float8_e5m2fnuz),
        "F8_E8M0": ("float", ml_dtypes.float8_e8m0fnu),
    }
    table = {
        name: DType(name, 8 * np.dtype(kind).itemsize, number, np.dtype(kind)) for name, (number, kind) in plain.items()
    }
    for name, bits in (("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6)):
        table[name] = DType(name, bits, "float", None)
    return table


DTYPES: dict[str, DType] = _table()

#: numel above which nothing that mvc can address is left; guards products of hostile shapes
MAX_NUMEL = 1 << 62


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """dtype (a key of DTYPES) and shape. Raises FormatError for what cannot be."""

    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise FormatError(f"dtype {self.dtype!r} is not one that mvc reads", code="unknown-dtype")
        if any(size < 0 for size in self.shape):
            raise FormatError(f"a tensor's shape has a negative size: {list(self.shape)}")
        if math.prod(self.shape) > MAX_NUMEL or (math.prod(self.shape) * DTYPES[self.dtype].bits) % 8:
            raise FormatError(f"a {self.dtype} tensor of shape {list(self.shape)} cannot be")

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * DTYPES[self.dtype].bits // 8

    @property
    def is_float(self) -> bool:
        return DTYPES[self.dtype].number == "float"

    def header(self) -> bytes:
        """Canonical header of a tensor object with this spec."""
        return object_header("tensor", f"{self.dtype} {','.join(map(str, self.shape))}")


def tensor_id(spec: TensorSpec, data: bytes | memoryview) -> ObjectId:
    """Id of the tensor with these canonical bytes."""
    return hash_object(spec.header(), (data,))


def as_array(spec: TensorSpec, data: bytes | memoryview) -> npt.NDArray[Any]:
    """View of canonical bytes as a read-only array of ``spec.shape``. Sub-byte dtypes come as flat U8 [nbytes]."""
    dtype = DTYPES[spec.dtype].numpy
    if dtype is None:
        flat = np.frombuffer(data, dtype=np.uint8)
    else:
        flat = np.frombuffer(data, dtype=dtype).reshape(spec.shape)
    flat.flags.writeable = False
    return flat
