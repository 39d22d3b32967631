"""Pointers: written beside checkpoints, and understood wherever a revision is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import ExistsError, NotFoundError
from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.identify import identify
from mvc.porcelain.pointers import Pointer, content_digest, parse_pointer, pointer_path, read_pointer, target_path
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from tests.porcelain.pointers.samples import ID, TEXT, Write, sharded, states, trainer, tree


def test_the_text_is_read_as_it_is_written() -> None:
    for pointer in (Pointer(ID, 0, "cd" * 32), Pointer(ID, 10**17, "cd" * 32, files=12)):  # type: ignore[arg-type]
        assert parse_pointer(pointer.to_bytes()) == pointer
    assert TEXT.splitlines()[1:] == [b"commit " + ID.encode(), b"size 12", b"hash blake3:" + b"cd" * 32]


def test_it_stands_for_the_file(pointed: Path, workspace: Workspace) -> None:
    pointer = read_pointer(pointer_path(pointed))
    assert pointer.commit == resolve(workspace, "HEAD")
    assert pointer.size == pointed.stat().st_size
    assert target_path(pointer_path(pointed)) == pointed
    assert (pointed.parent / ".gitignore").read_bytes() == b"/6.safetensors\n"


def test_the_file_comes_back_byte_for_byte(pointed: Path, workspace: Workspace, tmp_path: Path) -> None:
    original = pointed.read_bytes()
    pointed.unlink()
    assert states(workspace, pointed.parent)["6.safetensors.mvc"] == "missing"
    result = checkout(workspace, "run/6.safetensors.mvc", directory=tmp_path)
    assert pointed.read_bytes() == original and result.bytes == len(original)
    before = pointed.stat()
    again = checkout(workspace, "run/6.safetensors.mvc", directory=tmp_path)
    assert (again.paths, again.bytes) == ((), 0) and pointed.stat().st_mtime_ns == before.st_mtime_ns
    checkout(workspace, "6.safetensors.mvc", directory=pointed.parent, target=Path("copy.safetensors"))
    assert (pointed.parent / "copy.safetensors").read_bytes() == original
    up = pointed.parent / "below"
    up.mkdir()
    pointed.unlink()
    checkout(workspace, "../6.safetensors.mvc", directory=up)
    assert pointed.read_bytes() == original


def test_another_file_is_not_overwritten(pointed: Path, workspace: Workspace, write: Write, walk: Any) -> None:
    original, pointer = pointed.read_bytes(), str(pointer_path(pointed))
    other = write("run/6.safetensors", walk(2, 1)[0]).read_bytes()
    entries = {Path(entry.path).name: entry for entry in status(workspace, [pointed.parent]).entries}
    assert entries["6.safetensors.mvc"].state == "differs" and "not committed" in entries["6.safetensors.mvc"].reason
    with pytest.raises(ExistsError) as caught:
        checkout(workspace, pointer, directory=Path())
    assert "--force" in caught.value.hint and pointed.read_bytes() == other
    checkout(workspace, pointer, directory=Path(), force=True)
    assert pointed.read_bytes() == original
    assert states(workspace, pointed.parent)["6.safetensors.mvc"] == "present"


@pytest.mark.parametrize("make", [sharded, trainer])
def test_a_directory_has_its_pointer_beside_it(make: Any, workspace: Workspace, tmp_path: Path) -> None:
    directory = make(tmp_path / "models" / "big")
    original = tree(directory)
    commit(workspace, [directory], pointer=True)
    pointer = tmp_path / "models" / "big.mvc"
    assert read_pointer(pointer).files == len(original)
    assert (tmp_path / "models" / ".gitignore").read_bytes() == b"/big\n"
    assert states(workspace, tmp_path) == {"big": "committed", "big.mvc": "present"}
    shutil.rmtree(directory)
    assert states(workspace, tmp_path) == {"big.mvc": "missing"}
    checkout(workspace, str(pointer), directory=Path())
    assert tree(directory) == original
    assert checkout(workspace, str(pointer), directory=Path()).paths == ()


def test_a_directory_that_lacks_files_is_completed(workspace: Workspace, tmp_path: Path) -> None:
    """What git carries in it stays: a configuration, say."""
    directory = sharded(tmp_path / "big")
    original = tree(directory)
    (directory / "config.json").write_text("{}")
    result = commit(workspace, [directory], pointer=True)
    assert any("config.json" in text and "git add -f" in text for text in result.warnings)
    for path in (*directory.glob("*.safetensors"), *directory.glob("*.index.json")):
        path.unlink()
    written = checkout(workspace, "big.mvc", directory=tmp_path).paths
    assert Path(written[-1]).name == "model.safetensors.index.json", "the index is what makes it a checkpoint"
    assert tree(directory) == {**original, "config.json": b"{}"}
    shard = next(iter(directory.glob("*.safetensors")))
    shard.write_bytes(b"other")
    with pytest.raises(ExistsError, match="other content"):
        checkout(workspace, "big.mvc", directory=tmp_path)
    assert shard.read_bytes() == b"other"


def test_a_directory_is_not_completed_through_a_link(workspace: Workspace, tmp_path: Path) -> None:
    directory = trainer(tmp_path / "work" / "big")
    commit(workspace, [directory], pointer=True)
    shutil.rmtree(directory / "global_step7")
    outside = tmp_path / "outside"
    outside.mkdir()
    (directory / "global_step7").symlink_to(outside)
    with pytest.raises(ExistsError):
        checkout(workspace, str(pointer_path(directory)), directory=Path())
    assert list(outside.iterdir()) == []


def test_pointers_in_a_trainers_directory_are_none_of_its_files(workspace: Workspace, tmp_path: Path) -> None:
    """A trainer's output directory is a checkpoint, and holds older ones."""
    outer = trainer(tmp_path / "out")
    commit(workspace, [outer])
    inner = trainer(outer / "checkpoint-7")
    (inner / "trainer_state.json").write_text('{"global_step": 3}')
    commit(workspace, [inner], pointer=True)
    shutil.rmtree(inner)
    for paths in ([tmp_path], [outer, pointer_path(inner)]):
        assert states(workspace, *paths) == {"out": "committed", "checkpoint-7.mvc": "missing"}


def test_every_verb_takes_it_for_its_commit(
    pointed: Path, workspace: Workspace, tmp_path: Path, write: Write, walk: Any
) -> None:
    head, text = resolve(workspace, "HEAD"), "run/6.safetensors.mvc"
    pointed.unlink()
    assert resolve(workspace, text, tmp_path) == head
    assert show(workspace, text, directory=tmp_path).id == head
    assert create_tag(workspace, "base", text, directory=tmp_path).tags[0].commit == head
    tuned = commit(workspace, [write("tuned.safetensors", walk(5, 1)[0])], parent=text, directory=tmp_path)
    assert show(workspace, tuned.commits[0].id).facts["parent"] == head
    assert blame(workspace, text, directory=tmp_path).commit == head
    assert diff(workspace, f"./{text}", "base", directory=tmp_path).distance == 0
    judged = check(workspace, ["base~1", text], directory=tmp_path).commits
    assert [(row.id, row.pointer) for row in judged[1:]] == [(head, str(tmp_path / text))] and judged[0].pointer is None
    found = identify(workspace, [pointer_path(pointed)]).results[0].match
    assert found is not None and (found.commit, found.relation) == (head, "same")
    for act in (
        lambda: check(workspace, ["run/6.safetensors"], directory=tmp_path),
        lambda: identify(workspace, [pointed]),
        lambda: commit(workspace, [pointed]),
        lambda: checkout(workspace, str(pointed), directory=tmp_path),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert "mvc checkout" in caught.value.hint and "6.safetensors.mvc" in caught.value.hint


def test_a_pointer_moves_on_with_the_file(pointed: Path, workspace: Workspace, write: Write, walk: Any) -> None:
    first = read_pointer(pointer_path(pointed))
    write("run/6.safetensors", walk(2, 1)[0])
    commit(workspace, [pointed], pointer=True)
    assert read_pointer(pointer_path(pointed)) not in (first,)
    assert states(workspace, pointed)["6.safetensors"] == "committed"
    assert (pointed.parent / ".gitignore").read_bytes() == b"/6.safetensors\n"


def test_a_commit_of_long_ago_gets_a_pointer_too(workspace: Workspace, write: Write, walk: Any) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    first = commit(workspace, [path]).commits[0]
    again = commit(workspace, [path], pointer=True).commits[0]
    assert again.relation == "duplicate" and read_pointer(pointer_path(path)).commit == first.id


def test_the_list_of_files_has_no_two_readings() -> None:
    one = [("a", 1, "00"), ("b", 2, "11")]
    assert content_digest(tuple(one)) == content_digest(tuple(reversed(one)))
    assert content_digest((("a", 1, "00 1 b\n"), ("b", 2, "11"))) != content_digest(tuple(one))
    assert content_digest((("", 1, "00"),)) == "00"
