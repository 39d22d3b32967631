"""Data sets of small grey images. Owns reading and resizing to a side; shifts of a data set are in ``shifts``.

Reads scikit-learn's digits (no download), one ``.npz`` or a directory of IDX files (MNIST, Fashion-MNIST and kin, as
distributed, gzipped or not). Refuses to fetch anything.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from mvc.errors import FormatError, InputError, NotFoundError
from mvc.zoo.files import read_limited

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]

SIDE = 14  # of the first paper's images, and unless told otherwise
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_IDX_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_WHERE = "give an .npz, or a directory with the four IDX files of MNIST or a kin of it"
_IDX_LIMIT = 1 << 30  # bytes; MNIST's largest file is 47 MB, more is no such data set


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images (N, side, side) in [0, 1] and labels (N,), for training and for testing.

    ``moments`` are the mean and deviation of the training pixels as loaded. Shifts keep them: a network goes on being
    fed by the constants that it was first trained with.
    """

    name: str
    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    moments: tuple[float, float] = (0.0, 0.0)  # deviation 0: not known yet

    def __post_init__(self) -> None:
        for x, y in ((self.x_train, self.y_train), (self.x_test, self.y_test)):
            if x.ndim != 3 or y.shape != x.shape[:1] or not len(x):
                raise InputError(f"data set {self.name}: images {x.shape} and labels {y.shape} do not belong together")
            if y.min() < 0:
                raise InputError(f"data set {self.name}: labels are class numbers from 0")
        if self.moments[1] == 0:
            moments = float(self.x_train.mean()), float(self.x_train.std()) or 1.0
            object.__setattr__(self, "moments", moments)

    def fingerprint(self) -> str:
        """Hash of all images and labels: a run that resumes must see what it saw, and be tested on the same."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.x_train, self.y_train, self.x_test, self.y_test, np.array(self.moments)):
            digest.update(repr(array.shape).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def load(where: Path | None = None, side: int = SIDE) -> Dataset:
    """Digits when ``where`` is None, else the ``.npz`` or IDX directory there. Raises NotFoundError, FormatError."""
    if where is None:
        return digits(side)
    if where.is_dir():
        return from_idx(where, side)
    if where.is_file():
        return from_npz(where, side)
    raise NotFoundError(f"no data at {where}", hint=_WHERE)


def digits(side: int = SIDE) -> Dataset:
    """scikit-learn's 1,797 handwritten digits, 8×8 stretched (bilinear); 1,497 for training, 300 for testing, fixed."""
    raw = load_digits()
    images = _resized(raw.images / 16.0, side)  # (1797, side, side)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order].astype(np.float32), raw.target[order].astype(np.int64)
    return Dataset("digits", x[300:], y[300:], x[:300], y[:300])


def from_npz(path: Path, side: int = SIDE) -> Dataset:
    """``x_train y_train x_test y_test`` of one file; images (N, H, W) as bytes or in [0, 1]."""
    try:
        # opened here: np.load leaves a file that is no archive open
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            x_train, y_train, x_test, y_test = (file[name] for name in _ARRAYS)
    except KeyError as error:
        raise FormatError(f"{path}: lacks an array: {error.args[0]}", hint=f"it needs {', '.join(_ARRAYS)}") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FormatError(f"{path}: cannot be read as .npz: {error}") from error
    return Dataset(path.stem, _images(x_train, side), _labels(y_train), _images(x_test, side), _labels(y_test))


def from_idx(directory: Path, side: int = SIDE) -> Dataset:
    """The four IDX files (train/t10k, images/labels) of a directory, gzipped or not."""
    parts = {
        f"{split}-{kind}": _read_idx(directory, f"{split}-{kind}")
        for split in ("train", "t10k")
        for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    }
    x_train, y_train, x_test, y_test = parts.values()
    return Dataset(directory.name, _images(x_train, side), _labels(y_train), _images(x_test, side), _labels(y_test))


def _read_idx(directory: Path, stem: str) -> npt.NDArray[Any]:
    names = [stem, stem.replace("-idx", ".idx")]  # both spellings are in circulation
    for path in (directory / f"{name}{suffix}" for name in names for suffix in ("", ".gz")):
        if path.is_file():
            return _parse_idx(path)
    raise NotFoundError(f"{directory} has no {stem} (nor {stem}.gz)", hint=_WHERE)


def _parse_idx(path: Path) -> npt.NDArray[Any]:
    raw = read_limited(path, _IDX_LIMIT)
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in _IDX_DTYPES or len(raw) < 4 + 4 * raw[3]:
        raise FormatError(f"{path}: no IDX header")
    dtype = np.dtype(_IDX_DTYPES[raw[2]])
    start = 4 + 4 * raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", raw[3], 4))
    if len(raw) - start != math.prod(shape) * dtype.itemsize:
        raise FormatError(f"{path}: the header says {shape}, the file holds {len(raw) - start} bytes")
    return np.frombuffer(raw, dtype, offset=start).reshape(shape)


def _labels(raw: npt.NDArray[Any]) -> Labels:
    if raw.dtype.kind not in "iu" or raw.ndim != 1:
        raise FormatError(f"labels are a row of whole numbers, not {raw.dtype} {raw.shape}")
    return raw.astype(np.int64)


def _images(raw: npt.NDArray[Any], side: int) -> Images:
    """(N, H, W) → (N, side, side) in [0, 1]; multiples of ``side`` are averaged over blocks, other sizes stretched."""
    if raw.dtype.kind not in "iuf" or raw.ndim != 3 or min(raw.shape) < 1:
        raise FormatError(f"images are (N, height, width) numbers, not {raw.dtype} {raw.shape}")
    count, height, width = raw.shape
    scale = np.float32(1 / 255 if raw.dtype.kind in "iu" else 1)
    if height % side or width % side:
        return np.asarray(_resized(raw.astype(np.float32), side) * scale, np.float32)
    blocks = raw.reshape(count, side, height // side, side, width // side)
    return np.asarray(blocks.mean(axis=(2, 4), dtype=np.float32) * scale, np.float32)


def _resized(images: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """(N, H, W) → (N, side, side), bilinear between the pixels' middles, edges carried on."""
    rows, columns = (_bilinear(size, side).astype(images.dtype) for size in images.shape[1:])
    resized: npt.NDArray[Any] = rows @ (images @ columns.T)
    return resized


def _bilinear(size: int, side: int) -> npt.NDArray[np.float64]:
    """(side, size): what each new pixel takes of each old one, along one axis."""
    places = (np.arange(side) + 0.5) * size / side - 0.5
    below = np.floor(places).astype(np.int64)
    weights = np.zeros((side, size))
    for neighbour, share in ((below, below + 1 - places), (below + 1, places - below)):
        np.add.at(weights, (np.arange(side), neighbour.clip(0, size - 1)), share)
    return weights
