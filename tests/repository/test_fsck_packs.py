"""fsck reads packs: it names what is damaged in them, and gives one up only when the rest of it is safe (row 33)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvc.objects import ObjectId
from mvc.repository import Repository, check_repository
from mvc.storage import FileSystem
from mvc.testing.commits import TIME, add_commit, put_commit
from mvc.testing.faults import Crash, FaultyFileSystem


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository.init(tmp_path)
    for seed in range(3):
        add_commit(repository, seed)
    assert check_repository(repository).findings == ()
    assert list(repository.storage.list("objects/")) == []
    return repository


def pack_of(repository: Repository, object_id: ObjectId) -> Path:
    return repository.directory / repository.odb.key_of(object_id)


def a_tensor(repository: Repository) -> ObjectId:
    manifest = repository.manifest(repository.commit(repository.state().commits[1]).manifest)
    return manifest.files[0].tensors[0].object


def damage(path: Path, at: int) -> bytes:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.chmod(0o644)
    path.write_bytes(data)
    return bytes(data)


def inside(repository: Repository, object_id: ObjectId) -> int:
    """Where the last byte of a stored object lies in its pack."""
    pack = repository.odb.packs[repository.odb.key_of(object_id)]
    offset, length = pack.span(pack.ids().index(object_id))
    return offset + length - 1


def test_a_damaged_object_in_a_pack_is_named_and_its_neighbours_are_kept(repository: Repository) -> None:
    tensor, state = a_tensor(repository), repository.state()
    path = pack_of(repository, tensor)
    broken = damage(path, inside(repository, tensor))
    again = Repository.open(repository.root)
    report = check_repository(again)
    assert [(f.code, f.object, f.repaired) for f in report.findings] == [("damaged", tensor, False)]
    report = check_repository(again, repair=True)
    assert [(f.code, f.object, f.repaired) for f in report.findings] == [("damaged", tensor, False)]
    assert not path.exists()
    assert [kept.read_bytes() for kept in again.layout.quarantine.iterdir()] == [broken]
    after = Repository.open(repository.root)
    assert [(f.code, f.object) for f in check_repository(after).findings] == [("missing", tensor)]
    with after.lock(), after.odb.batch():
        put_commit(after, 1)
    assert check_repository(after).findings == ()
    assert after.state() == state


@pytest.mark.parametrize("at", [0, -1, -20, -60], ids=["head", "digest", "footer", "index"])
def test_a_pack_whose_trailer_is_damaged_is_named_and_all_of_it_comes_back(repository: Repository, at: int) -> None:
    tensor, state = a_tensor(repository), repository.state()
    path = pack_of(repository, tensor)
    broken = damage(path, at)
    key = path.relative_to(repository.directory).as_posix()
    again = Repository.open(repository.root)
    report = check_repository(again)
    assert not report.ok
    assert ("damaged", key, False) in [(f.code, f.object, f.repaired) for f in report.findings]
    assert tensor in {f.object for f in report.findings if f.code == "missing"} or len(report.findings) > 1
    report = check_repository(again, repair=True)
    [finding] = report.findings
    assert (finding.code, finding.object, finding.repaired) == ("damaged", key, True)
    assert "whole objects of it were brought back" in finding.message
    assert [kept.read_bytes() for kept in again.layout.quarantine.iterdir()] == [broken]
    after = Repository.open(repository.root)
    assert check_repository(after).findings == ()
    assert after.state() == state


def test_repair_stopped_anywhere_loses_nothing_that_is_whole(tmp_path: Path) -> None:
    for n in range(1000):
        root = tmp_path / str(n)
        repository = Repository.init(root)
        for seed in range(2):
            add_commit(repository, seed)
        tensor = a_tensor(repository)
        damage(pack_of(repository, tensor), inside(repository, tensor))
        try:
            check_repository(Repository.open(root, fs=FaultyFileSystem(n)), repair=True)
        except Crash:
            check_repository(Repository.open(root), repair=True)
        else:
            break
        after = Repository.open(root)
        assert {f.object for f in check_repository(after).findings if f.code != "unreachable"} == {tensor}
    assert n > 10


def test_strays_and_leftovers_among_packs(repository: Repository) -> None:
    packs = repository.directory / "packs"
    (packs / "notes.txt").write_bytes(b"mine")
    (packs / "tmp-1-2").write_bytes(b"half")
    report = check_repository(repository, repair=True)
    assert [(f.code, f.object) for f in report.findings] == [
        ("leftover", "packs/tmp-1-2"),
        ("stray", "packs/notes.txt"),
    ]
    assert check_repository(repository).findings == ()


def test_a_pack_of_a_newer_version_is_named_and_left_alone(repository: Repository) -> None:
    path = pack_of(repository, a_tensor(repository))
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:4] + b"\3" + data[5:])
    report = check_repository(Repository.open(repository.root), repair=True)
    assert [f.repaired for f in report.findings if f.object.startswith("packs/")] == [False]
    assert "version 3" in next(f.message for f in report.findings if f.object.startswith("packs/"))
    path.write_bytes(data)
    assert check_repository(Repository.open(repository.root)).ok


def test_an_upgraded_repository_has_its_old_objects_and_new_packs(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path)
    with repository.lock():
        commit = put_commit(repository, 5)  # loose, as format 1 had everything
        repository.append(command="commit", author="t", commits=[commit], time=TIME)
    add_commit(repository, 5, same="")
    add_commit(repository, 6)
    assert check_repository(Repository.open(tmp_path, fs=FileSystem())).findings == ()
    assert len(list(repository.storage.list("objects/"))) == 5
    assert len(repository.odb.packs) == 3
