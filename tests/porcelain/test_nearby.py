"""A commit takes what its tensors rest on from files that still lie there, and believes none of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mvc.objects import ObjectId
from mvc.odb.stored import unpack
from mvc.porcelain import digests
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.fsck import fsck
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Weights = dict[str, np.ndarray]
Save = Callable[[Path, Weights], Path]
COUNT = 5


def walk() -> list[Weights]:
    rng = np.random.default_rng(0)
    weights = {f"{i}.weight": (rng.normal(size=(64, 64)) * 0.05).astype("f4") for i in range(3)}
    found = []
    for _ in range(COUNT):
        found.append(weights)
        weights = {k: (v + rng.normal(size=v.shape) * 1e-4).astype("f4") for k, v in weights.items()}
    return found


def save(path: Path, weights: Weights) -> Path:
    path = path.with_suffix(".safetensors")
    save_file(weights, path)
    return path


def save_torch(path: Path, weights: Weights) -> Path:
    path = path.with_suffix(".pt")
    torch.save({name: torch.from_numpy(value) for name, value in reversed(weights.items())}, path)
    return path


def at_rest() -> None:
    """A clock's tick passes."""
    time.sleep(digests._TICK / 1e9 + 0.02)


def committed(root: Path, save: Save = save) -> list[Path]:
    """All but the last of a walk, committed one by one by processes of their own; the last is only written."""
    Repository.init(root)
    paths = [save(root / str(number), weights) for number, weights in enumerate(walk())]
    at_rest()
    for path in paths[:-1]:
        commit(Workspace.open(root), [path])
    at_rest()
    return paths


def commit_counted(root: Path, path: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[ObjectId]:
    """Tensors that were decoded for a commit, those apart that it stored and read back; it is checked out again."""
    before = set(Repository.open(root).odb.ids())
    decoded: list[ObjectId] = []

    def count(object_id: ObjectId, *more: Any) -> Any:
        head, payload = unpack(object_id, *more)
        if head.kind == "tensor" and object_id in before:
            decoded.append(object_id)
        return head, payload

    with monkeypatch.context() as patched:
        for module in ("chains", "forms"):
            patched.setattr(f"mvc.odb.{module}.unpack", count)
        done = commit(Workspace.open(root), [path], **options).commits[0]
    assert done.stored_bytes < 0.8 * done.bytes
    target = root / "again"
    checkout(Workspace.open(root), done.id, directory=root, target=target)
    assert target.read_bytes() == path.read_bytes()
    return decoded


@pytest.mark.parametrize("saver", [save, save_torch])
def test_nothing_is_decoded_where_the_files_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saver: Save
) -> None:
    paths = committed(tmp_path, saver)
    descriptors = len(os.listdir("/proc/self/fd"))
    assert commit_counted(tmp_path, paths[-1], monkeypatch) == []
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_files_that_were_committed_as_soon_as_they_were_written_are_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository.init(tmp_path)
    monkeypatch.setattr(digests, "_TICK", 1 << 62)  # nothing is ever at rest
    for number, weights in enumerate(walk()[:-1]):
        commit(Workspace.open(tmp_path), [save(tmp_path / str(number), weights)])
    last = save(tmp_path / "last", walk()[-1])
    assert commit_counted(tmp_path, last, monkeypatch) == []


def test_a_file_that_was_written_again_within_a_tick_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Repository.init(tmp_path)
    monkeypatch.setattr(digests, "stamp_of", lambda path: (os.stat(path).st_size, 1, 1, 1, 1))
    paths = [save(tmp_path / str(number), weights) for number, weights in enumerate(walk())]
    for path in paths[:-1]:
        commit(Workspace.open(tmp_path), [path])
    for path in paths[:-1]:  # of which the stamp does not tell
        save(path.with_suffix(""), {name: value * 3 for name, value in walk()[0].items()})
    assert commit_counted(tmp_path, paths[-1], monkeypatch) != []


def test_files_are_looked_into_where_the_caller_says_that_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = committed(tmp_path)
    commits = Repository.open(tmp_path).state().commits
    lying = {
        commit_id: path.rename(path.with_suffix(".moved")) for commit_id, path in zip(commits, paths[:-1], strict=True)
    }
    assert commit_counted(tmp_path, paths[-1], monkeypatch, lying=lying) == []


def test_the_store_is_read_to_verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = committed(tmp_path)
    assert commit_counted(tmp_path, paths[-1], monkeypatch, verify=True) != []


def remove(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    """Another content of the same size, at the same times."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("harm", [remove, flip, lambda path: path.write_bytes(b""), os.mkfifo])
def test_files_that_changed_are_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], object]
) -> None:
    paths = committed(tmp_path)
    for path in paths[:-1]:
        if harm is os.mkfifo:
            path.unlink()
        harm(path)
    assert commit_counted(tmp_path, paths[-1], monkeypatch) != []


def test_a_changed_file_that_passes_for_the_old_one_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = committed(tmp_path)
    stamps = {path: digests.stamp_of(path) for path in paths}
    for path in paths[:-1]:
        content = path.read_bytes()
        path.write_bytes(content[:-20000] + bytes(reversed(content[-20000:])))
    monkeypatch.setattr(digests, "stamp_of", lambda path: stamps.get(path) or pytest.fail(f"unknown: {path}"))
    assert commit_counted(tmp_path, paths[-1], monkeypatch) != []


def test_a_file_of_another_format_has_the_same_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = committed(tmp_path)
    again = [save_torch(tmp_path / f"again{number}", weights) for number, weights in enumerate(walk()[:-1])]
    at_rest()
    for path in again:
        commit(Workspace.open(tmp_path), [path])
    for path in paths[:-1]:
        path.unlink()
    assert commit_counted(tmp_path, paths[-1], monkeypatch) == []


def test_a_base_that_rotted_is_found_by_fsck_and_mended_from_the_files(tmp_path: Path) -> None:
    paths = committed(tmp_path)
    largest = max((tmp_path / ".mvc/packs").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    done = commit(Workspace.open(tmp_path), [paths[-1]]).commits[0]
    assert not fsck(Workspace.open(tmp_path)).ok
    fsck(Workspace.open(tmp_path), repair=True, sources=paths)
    assert fsck(Workspace.open(tmp_path)).ok
    target = tmp_path / "again"
    checkout(Workspace.open(tmp_path), done.id, directory=tmp_path, target=target)
    assert target.read_bytes() == paths[-1].read_bytes()
