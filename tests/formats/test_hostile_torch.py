"""Torch files that attack: nothing in them ever runs, and what they hold is found or refused."""

from __future__ import annotations

import os
import pickle
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvc.errors import FormatError
from mvc.formats import open_checkpoint
from tests.formats.makers import check_checkpoint, torch_zip, write_torch


class Bomb:
    """Leaves a file behind where anybody runs it."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.witness}",)


def reference(storage: Any = "FloatStorage", key: str = "0", numel: int = 4) -> tuple[Any, ...]:
    return ("storage", storage, key, "cpu", numel)


def tensor_pickle(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], numel: int = 4) -> bytes:
    """{"w": a view of a float storage}, written opcode by opcode."""

    def ints(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"L%dL\n" % value for value in values) + b"t"

    persistent = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpuL%dL\nt" % numel + b"Q"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + persistent + b"L%dL\n" % offset + ints(shape) + ints(strides)
    return b"\x80\x02}X\x01\0\0\0w" + call + b"\x89}tRs."


def one_tensor_zip(path: Path, data: bytes, pickled: bytes, **kwargs: Any) -> Path:
    return torch_zip(path, [("data.pkl", pickled), ("data/0", data), ("version", b"3\n")], **kwargs)


FLOATS = np.arange(4, dtype=np.float32)


@pytest.mark.parametrize("legacy", [False, True])
def test_nothing_runs_and_tensors_are_found(tmp_path: Path, legacy: bool) -> None:
    witness = tmp_path / "ran"
    value = {"bomb": Bomb(witness), "state_dict": {"w": torch.ones(3)}, "z": [Bomb(witness)]}
    path = write_torch(tmp_path / "m.pt", value, legacy)
    with open_checkpoint(path) as checkpoint:
        check_checkpoint(checkpoint, {"w": np.ones(3, dtype=np.float32)})
    assert not witness.exists()
    torch.load(path, weights_only=False)
    assert witness.exists()  # the file would have


def test_bare_pickle_is_refused(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    for protocol in (0, 2, 4, 5):
        (tmp_path / "m.pt").write_bytes(pickle.dumps({"w": Bomb(witness)}, protocol=protocol))
        with pytest.raises(FormatError):
            open_checkpoint(tmp_path / "m.pt")
    assert not witness.exists()


def test_bomb_under_every_opcode_that_builds(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    command = f"touch {witness}".encode()
    for attack in (
        b"cos\nsystem\n(V" + command + b"\ntR.",
        b"(V" + command + b"\nios\nsystem\n.",
        b"(cos\nsystem\nV" + command + b"\no.",
        b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93X" + struct.pack("<I", len(command)) + command + b"\x85R.",
        b"\x80\x02cbuiltins\nexec\n(Vimport os\ntR}Va\nNsb.",
    ):
        path = torch_zip(tmp_path / "m.pt", [("data.pkl", attack)])
        with open_checkpoint(path) as checkpoint:
            assert not checkpoint.specs
    assert not witness.exists()


def test_deflated_bomb(tmp_path: Path) -> None:
    path = one_tensor_zip(
        tmp_path / "m.pt",
        bytes(100_000_000),
        tensor_pickle(0, (25_000_000,), (1,), 25_000_000),
        method=zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 200_000
    with pytest.raises(FormatError, match="compressed"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (10**9,), (0,)),
        (0, (10**5, 10**5), (0, 0)),
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (4, (1,), (1,)),
        (0, (2, 2), (3, 1)),
        (0, (2,), (10**15,)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (-1,), (1,)),
        (-1, (1,), (1,)),
        (0, (2,), (-1,)),
        (0, (2, 2), (1,)),
        (0, (3, 2), (0, 1)),
    ],
)
def test_views_that_leave_their_storage(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    with pytest.raises(FormatError):
        open_checkpoint(one_tensor_zip(tmp_path / "m.pt", FLOATS.tobytes(), tensor_pickle(offset, shape, strides)))


def test_small_expanded_view_is_materialised(tmp_path: Path) -> None:
    path = one_tensor_zip(tmp_path / "m.pt", FLOATS.tobytes(), tensor_pickle(1, (2, 2), (0, 2)))
    with open_checkpoint(path) as checkpoint:
        check_checkpoint(checkpoint, {"w": np.array([[1, 3], [1, 3]], dtype=np.float32)})


def test_storage_of_another_size(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="16 bytes, not 400"):
        open_checkpoint(one_tensor_zip(tmp_path / "m.pt", FLOATS.tobytes(), tensor_pickle(0, (4,), (1,), 100)))
    with pytest.raises(FormatError, match="missing"):
        open_checkpoint(torch_zip(tmp_path / "m.pt", [("data.pkl", tensor_pickle(0, (4,), (1,)))]))


def test_bit_flip_in_a_tensor(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "m.pt", {"w": torch.arange(1000.0), "half": torch.arange(0.5, 9)[2:4]})
    content = bytearray(path.read_bytes())
    at = content.find(np.arange(1000, dtype=np.float32).tobytes())
    content[at + 777] ^= 1
    path.write_bytes(content)
    torch.load(path)  # does not notice
    with open_checkpoint(path) as checkpoint:
        with pytest.raises(FormatError, match="checksum"):
            checkpoint.read("w")
        checkpoint.read("half")
    at = content.find(np.arange(0.5, 9, dtype=np.float32).tobytes())
    content[at] ^= 1  # outside the view, in its storage
    path.write_bytes(content)
    with open_checkpoint(path) as checkpoint, pytest.raises(FormatError, match="checksum"):
        checkpoint.read("half")


def test_duplicate_and_overlapping_members(tmp_path: Path) -> None:
    pickled = tensor_pickle(0, (4,), (1,))
    with pytest.warns(UserWarning, match="Duplicate"):
        path = torch_zip(
            tmp_path / "a.pt", [("data.pkl", pickled), ("data/0", bytes(16)), ("data/0", FLOATS.tobytes())]
        )
    with pytest.raises(FormatError, match="two members"):
        open_checkpoint(path)
    path = torch_zip(tmp_path / "b.pt", [("data.pkl", pickled), ("data/0", bytes(16)), ("data/1", bytes(16))])
    content = bytearray(path.read_bytes())
    last = content.rfind(b"PK\x01\x02")
    second = content.rfind(b"PK\x01\x02", 0, last)
    content[last + 42 : last + 46] = content[second + 42 : second + 46]
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"overlaps|contradicts"):
        open_checkpoint(path)


def test_member_beyond_the_archive(tmp_path: Path) -> None:
    path = one_tensor_zip(tmp_path / "m.pt", FLOATS.tobytes(), tensor_pickle(0, (4,), (1,)))
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x01\x02")
    for field in (20, 24, 42):
        hostile = bytearray(content)
        hostile[at + field : at + field + 4] = struct.pack("<I", 0x7FFFFFFF)
        path.write_bytes(hostile)
        with pytest.raises(FormatError):
            open_checkpoint(path)


@pytest.mark.parametrize(
    "attack",
    [
        b"",
        b".",
        b"0.",
        b"(.",
        b"t.",
        b"h\0.",
        b"j\xff\xff\xff\xff.",
        b"R.",
        b"}(Va\nu.",
        b"Va\nVb\nb.",
        b"Va\nVb\na.",
        b"\x82\x01.",
        b"\x97.",
        b"\x80\xff.",
        b"I12x\n.",
        b"L" + b"9" * 5000 + b"L\n.",
        b"V" + b"a" * 100_000 + b"\n.",
        b"X\xff\xff\xff\xff",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x8b\xff\xff\xff\x7f.",
        b"S'a\n.",
        b"\xff",
        b"N" * 20 + b"2" * 20,
        b"]" + b"(lpq" * 5,
    ],
)
def test_malformed_pickles(tmp_path: Path, attack: bytes) -> None:
    with pytest.raises(FormatError):
        open_checkpoint(torch_zip(tmp_path / "m.pt", [("data.pkl", attack)]))


def test_trees_that_explode(tmp_path: Path) -> None:
    """Shared and circular containers are walked once; deep ones are refused; nothing hashes a deep tuple."""
    shared = b"\x80\x04]\x94" + b"".join(b"]\x94(h%ch%ce" % (i, i) for i in range(60)) + b"."
    circular = b"\x80\x04]\x94h\0a."
    key = b"\x80\x04}(N\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60)) + b"Nu."
    deep = (
        b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x04" + b"N" * 100_001 + b"R" * 100_000 + b".",
        b"\x80\x04" + b"NNR" * 100_000 + b"b" * 99_999 + b".",
        b"\x80\x04" + b"}" + b"N}" * 100_000 + b"s" * 100_000 + b".",
    )
    start = time.process_time()
    for attack in (shared, circular, key):
        with open_checkpoint(torch_zip(tmp_path / "m.pt", [("data.pkl", attack)])) as checkpoint:
            assert not checkpoint.specs
    for attack in deep:
        with pytest.raises(FormatError, match="nested"):
            open_checkpoint(torch_zip(tmp_path / "m.pt", [("data.pkl", attack)]))
    assert time.process_time() - start < 60  # walked more than once they would take 2⁶⁰ steps


def test_dictionary_with_equal_keys(tmp_path: Path) -> None:
    pickled = tensor_pickle(0, (4,), (1,))
    doubled = pickled[:-2] + b"s" + pickled[3:].removeprefix(b"}")
    with pytest.raises(FormatError, match="twice"):
        open_checkpoint(one_tensor_zip(tmp_path / "m.pt", FLOATS.tobytes(), doubled))


def test_big_endian_files(tmp_path: Path) -> None:
    members = [("data.pkl", tensor_pickle(0, (2, 2), (1, 2))), ("data/0", FLOATS.byteswap().tobytes())]
    with open_checkpoint(torch_zip(tmp_path / "m.pt", [*members, ("byteorder", b"big")])) as checkpoint:
        check_checkpoint(checkpoint, {"w": np.ascontiguousarray(FLOATS.reshape(2, 2).T)})
    with pytest.raises(FormatError, match="byte order"):
        open_checkpoint(torch_zip(tmp_path / "m.pt", [*members, ("byteorder", b"middle")]))


def test_legacy_storages_out_of_step(tmp_path: Path) -> None:
    path = write_torch(tmp_path / "m.pt", {"w": torch.arange(4.0)}, legacy=True)
    whole = path.read_bytes()
    path.write_bytes(whole + b"x")
    with pytest.raises(FormatError, match="trailing"):
        open_checkpoint(path)
    path.write_bytes(whole[:-24] + struct.pack("<Q", 2**62) + whole[-16:])
    with pytest.raises(FormatError, match="elements"):
        open_checkpoint(path)
