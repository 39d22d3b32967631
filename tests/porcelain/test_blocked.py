"""One damaged tensor takes down what rests on it, and nothing of that is lost (row 33)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mvc.errors import IntegrityError, MvcError
from mvc.objects import ObjectId, TensorEntry
from mvc.odb import chains, loose_key
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.fsck import fsck
from mvc.porcelain.gc import gc
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.testing.commits import loosen


def workspace(root: Path) -> Workspace:
    return Workspace.of(Repository.open(root), author="a")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """A smooth course of small models, each stored as its difference from the one before."""
    rng = np.random.default_rng(0)
    weights = {"a.weight": rng.normal(size=(128, 64)), "b.weight": rng.normal(size=(64, 128))}
    drift = {name: rng.normal(size=value.shape) * 0.002 for name, value in weights.items()}
    found = []
    Repository.init(tmp_path)
    for number in range(4):
        path = tmp_path / f"{number:02}.safetensors"
        save_file({name: value.astype(np.float32) for name, value in weights.items()}, path)
        os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
        found.append(path)
        commit(workspace(tmp_path), [path], step=number)
        weights = {name: v + drift[name] + rng.normal(size=v.shape) * 0.0002 for name, v in weights.items()}
    return found


def commits(root: Path) -> list[ObjectId]:
    return list(Repository.open(root).state().commits)


def first_tensor(repository: Repository) -> ObjectId:
    return tensors_of(repository, next(iter(repository.state().commits)))[0].object


def tensors_of(repository: Repository, commit_id: ObjectId) -> tuple[TensorEntry, ...]:
    return repository.manifest(repository.commit(commit_id).manifest).files[0].tensors


def flip(root: Path) -> ObjectId:
    """Damages the tensor on which the others rest."""
    repository = Repository.open(root)
    first = first_tensor(repository)
    path = repository.directory / repository.odb.key_of(first)
    data, stored = bytearray(path.read_bytes()), repository.odb.stored_form(first)
    data[data.index(stored) + len(stored) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    return first


def assert_readable(root: Path, paths: list[Path]) -> None:
    assert check_repository(Repository.open(root)).ok
    for commit_id, path in zip(commits(root), paths, strict=True):
        target = root / "out"
        checkout(workspace(root), commit_id, directory=root, target=target)
        assert target.read_bytes() == path.read_bytes()
        target.unlink()


@pytest.mark.parametrize("layout", ["a pack a commit", "one pack", "loose", "no trailer"])
@pytest.mark.parametrize("how", ["commit", "from"])
def test_a_repair_keeps_what_is_whole_though_its_base_is_damaged(
    tmp_path: Path, paths: list[Path], layout: str, how: str
) -> None:
    if layout == "loose":
        loosen(Repository.open(tmp_path))
    if layout in ("one pack", "no trailer"):
        gc(workspace(tmp_path))
    first = flip(tmp_path)
    if layout == "no trailer":
        [pack] = (tmp_path / ".mvc" / "packs").iterdir()
        pack.write_bytes(pack.read_bytes()[:-9])
    report = check_repository(Repository.open(tmp_path), repair=True)
    named = {item.object: item for item in report.findings if len(item.object) == 64}
    assert named.keys() == {first}
    assert not named[first].repaired
    assert set(named[first].commits) == set(commits(tmp_path))
    assert len(named[first].blocks) == 3
    report = check_repository(Repository.open(tmp_path))
    assert [(item.code, item.object, len(item.blocks)) for item in report.findings] == [("missing", first, 3)]
    if how == "commit":
        commit(workspace(tmp_path), [paths[0]])
    else:
        assert fsck(workspace(tmp_path), repair=True, sources=[paths[0]]).ok
    assert_readable(tmp_path, paths)
    assert len(commits(tmp_path)) == 4


def test_what_others_wait_for_is_stored_below_them(tmp_path: Path, paths: list[Path]) -> None:
    """A new checkpoint holds the lost tensor; though others are like it, it must rest on none of those."""
    first = flip(tmp_path)
    check_repository(Repository.open(tmp_path), repair=True)
    tensors = load_file(paths[0])
    save_file({**tensors, "b.weight": tensors["b.weight"] + np.float32(0.001)}, tmp_path / "new.safetensors")
    commit(workspace(tmp_path), [tmp_path / "new.safetensors"])
    assert Repository.open(tmp_path).odb.bases_of(first) == ()
    assert_readable(tmp_path, [*paths, tmp_path / "new.safetensors"])


def test_what_comes_back_makes_no_chain_longer_than_may_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain as long as any may be loses its end, and that is most like the end of another such chain by now."""
    longest = 4
    monkeypatch.setattr(chains, "MAX_BASES", longest)
    monkeypatch.setattr(chains, "ONE_BASE", 0)  # as of tensors that are too large for two
    Repository.init(tmp_path)
    rng = np.random.default_rng(0)
    start, along = rng.normal(size=(2, 128, 64))

    def put(name: str, places: list[float], keyframe: int) -> list[Path]:
        found = []
        for number, place in enumerate(places):
            found.append(tmp_path / f"{name}{number}.safetensors")
            noise = rng.normal(size=start.shape) * 0.0001
            save_file({"w": (start + 0.001 * place * along + noise).astype(np.float32)}, found[-1])
            one = workspace(tmp_path)
            one.repository.odb.keyframe = keyframe
            commit(one, found[-1:])
        return found

    paths = put("a", [0, 2, 4, 6, 8], longest)
    lost = first_tensor(Repository.open(tmp_path))
    paths += put("c", [-4.5], 0)
    paths += put("d", [-3.5, -2.5, -1.5], longest)
    repository = Repository.open(tmp_path)
    tensors = [tensors_of(repository, commit_id)[0].object for commit_id in commits(tmp_path)]
    assert [repository.odb.depth(tensor) for tensor in tensors] == [0, 1, 2, 3, 4, 0, 1, 2, 3]
    assert flip(tmp_path) == lost
    check_repository(Repository.open(tmp_path), repair=True)
    commit(workspace(tmp_path), paths[:1])
    assert_readable(tmp_path, paths)


@pytest.mark.parametrize("kind", ["tensor", "skeleton", "manifest", "commit"])
def test_committing_again_heals_though_the_file_is_remembered(tmp_path: Path, paths: list[Path], kind: str) -> None:
    commit(workspace(tmp_path), paths)  # the files have come to rest, and are remembered now
    repository = Repository.open(tmp_path)
    loosen(repository)
    one = commits(tmp_path)[1]
    manifest = repository.manifest(repository.commit(one).manifest)
    victim = {
        "tensor": manifest.files[0].tensors[0].object,
        "skeleton": manifest.files[0].skeleton,
        "manifest": manifest.id,
        "commit": one,
    }[kind]
    (repository.directory / loose_key(victim)).unlink()
    if kind == "commit":
        with pytest.raises(IntegrityError, match="missing"):
            create_tag(workspace(tmp_path), "x", one)
    commit(workspace(tmp_path), paths)
    assert_readable(tmp_path, paths)
    assert len(commits(tmp_path)) == 4


@pytest.mark.parametrize("wrong", ["nosuch", "empty", "junk.bin"])
def test_what_is_no_source_is_refused_before_anything_is_touched(tmp_path: Path, paths: list[Path], wrong: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.bin").write_bytes(b"\xff" * 64)
    flip(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / ".mvc" / "packs").iterdir()}
    with pytest.raises(MvcError):
        fsck(workspace(tmp_path), repair=True, sources=[paths[0], tmp_path / wrong])
    assert {path: path.read_bytes() for path in (tmp_path / ".mvc" / "packs").iterdir()} == before
    assert not list((tmp_path / ".mvc" / "quarantine").iterdir())


def test_a_copy_of_the_directory_is_a_source(tmp_path: Path, paths: list[Path]) -> None:
    (tmp_path / ".mvc").rename(tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / ".mvc")
    flip(tmp_path)
    assert fsck(workspace(tmp_path), repair=True, sources=[tmp_path / "copy"]).ok
    assert_readable(tmp_path, paths)


def test_what_nothing_needs_may_rest_on_what_is_gone(paths: list[Path], tmp_path: Path) -> None:
    """As a gc that was stopped leaves it: an idle difference, its base taken away already."""
    repository = Repository.open(tmp_path)
    spec, data = repository.odb.get_tensor(first_tensor(repository))
    values = np.frombuffer(data, "<f4") * np.float32(1.001)
    base = repository.odb.put_tensor(spec, values.tobytes())
    idle = repository.odb.put_tensor(spec, (values * np.float32(1.0001)).tobytes(), bases=(base,))
    assert repository.odb.bases_of(idle) == (base,)
    repository.storage.delete(loose_key(base))
    report = check_repository(Repository.open(tmp_path))
    assert report.ok and [(found.code, found.object) for found in report.findings] == [("unreachable", idle)]
