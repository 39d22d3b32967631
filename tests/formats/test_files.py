"""What stands where a checkpoint should: nothing, pointers, links, pipes, foreign formats, files that change."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import ChangedError, FormatError, MvcError, NotFoundError, PointerError
from mvc.formats import (
    LFS_MAGIC,
    MVC_POINTER_MAGIC,
    open_checkpoint,
    open_file,
    open_opaque,
    parse_lfs_pointer,
    skeleton_of,
    sniff_path,
)
from tests.formats.makers import check_round_trip, write_safetensors

POINTER = LFS_MAGIC + b"oid sha256:" + b"ab" * 32 + b"\nsize 12345\n"


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"")
    with pytest.raises(FormatError, match="empty"):
        open_checkpoint(tmp_path / "x.pt")


def test_git_lfs_pointer(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(POINTER)
    with pytest.raises(PointerError) as caught:
        open_checkpoint(tmp_path / "x.safetensors")
    assert "git lfs pull --include" in caught.value.hint and "x.safetensors" in caught.value.hint
    pointer = parse_lfs_pointer(POINTER)
    assert (pointer.oid, pointer.size) == ("ab" * 32, 12345)
    for bad in (b"", LFS_MAGIC, POINTER.replace(b"size", b"sise"), POINTER.replace(b"ab" * 32, b"zz" * 32)):
        with pytest.raises(FormatError):
            parse_lfs_pointer(bad)


def test_mvc_pointer(tmp_path: Path) -> None:
    (tmp_path / "x.mvc").write_bytes(MVC_POINTER_MAGIC + b"\n")
    with pytest.raises(PointerError) as caught:
        open_checkpoint(tmp_path / "x.mvc")
    assert "mvc checkout" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"GGUF" + bytes(100), "GGUF"),
        (b"\x93NUMPY\x01\x00", "NumPy array"),
        (bytes(257) + b"ustar" + bytes(300), "tar archive"),
        (b"hello", "no checkpoint"),
        (b"\x80", "no checkpoint"),
        (b"PK\x05\x06" + bytes(18), "zip archive"),
        (b"\x80\x04.", "pickle"),
    ],
)
def test_foreign_files_are_refused_by_name(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError, match=what):
        open_checkpoint(tmp_path / "x")


def test_links(tmp_path: Path) -> None:
    blob = write_safetensors(tmp_path / "0123abc", {"w": np.ones(2)})
    (tmp_path / "model.safetensors").symlink_to(blob.name)  # as a download cache has them
    with open_checkpoint(tmp_path / "model.safetensors") as checkpoint:
        assert list(checkpoint.specs) == ["w"]
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name, what in (("dangling", "not there"), ("loop", "itself")):
        with pytest.raises(FormatError, match=what):
            open_checkpoint(tmp_path / name)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")  # a blocking open would hang here
    with pytest.raises(FormatError, match="regular"):
        open_checkpoint(tmp_path / "fifo")
    with pytest.raises(FormatError, match="regular"):
        open_checkpoint("/dev/zero")
    with pytest.raises(NotFoundError):
        open_checkpoint(tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        open_checkpoint("a\0b")
    with pytest.raises(MvcError, match="not one checkpoint"):
        open_checkpoint(tmp_path)


def test_messages_escape_hostile_names(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb\u202e"
    path.write_bytes(b"hello")
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert caught.value.message.isascii() and caught.value.message.isprintable()


def test_change_while_it_is_read(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x", {"w": np.ones(2000), "b": np.ones(2)})
    with pytest.raises(ChangedError), open_checkpoint(path) as checkpoint:
        with path.open("r+b") as stream:
            stream.truncate(100)
        checkpoint.read("w")
    path = write_safetensors(tmp_path / "y", {"w": np.ones(2000)})
    with pytest.raises(ChangedError), open_file(path) as file:
        os.utime(path, ns=(1, 1))
        skeleton_of(file)
    path = write_safetensors(tmp_path / "z", {"w": np.ones(2000)})
    with pytest.raises(ChangedError), open_checkpoint(path) as checkpoint:
        os.replace(write_safetensors(tmp_path / "new", {"w": np.zeros(2000)}), path)
    path = write_safetensors(tmp_path / "u", {"w": np.ones(2000)})
    with pytest.raises(ChangedError), open_checkpoint(path) as checkpoint:
        path.unlink()


def test_an_error_inside_is_not_hidden_by_the_check_on_leaving(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x", {"w": np.ones(2)})
    with pytest.raises(ZeroDivisionError), open_checkpoint(path):
        path.unlink()
        raise ZeroDivisionError


def test_files_are_closed(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x", {"w": np.ones(2)})
    (tmp_path / "bad").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with open_checkpoint(path):
            pass
        with pytest.raises(FormatError):
            open_checkpoint(tmp_path / "bad")
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("content", [b"", b"x" * 100_000])
def test_opaque(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with open_opaque(tmp_path / "x") as file:
        assert file.tensors[0].role == "storage" and file.format == "opaque"
        check_round_trip(file)


def test_kinds(tmp_path: Path) -> None:
    assert sniff_path(write_safetensors(tmp_path / "x.pt", {"w": np.ones(2)})) == "safetensors"
