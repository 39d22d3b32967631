"""gc where what stays and what goes share files, rest on each other, or lie in two places, one of them damaged."""

from __future__ import annotations

import errno
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.errors import MvcError, StorageError
from mvc.objects import (
    Commit,
    FileEntry,
    Kind,
    Manifest,
    Memory,
    ObjectId,
    Skeleton,
    TensorEntry,
    TensorSpec,
)
from mvc.odb import ObjectDatabase, Pack, repacking
from mvc.odb.repacking import repack
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.gc import gc
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect
from mvc.storage import FileSystem, MemoryStorage
from mvc.testing.commits import add_commit


def _files(root: Path, count: int) -> list[Path]:
    """A smooth course of small models, each stored as its difference from the one before."""
    rng = np.random.default_rng(0)
    weights = {"a.weight": rng.normal(size=(128, 64)), "b.weight": rng.normal(size=(64, 128))}
    drift = {name: rng.normal(size=value.shape) * 0.002 for name, value in weights.items()}
    paths = []
    for number in range(count):
        path = root / f"{number:02}.safetensors"
        save_file({name: value.astype(np.float32) for name, value in weights.items()}, path)
        paths.append(path)
        weights = {name: v + drift[name] + rng.normal(size=v.shape) * 0.0002 for name, v in weights.items()}
    return paths


def _commit(root: Path, paths: list[Path]) -> list[ObjectId]:
    for step, path in enumerate(paths):
        commit(Workspace.of(Repository.open(root), author="a"), [path], step=step)
    return list(Repository.open(root).state().commits)


def _readable(root: Path, commit_id: ObjectId, path: Path, target: Path) -> bool:
    checkout(Workspace.of(Repository.open(root), author="a"), commit_id, directory=root, target=target, force=True)
    return target.read_bytes() == path.read_bytes()


def test_files_wholly_of_given_up_tensors_go_only_when_nothing_rests_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where packs of 1 GiB hold nothing but tensors of one large commit, and in repositories of format 1."""
    monkeypatch.setattr(repacking, "PACK_SIZE", 1 << 10)
    Repository.init(tmp_path)
    paths = _files(tmp_path, 8)
    ids = _commit(tmp_path, paths)
    workspace = Workspace.of(Repository.open(tmp_path), author="a")
    gc(workspace)  # every tensor in a pack of its own
    gc(Workspace.of(Repository.open(tmp_path), author="a"), keep="last=2")
    assert check_repository(Repository.open(tmp_path)).ok
    assert _readable(tmp_path, ids[-1], paths[-1], tmp_path / "out")


def test_no_tensor_comes_to_rest_on_one_that_was_given_up_where_the_keyframe_is_less_than_it_was(
    tmp_path: Path,
) -> None:
    Repository.init(tmp_path)
    paths = _files(tmp_path, 10)
    ids = _commit(tmp_path, paths)
    config = tmp_path / ".mvc" / "config.toml"
    config.write_text(re.sub(r"(?m)^keyframe = \d+", "keyframe = 2", config.read_text()))
    workspace = Workspace.of(Repository.open(tmp_path), author="a")
    create_tag(workspace, "five", ids[5])
    gc(Workspace.of(Repository.open(tmp_path), author="a"), keep="last=1")
    assert check_repository(Repository.open(tmp_path)).ok
    assert _readable(tmp_path, ids[-1], paths[-1], tmp_path / "out")


def test_what_is_stored_otherwise_keeps_below_what_rests_on_it() -> None:
    storage = MemoryStorage()
    database = ObjectDatabase(storage)
    rng = np.random.default_rng(0)
    size = 1 << 14
    start, drift, spec = rng.normal(size=size), rng.normal(size=size) * 0.01, TensorSpec("F32", (size,))
    ids: list[ObjectId] = []
    for number in range(8):
        data = (start + number * drift + rng.normal(size=size) * 1e-5).astype(np.float32).tobytes()
        with database.batch():
            ids.append(database.put_tensor(spec, data, bases=ids[-1:]))
    going = {ids[1], ids[3], ids[5]}
    staying = [one for one in ids if one not in going]
    old = list(storage.list("packs/"))
    new = repack(database, staying, going=going, better=lambda one: None, done=lambda count: None)
    storage.delete(*(key for key in old if key not in new))
    fresh = ObjectDatabase(storage)
    for one in staying:
        fresh.verify(one)


def test_no_pack_goes_before_other_copies_of_what_it_holds_are_proved(tmp_path: Path) -> None:
    """A gc that was stopped before it deleted leaves objects in two packs; then the newer copy rots."""
    Repository.init(tmp_path)
    paths = _files(tmp_path, 3)
    ids = _commit(tmp_path, paths)
    packs = tmp_path / ".mvc" / "packs"
    old = {path.name: path.read_bytes() for path in packs.iterdir()}
    gc(Workspace.of(Repository.open(tmp_path), author="a"))
    [new] = packs.iterdir()
    for name, content in old.items():
        (packs / name).write_bytes(content)
    repository = Repository.open(tmp_path)
    tensor = repository.manifest(repository.commit(ids[-1]).manifest).files[0].tensors[0].object
    data = bytearray(new.read_bytes())
    pack = repository.odb.packs[f"packs/{new.name}"]
    offset, length = pack.span(pack.ids().index(tensor))
    data[offset + length - 5] ^= 1
    new.chmod(0o644)
    new.write_bytes(data)
    gc(Workspace.of(Repository.open(tmp_path), author="a"))
    assert check_repository(Repository.open(tmp_path)).findings == ()
    for number, path in enumerate(paths):
        assert _readable(tmp_path, ids[number], path, tmp_path / "out")


def test_a_damaged_copy_hides_no_sound_one(tmp_path: Path) -> None:
    """Whichever of two packs holds it, and however much rests on it."""
    storage = MemoryStorage()
    database = ObjectDatabase(storage)
    rng = np.random.default_rng(0)
    spec = TensorSpec("F32", (1 << 12,))
    start, values = rng.normal(size=1 << 12), []
    ids: list[ObjectId] = []
    with database.batch():
        for number in range(5):
            values.append((start + number * 1e-4 * rng.normal(size=1 << 12)).astype(np.float32).tobytes())
            ids.append(database.put_tensor(spec, values[-1], bases=ids[-1:]))
    [first] = storage.list("packs/")
    with database.batch():
        database.put_tensor(spec, rng.normal(size=1 << 12).astype(np.float32).tobytes())
    repack(database, ids, going=(), better=lambda one: None, done=lambda count: None)
    for key in (first, *(key for key in storage.list("packs/") if key != first)):
        pack = Pack(storage, key)
        for number in (0, 3):
            if ids[number] not in pack.ids():
                continue
            hurt, span = MemoryStorage(), pack.span(pack.ids().index(ids[number]))
            for other in storage.list("packs/"):
                data = bytearray(storage.get(other))
                if other == key:
                    data[span.offset + span.length - 5] ^= 1
                hurt.put_if_absent(other, (bytes(data),))
            fresh = ObjectDatabase(hurt)
            for one, value in zip(ids, values, strict=True):
                assert bytes(fresh.get_tensor(one)[1]) == value


def test_a_disk_error_is_not_taken_for_something_missing(tmp_path: Path) -> None:
    """What an undo took away is kept for a while, also where its records cannot be read for a moment."""
    repository = Repository.init(tmp_path)
    commits = [add_commit(repository, seed) for seed in range(2)]
    gone = repository.commit(commits[0])
    with repository.lock():
        repository.append(command="undo", author="t", removed=[commits[0]])
    before = {key: repository.storage.get(key) for key in repository.storage.list("packs/")}

    again = Repository.open(tmp_path)
    read = again.odb.get

    def failing(kind: Kind, object_id: ObjectId) -> bytes:
        if object_id in (commits[0], gone.manifest):
            raise StorageError("input/output error")
        return read(kind, object_id)

    again.odb.get = failing  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        collect(again, grace=timedelta(days=14))
    assert {key: repository.storage.get(key) for key in repository.storage.list("packs/")} == before
    assert not check_repository(again).ok
    assert check_repository(Repository.open(tmp_path)).findings == ()


def test_a_pack_that_cannot_be_opened_for_a_moment_is_not_damaged(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path)
    commit_id = add_commit(repository, 0)

    class Failing(FileSystem):
        fails = True

        def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
            if self.fails and path.parent.name == "packs":
                raise OSError(errno.EIO, "input/output error")
            return super().read(path, offset, length)

    fs = Failing()
    again = Repository.open(tmp_path, fs=fs)
    with pytest.raises(StorageError):
        again.odb.contains(commit_id)
    with pytest.raises(MvcError):
        collect(again)
    fs.fails = False
    assert again.odb.contains(commit_id)
    assert check_repository(again).findings == ()
    assert collect(again).kept > 0


def test_a_tensor_that_two_commits_gave_up_one_after_the_other_goes(tmp_path: Path) -> None:
    """The first could not give it up, since the second still had it."""
    repository = Repository.init(tmp_path)
    spec = TensorSpec("F32", (4096,))
    rng = np.random.default_rng(0)
    values = [rng.normal(size=4096).astype(np.float32).tobytes() for _ in range(4)]
    commits: list[ObjectId] = []
    tensors: list[ObjectId] = []
    with repository.lock():
        for number, names in enumerate([(0, 1), (0, 2), (3,)]):
            with repository.odb.batch():
                tensors = [repository.odb.put_tensor(spec, value) for value in values]
                entries = tuple(TensorEntry(f"{one}", tensors[one], spec, "weight") for one in names)
                file = FileEntry("", "opaque", 0, "0" * 64, repository.put(Skeleton(0, (), b"")), entries)
                commits.append(repository.put(Commit(repository.put(Manifest((file,))), f"{number}", "t", "a")))
                made = repository.propose(command="commit", author="a", commits=commits[-1:])
            repository.accept(made)
        for commit_id, lost in ((commits[0], [tensors[1]]), (commits[1], [tensors[0], tensors[2]])):
            with repository.odb.batch():
                memory = Memory(commit_id, "2024-01-01", "a test", dict.fromkeys(lost), {}, {}, 0.0)
                made = repository.propose(
                    command="gc --keep", author="a", settings={f"gone:{commit_id}": repository.put(memory)}
                )
            repository.accept(made)
            collect(repository)
            assert check_repository(repository).findings == ()
    assert [repository.odb.contains(one) for one in tensors] == [False, False, False, True]
