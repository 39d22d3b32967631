"""Writers of checkpoint files for the tests: good ones by the libraries themselves, bad ones byte by byte."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors.numpy
import torch

from mvc.formats import CheckpointFile, OpenedCheckpoint, assemble, skeleton_of
from mvc.objects import TensorEntry, as_array, tensor_id

Arrays = Mapping[str, np.ndarray]

NUMPY_NAMES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U16": np.uint16, "I16": np.int16, "U32": np.uint32,
    "I32": np.int32, "U64": np.uint64, "I64": np.int64, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "F32": np.float32, "F64": np.float64, "C64": np.complex64, "C128": np.complex128,
    "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
}  # fmt: skip

_TORCH_ONLY = {
    np.dtype(ml_dtypes.bfloat16): (np.uint16, torch.bfloat16),
    np.dtype(ml_dtypes.float8_e4m3fn): (np.uint8, torch.float8_e4m3fn),
    np.dtype(ml_dtypes.float8_e5m2): (np.uint8, torch.float8_e5m2),
}


def sample_arrays() -> dict[str, np.ndarray]:
    """A small model with what makes trouble: scalars, empty tensors, NaN with payload, infinities, many dtypes."""
    rng = np.random.default_rng(7)
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 1e-45], dtype=np.float32)
    special[0] = np.frombuffer(struct.pack("<I", 0x7FC12345), dtype=np.float32)[0]
    return {
        "embed.weight": rng.standard_normal((17, 5)).astype(np.float32),
        "layers.0.weight": rng.standard_normal((5, 5)).astype(np.float16),
        "layers.0.bias": np.zeros(5, dtype=np.float64),
        "layers.10.weight": np.full((3, 1, 2), 2.5, dtype=np.float32),
        "steps": np.array(7, dtype=np.int64),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "special": special,
        "mask": rng.random((4, 3)) > 0.5,
        "z.complex": (rng.standard_normal(4) + 1j * rng.standard_normal(4)).astype(np.complex64),
        "big": rng.standard_normal((200, 120)).astype(np.float32),
        "bytes": rng.integers(0, 255, 9, dtype=np.uint8),
    }


def to_torch(array: np.ndarray) -> torch.Tensor:
    carrier = _TORCH_ONLY.get(array.dtype)
    if carrier is None:
        return torch.from_numpy(array.copy(order="C"))
    return torch.from_numpy(array.view(carrier[0]).copy()).view(carrier[1])


def write_safetensors(path: Path, arrays: Arrays, metadata: dict[str, str] | None = None) -> Path:
    safetensors.numpy.save_file({name: array.copy(order="C") for name, array in arrays.items()}, path, metadata)
    return path


def write_torch(path: Path, value: Any, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def torch_state(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {name: to_torch(array) for name, array in arrays.items()}


def raw_safetensors(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    """A safetensors file with any header at all; ``header`` may be bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def torch_zip(path: Path, members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> Path:
    """A zip with the members that torch would write, or would not."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(f"archive/{name}", content)
    return path


def torch_pickle(value: Any) -> bytes:
    """data.pkl of a value, as torch writes it."""
    buffer = io.BytesIO()
    torch.save(value, buffer)
    with zipfile.ZipFile(buffer) as archive:
        return archive.read("archive/data.pkl")


def check_round_trip(file: CheckpointFile) -> None:
    """skeleton + tensors = the file, byte for byte."""
    skeleton = skeleton_of(file)
    objects = {}
    entries = []
    for index, tensor in enumerate(file.tensors):
        data = bytes(file.read(index))
        assert len(data) == tensor.spec.nbytes
        key = tensor_id(tensor.spec, data)
        objects[key] = data
        entries.append(TensorEntry(tensor.name, key, tensor.spec, tensor.role))
    assert len({tensor.name for tensor in file.tensors}) == len(file.tensors)
    assert b"".join(assemble(skeleton, entries, objects.__getitem__)) == file.path.read_bytes()


def check_checkpoint(checkpoint: OpenedCheckpoint, arrays: Arrays) -> None:
    """The checkpoint's weights are exactly these arrays, bit for bit, and its files can be restored."""
    assert set(checkpoint.specs) == set(arrays)
    for name, array in arrays.items():
        spec = checkpoint.specs[name]
        assert spec.shape == array.shape
        data = bytes(checkpoint.read(name))
        assert data == array.tobytes()
        assert as_array(spec, data).dtype == array.dtype
    for _, file in checkpoint.files:
        check_round_trip(file)
