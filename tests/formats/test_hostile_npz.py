"""npz archives that are unusual, damaged or lie."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mvc.errors import FormatError
from mvc.formats import open_checkpoint
from tests.formats.makers import check_checkpoint, check_round_trip


def npz(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(descr: str, shape: str, data: bytes, fortran: str = "False") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


def saved(path: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    with path.open("wb") as stream:
        (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_orders_and_byte_orders(tmp_path: Path, compressed: bool) -> None:
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {"c": base, "f": np.asfortranarray(base), "vector": np.arange(3.0)}
    arrays["big"] = base.astype(">f4")
    arrays["big_f"] = np.asfortranarray(base.astype(">f4"))
    arrays["big_complex"] = np.array([1 + 2j, 3 - 4j], dtype=">c8")
    expected = {
        name: np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))) for name, array in arrays.items()
    }
    with open_checkpoint(saved(tmp_path / "x", compressed, **arrays)) as checkpoint:
        check_checkpoint(checkpoint, expected)
        ((_, file),) = checkpoint.files
        holed = {file.tensors[hole.tensor].name: hole.axes for hole in file.holes}
        assert holed == ({} if compressed else {"c": None, "f": (2, 1, 0), "vector": None})


def test_compressed_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal(50_000)
    with open_checkpoint(saved(tmp_path / "x", True, noise=noise)) as checkpoint:
        check_checkpoint(checkpoint, {"noise": noise})
        assert [tensor.role for tensor in checkpoint.files[0][1].tensors] == ["weight", "storage"]


def test_text_is_kept_but_is_no_tensor(tmp_path: Path) -> None:
    with open_checkpoint(saved(tmp_path / "x", config=np.array(["a", "b"]), w=np.ones(2))) as checkpoint:
        check_checkpoint(checkpoint, {"w": np.ones(2)})


@pytest.mark.parametrize(
    "array", [np.array([{}], dtype=object), np.ones(2, dtype=np.longdouble), np.ones(2, dtype=ml_dtypes.bfloat16)]
)
def test_dtypes_refused_by_name(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(FormatError) as caught:
        open_checkpoint(saved(tmp_path / "x", w=array))
    assert caught.value.code == "unknown-dtype"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00\x10\x00",
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
        npy("'<f4'", "(5,)", bytes(16)),
        npy("'<f4'", "(3,)", bytes(16)),
        npy("'<f4'", "(-4,)", bytes(16)),
        npy("'<f4'", "(4.0,)", bytes(16)),
        npy("'<f4'", f"({2**40}, {2**40})", bytes(16)),
        npy("'<f4'", "4", bytes(16)),
        npy("'<f4'", "(4,)", bytes(16), "1"),
        npy("[('a', '<f4')]", "(4,)", bytes(16)),
        npy("'<q9'", "(4,)", bytes(16)),
        npy("__import__('os').system('false')", "(4,)", bytes(16)),
        npy("'<f4'", "(" * 3000, bytes(16)),
        npy("'<f4'", "-" * 5000 + "1", bytes(16)),
    ],
)
def test_malformed_arrays(tmp_path: Path, content: bytes) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with pytest.raises(FormatError):
            open_checkpoint(npz(tmp_path / "x", {"w.npy": content}, method))


def test_other_compressions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="compressed"):
        open_checkpoint(npz(tmp_path / "x", {"w.npy": npy("'<f4'", "(4,)", bytes(16))}, zipfile.ZIP_BZIP2))


def test_bombs(tmp_path: Path) -> None:
    """A zip that claims more than deflate can do; one whose stream holds more than its array declares."""
    path = npz(tmp_path / "x", {"w.npy": npy("'<f4'", "(4,)", bytes(16))}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    content[at + 24 : at + 28] = (2**31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(FormatError, match="cannot inflate"):
        open_checkpoint(path)
    path = npz(tmp_path / "y", {"w.npy": npy("'<f4'", "(4,)", bytes(10_000_016))}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    size = int.from_bytes(content[at + 24 : at + 28], "little") - 10_000_000
    content[at + 24 : at + 28] = size.to_bytes(4, "little")
    path.write_bytes(content)
    with open_checkpoint(path) as checkpoint, pytest.raises(FormatError, match="damaged"):
        checkpoint.read("w")


@pytest.mark.parametrize("compressed", [False, True])
def test_bit_flips(tmp_path: Path, compressed: bool) -> None:
    noise = np.random.default_rng(0).standard_normal(5_000)
    path = saved(tmp_path / "x", compressed, noise=noise)
    content = bytearray(path.read_bytes())
    content[20_000] ^= 4
    path.write_bytes(content)
    with pytest.raises(FormatError, match="damaged"), open_checkpoint(path) as checkpoint:
        checkpoint.read("noise")


def test_a_real_savez_stream_round_trips(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"params/dense/kernel": np.ones((3, 2)), "step": np.int64(4)}
    np.savez(buffer, **arrays)
    (tmp_path / "x").write_bytes(buffer.getvalue())
    with open_checkpoint(tmp_path / "x") as checkpoint:
        assert list(checkpoint.specs) == ["params/dense/kernel", "step"]
        check_round_trip(checkpoint.files[0][1])
