"""Images as IDX files, the form in which MNIST and its kin are distributed."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def write_idx(path: Path, array: np.ndarray, *, packed: bool) -> None:
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    path.write_bytes(content)
    if packed:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
        path.unlink()


def write_idx_directory(directory: Path, raw: dict[str, np.ndarray], *, packed: bool) -> None:
    for split, short in (("train", "train"), ("t10k", "test")):
        write_idx(directory / f"{split}-images-idx3-ubyte", raw[f"x_{short}"], packed=packed)
        write_idx(directory / f"{split}-labels-idx1-ubyte", raw[f"y_{short}"], packed=packed)
