"""Pointers that mvc did not write, or that do not belong here: refused, and nothing happens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import ExistsError, FormatError, InputError, MvcError, NotFoundError
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.pointers import Pointer, parse_pointer, pointer_path, read_pointer
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from tests.porcelain.pointers.samples import ID, TEXT, Write, sharded, states, tree

HOSTILE = {
    "empty": b"",
    "garbage": b"\x00\xff" * 40,
    "huge": TEXT + b"\n" * 5000,
    "short id": TEXT.replace(ID.encode(), b"abcd"),
    "id is no hex": TEXT.replace(ID.encode(), b"zz" * 32),
    "id in capitals": TEXT.replace(ID.encode(), b"AB" * 32),
    "id is a path": TEXT.replace(ID.encode(), b"../../../../etc/passwd"),
    "negative size": TEXT.replace(b"size 12", b"size -1"),
    "size with a zero": TEXT.replace(b"size 12", b"size 012"),
    "enormous size": TEXT.replace(b"size 12", b"size " + b"9" * 400),
    "another hash": TEXT.replace(b"blake3:", b"md5:"),
    "another line": TEXT + b"path /etc/passwd\n",
    "no line end": TEXT[:-1],
    "carriage returns": TEXT.replace(b"\n", b"\r\n"),
    "newer": TEXT.replace(b"spec/v1", b"spec/v2"),
    "conflict": b"<<<<<<< HEAD\n" + TEXT + b"=======\n" + TEXT + b">>>>>>> other\n",
    "git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_mvc_did_not_write_is_refused(name: str, pointed: Path, workspace: Workspace, tmp_path: Path) -> None:
    path = pointer_path(pointed)
    path.write_bytes(HOSTILE[name])
    before = tree(tmp_path / "run")
    with pytest.raises(FormatError) as caught:
        read_pointer(path)
    assert caught.value.code == "bad-pointer" and caught.value.hint and len(caught.value.message) < 400
    for act in (
        lambda: checkout(workspace, str(path), directory=Path(), force=True),
        lambda: show(workspace, str(path)),
        lambda: identify(workspace, [path]),
        lambda: check(workspace, ["run/6.safetensors.mvc"], directory=tmp_path),
    ):
        with pytest.raises(MvcError) as refused:
            act()
        assert refused.value.code == "bad-pointer"
    assert tree(tmp_path / "run") == before
    assert states(workspace, path)["6.safetensors.mvc"] in ("bad", "blocked")


def test_whatever_else_is_refused_or_is_the_same_pointer() -> None:
    """Any byte changed, dropped or put in: another pointer of the same form, or an error, and never anything else."""
    rng = np.random.default_rng(1)
    for _ in range(3000):
        content = bytearray(TEXT)
        at = int(rng.integers(len(content)))
        match rng.integers(3):
            case 0:
                content[at] = rng.integers(256)
            case 1:
                del content[at : at + int(rng.integers(1, 9))]
            case _:
                content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        try:
            assert parse_pointer(bytes(content)).to_bytes() == content
        except FormatError as error:
            assert error.code == "bad-pointer" and error.message.isascii()


def test_a_newer_format_and_a_conflict_are_told_apart() -> None:
    for name, words in {"newer": "newer mvc", "conflict": "merge conflict"}.items():
        with pytest.raises(FormatError, match=words):
            parse_pointer(HOSTILE[name])


@pytest.mark.parametrize("field", ["size", "digest"])
def test_a_pointer_that_contradicts_its_commit(field: str, pointed: Path, workspace: Workspace) -> None:
    path = pointer_path(pointed)
    pointer = read_pointer(path)
    wrong = {"size": (pointer.size + 1, pointer.digest), "digest": (pointer.size, "0" * 64)}[field]
    path.write_bytes(Pointer(pointer.commit, *wrong).to_bytes())
    pointed.unlink()
    with pytest.raises(FormatError) as caught:
        checkout(workspace, str(path), directory=Path())
    assert caught.value.code == "bad-pointer" and not pointed.exists()
    assert states(workspace, path)["6.safetensors.mvc"] == "bad"


def test_a_commit_of_another_repository(pointed: Path, workspace: Workspace) -> None:
    path = pointer_path(pointed)
    path.write_bytes(TEXT)
    pointed.unlink()
    for act in (
        lambda: checkout(workspace, str(path), directory=Path()),
        lambda: check(workspace, [str(path)]),
        lambda: identify(workspace, [path]),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert caught.value.code == "unknown-commit" and ".mvc" in caught.value.hint
    entry = status(workspace, [path]).entries[0]
    assert entry.state == "blocked" and ID[:12] in entry.reason


def test_a_pipe_named_as_a_pointer_does_not_block(workspace: Workspace, write: Write, walk: Any) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    os.mkfifo(pointer_path(path))
    with pytest.raises(ExistsError):
        commit(workspace, [path], pointer=True)
    with pytest.raises(NotFoundError):
        resolve(workspace, "a.safetensors.mvc", path.parent)


def test_places_where_no_pointer_can_stand(workspace: Workspace, write: Write, walk: Any, tmp_path: Path) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    (tmp_path / "a.safetensors.mvc").write_text("notes of mine")
    with pytest.raises(ExistsError):
        commit(workspace, [path], pointer=True)
    assert (tmp_path / "a.safetensors.mvc").read_text() == "notes of mine"
    broken = write("b\n.safetensors", walk(1, 1)[0])
    index = sharded(tmp_path / "big") / "model.safetensors.index.json"
    inner = Workspace.of(Repository.init(tmp_path / "inner"), author="x")
    linked = write("linked/c.safetensors", walk(1, 1)[0])
    (linked.parent / ".gitignore").symlink_to(tmp_path / "elsewhere")
    for home, refused in ((workspace, broken), (workspace, index), (inner, path), (workspace, linked)):
        with pytest.raises(InputError):
            commit(home, [refused], pointer=True)
    with pytest.raises(NotFoundError):
        resolve(workspace, "HEAD")  # refused before anything was committed
