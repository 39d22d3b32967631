"""Git LFS pointers: an object that is there is read in their place, once it was seen to be the right one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import FormatError, PointerError
from mvc.formats import LFS_MAGIC, find_checkpoints, find_git, open_checkpoint, open_opaque
from tests.formats.makers import write_safetensors

ARRAYS = {"w": np.arange(12, dtype=np.float32).reshape(3, 4)}


@pytest.fixture
def repo(tmp_path: Path, git: Callable[..., str]) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git("init", "-q", cwd=root)
    return root


def swap(path: Path, git_directory: Path, *, fetched: bool = True) -> Path:
    """Puts a pointer in a file's place, as git-lfs does, and gives the place of its object."""
    content = path.read_bytes()
    oid = hashlib.sha256(content).hexdigest()
    place = git_directory / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    if fetched:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    path.write_bytes(LFS_MAGIC + f"oid sha256:{oid}\nsize {len(content)}\n".encode())
    return place


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, ARRAYS)
    return path


def assert_read(path: Path) -> None:
    with open_checkpoint(path) as opened:
        assert bytes(opened.read("w")) == ARRAYS["w"].tobytes()
        assert opened.path == path
    assert [(found.path, found.state) for found in find_checkpoints(path)] == [(path, "complete")]


def test_a_fetched_object_is_read(repo: Path) -> None:
    path = made(repo / "models" / "a.safetensors")
    swap(path, repo / ".git")
    assert_read(path)
    with open_opaque(path) as pointer:
        assert pointer.size < 200, "who asks for the file itself gets it"


def test_one_that_was_not_fetched_says_what_to_run(repo: Path) -> None:
    path = made(repo / "models" / "a.safetensors")
    swap(path, repo / ".git", fetched=False)
    with pytest.raises(PointerError) as caught:
        open_checkpoint(path)
    assert caught.value.hint == "run: git lfs pull --include 'models/a.safetensors'"
    found = find_checkpoints(repo)
    assert [item.state for item in found] == ["blocked"] and caught.value.hint in found[0].reason
    path.rename(repo / "notes.md")
    assert find_checkpoints(repo) == [], "a pointer that is not named as weights are"


@pytest.mark.parametrize("how", ["flipped", "short", "empty", "directory"])
def test_an_object_that_is_not_the_one_named_is_refused(how: str, repo: Path) -> None:
    path = made(repo / "a.safetensors")
    place = swap(path, repo / ".git")
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.unlink()
    match how:
        case "flipped":
            place.write_bytes(content)
        case "short":
            place.write_bytes(content[:-1])
        case "empty":
            place.touch()
        case "directory":
            place.mkdir()
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert caught.value.code == ("not-fetched" if how == "directory" else "bad-lfs-object")
    assert "git lfs pull --include 'a.safetensors'" in caught.value.hint


def test_an_object_that_is_damaged_after_it_was_trusted_is_refused(repo: Path) -> None:
    path = made(repo / "a.safetensors")
    place = swap(path, repo / ".git")
    assert_read(path)
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        open_checkpoint(path)
    assert caught.value.code == "bad-lfs-object"


def test_a_linked_working_tree_shares_the_objects(repo: Path, git: Callable[..., str], tmp_path: Path) -> None:
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=repo)
    git("worktree", "add", "-q", str(tmp_path / "linked"), cwd=repo)
    path = made(tmp_path / "linked" / "deep" / "a.safetensors")
    swap(path, repo / ".git")
    assert_read(path)
    place = find_git(path)
    assert place is not None and place.root == tmp_path / "linked"
    assert place.common.resolve() == (repo / ".git").resolve()


def test_a_submodule_has_its_own(repo: Path, git: Callable[..., str], tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git("init", "-q", cwd=inner)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=inner)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub", cwd=repo)
    path = made(repo / "sub" / "a.safetensors")
    swap(path, repo / ".git" / "modules" / "sub")
    assert_read(path)


def test_a_link_leads_to_the_repository_of_its_file(repo: Path, tmp_path: Path) -> None:
    path = made(repo / "a.safetensors")
    swap(path, repo / ".git")
    link = tmp_path / "link.safetensors"
    link.symlink_to(path)
    assert_read(link)


@pytest.mark.parametrize(
    "text", ["", "gitdir: ", "gitdir: /nowhere\n", "gitdir: a\nb\n", "\0" * 9000, "gitdir: .git\n"]
)
def test_a_git_file_that_leads_nowhere_is_no_repository(text: str, tmp_path: Path) -> None:
    path = made(tmp_path / "a.safetensors")
    swap(path, tmp_path / "nowhere", fetched=False)
    (tmp_path / ".git").write_text(text)
    assert find_git(path) is None
    with pytest.raises(PointerError, match="not fetched"):
        open_checkpoint(path)


def test_a_pipe_for_a_git_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".git")
    assert find_git(tmp_path / "a.safetensors") is None


def test_shards_and_a_trainers_files(repo: Path) -> None:
    shards = {f"w{n}": f"model-{n}-of-2.safetensors" for n in (1, 2)}
    for name, shard in shards.items():
        (repo / "big").mkdir(exist_ok=True)
        write_safetensors(repo / "big" / shard, {name: ARRAYS["w"]})
        swap(repo / "big" / shard, repo / ".git")
    index = repo / "big" / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 96}, "weight_map": shards}))
    swap(index, repo / ".git")
    step = made(repo / "checkpoint-7" / "model.safetensors").parent
    (step / "trainer_state.json").write_text('{"global_step": 7}')
    (step / "training_args.bin").write_bytes(b"x" * 3000)
    places = [swap(path, repo / ".git") for path in sorted(step.iterdir())]
    assert {found.path.name: found.state for found in find_checkpoints(repo)} == dict.fromkeys(
        ("big", "checkpoint-7"), "complete"
    )
    with open_checkpoint(repo / "big") as opened:
        assert sorted(opened.specs) == ["w1", "w2"]
    with open_checkpoint(step) as opened:
        assert opened.facts == {"step": 7.0}
        assert {name: file.size for name, file in opened.files}["training_args.bin"] == 3000
    for place in places:
        content = place.read_bytes()
        place.unlink()
        with pytest.raises(PointerError):
            open_checkpoint(step)
        place.write_bytes(content)


def test_a_pointer_to_a_pointer_is_not_followed(repo: Path) -> None:
    path = made(repo / "a.safetensors")
    swap(path, repo / ".git")
    swap(path, repo / ".git")
    with pytest.raises(PointerError):
        open_checkpoint(path)
