"""What a tensor is: a dtype, a shape, and little-endian row-major bytes. Owns the table of dtypes; computes nothing.

Dtype names are those of safetensors. A dtype that NumPy lacks is viewed through ml_dtypes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from mvc.deferred import Deferred
from mvc.errors import FormatError
from mvc.objects.ids import ObjectId, hash_object, object_header

if TYPE_CHECKING:
    import ml_dtypes
    import numpy as np
    import numpy.typing as npt
else:
    ml_dtypes, np = Deferred("ml_dtypes"), Deferred("numpy")

Number = Literal["float", "int", "bool", "complex"]


@dataclass(frozen=True, slots=True)
class DType:
    """One row of the table. ``scalar`` is what NumPy, or else ml_dtypes, calls a single value; None where that is no
    whole number of bytes."""

    name: str
    bits: int
    number: Number
    scalar: str | None

    @property
    def numpy(self) -> np.dtype[Any] | None:
        """None where a single value is no whole number of bytes."""
        return None if self.scalar is None else _numpy(self.scalar)


@cache
def _numpy(scalar: str) -> np.dtype[Any]:
    return np.dtype(getattr(ml_dtypes, scalar) if scalar.startswith(("bfloat", "float8")) else scalar)


DTYPES: dict[str, DType] = {
    row.name: row
    for row in (
        DType("BOOL", 8, "bool", "bool"),
        DType("U8", 8, "int", "uint8"),
        DType("I8", 8, "int", "int8"),
        DType("U16", 16, "int", "uint16"),
        DType("I16", 16, "int", "int16"),
        DType("U32", 32, "int", "uint32"),
        DType("I32", 32, "int", "int32"),
        DType("U64", 64, "int", "uint64"),
        DType("I64", 64, "int", "int64"),
        DType("F16", 16, "float", "float16"),
        DType("BF16", 16, "float", "bfloat16"),
        DType("F32", 32, "float", "float32"),
        DType("F64", 64, "float", "float64"),
        DType("C64", 64, "complex", "complex64"),
        DType("C128", 128, "complex", "complex128"),
        DType("F8_E4M3", 8, "float", "float8_e4m3fn"),
        DType("F8_E5M2", 8, "float", "float8_e5m2"),
        DType("F8_E4M3FNUZ", 8, "float", "float8_e4m3fnuz"),
        DType("F8_E5M2FNUZ", 8, "float", "float8_e5m2fnuz"),
        DType("F8_E8M0", 8, "float", "float8_e8m0fnu"),
        DType("F4", 4, "float", None),
        DType("F6_E2M3", 6, "float", None),
        DType("F6_E3M2", 6, "float", None),
    )
}

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
