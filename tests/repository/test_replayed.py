"""The state that is kept is the one that the operations add up to, or it is not used."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from mvc.errors import IntegrityError
from mvc.objects import ObjectId, Operation
from mvc.porcelain.fsck import fsck
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, State, replayed
from mvc.testing.commits import add_commit
from mvc.testing.faults import Crash, FaultyFileSystem, PowerLossFileSystem


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replayed, "INTERVAL", 3)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository.init(tmp_path / "work")
    for seed in range(3):
        add_commit(repository, seed, **{f"t{seed}": "here"})
    return repository


def reads(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> list[ObjectId]:
    """Ids of the operations that are read from here on."""
    read: list[ObjectId] = []
    real = Operation.from_payload

    def counted(payload: bytes) -> Operation:
        operation = real(payload)
        read.append(operation.id)
        return operation

    monkeypatch.setattr(Operation, "from_payload", counted)
    return read


def full(repository: Repository) -> State:
    return repository.state_at(repository.head())


def reopened(repository: Repository) -> Repository:
    return Repository.open(repository.root)


def test_a_new_process_reads_only_what_came_since(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = add_commit(repository, 3)
    read = reads(repository, monkeypatch)
    state = reopened(repository).state()
    assert read == [repository.head()] and state.commits[-1] == newer
    assert state == full(repository)


def test_one_process_after_another_keeps_it_in_time(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads(repository, monkeypatch)
    for seed in range(3, 20):
        read.clear()
        add_commit(reopened(repository), seed, **{f"t{seed}": "here"})
        assert len(read) < 3
    assert reopened(repository).state() == full(repository)


def test_the_same_state_after_undo_tags_and_settings(repository: Repository) -> None:
    def change(**asked: object) -> None:
        fresh = reopened(repository)
        with fresh.lock():
            fresh.append(command="c", author="a", **asked)  # type: ignore[arg-type]

    change(tags={"t0": None}, settings={"a": "1", "b": "2"})
    change(tags={"other": repository.state().commits[2]}, settings={"a": None})
    change(removed=repository.state().commits[2:])
    for _ in range(4):
        change(settings={"c": "3"})
        assert reopened(repository).state() == full(repository)
    assert len(full(repository).commits) == 2 and dict(full(repository).settings) == {"b": "2", "c": "3"}


@pytest.mark.parametrize("spoil", ["torn", "empty", "flipped", "digest of rubbish", "another version", "a directory"])
def test_what_cannot_be_believed_is_not_used(repository: Repository, spoil: str) -> None:
    file = repository.layout.replayed
    content = file.read_bytes()
    file.unlink()
    if spoil == "a directory":
        file.mkdir()
    else:
        other = content.partition(b"\n")[2].replace(b'"version":"1"', b'"version":"0"')
        file.write_bytes(
            {
                "torn": content[: len(content) // 2],
                "empty": b"",
                "flipped": content[:-90] + bytes([content[-90] ^ 1]) + content[-89:],
                "digest of rubbish": replayed._digest(b'{"head":3}') + b'\n{"head":3}',
                "another version": replayed._digest(other) + b"\n" + other,
            }[spoil]
        )
    for seed in range(3, 7):
        add_commit(reopened(repository), seed)
    assert reopened(repository).state() == full(repository) and len(full(repository).commits) == 7


def test_the_state_of_another_repository_is_not_used(repository: Repository, tmp_path: Path) -> None:
    other = Repository.init(tmp_path / "other")
    for seed in range(10, 13):
        add_commit(other, seed)
    shutil.copy(other.layout.replayed, repository.layout.replayed)
    assert reopened(repository).state() == full(repository)


def test_a_state_that_is_ahead_is_not_used(repository: Repository, tmp_path: Path) -> None:
    """As after a backup was brought back without its index."""
    before = repository.head()
    for seed in range(3, 6):
        add_commit(repository, seed)
    (repository.directory / "HEAD").write_text(f"{before}\n")
    assert reopened(repository).state() == full(repository) and len(full(repository).commits) == 3


def test_joined_histories_are_replayed_whole(repository: Repository) -> None:
    """A state of the first parent's side says nothing of the other's."""
    base = repository.head()
    assert base is not None
    with repository.lock():
        add_commit(repository, 3)
        ours = repository.head()
        assert ours is not None
        theirs = Operation((base,), "2024-01-01T00:00:00.000000+00:00", "a", "c", settings={"side": "theirs"})
        joined = Operation((ours, theirs.id), theirs.time, "a", "join")
        for operation in (theirs, joined):
            repository.odb.put("operation", operation.to_payload())
        (repository.directory / "HEAD").write_text(f"{joined.id}\n")
    state = reopened(repository).state()
    assert state == full(repository) and state.settings == {"side": "theirs"} and len(state.commits) == 4
    add_commit(reopened(repository), 5)
    add_commit(reopened(repository), 6)
    assert reopened(repository).state() == full(repository)


def test_stopped_or_without_power_anywhere_while_it_is_kept(repository: Repository, tmp_path: Path) -> None:
    add_commit(repository, 3)
    add_commit(repository, 4)  # the next one keeps the state
    counted = FaultyFileSystem()
    shutil.copytree(repository.root, tmp_path / "counted")
    add_commit(Repository.open(tmp_path / "counted", fs=counted), 5)
    for n in range(len(counted.operations) + 1):
        root = tmp_path / f"{n}"
        shutil.copytree(repository.root, root)
        lossy = PowerLossFileSystem(root, fail_at=n)
        stopped = n < len(counted.operations)
        try:
            add_commit(Repository.open(root, fs=lossy), 5)
            assert not stopped
        except Crash:
            assert stopped
        after = tmp_path / f"after{n}"
        lossy.power_loss(after, random.Random(n))
        for place in (root, after):
            found = Repository.open(place)
            assert found.state() == full(found) and len(found.state().commits) >= (5 if stopped else 6)
            add_commit(found, 6)
            assert Repository.open(place).state() == full(found)
        shutil.rmtree(root)


def test_a_disk_that_refuses_it_takes_nothing_back(repository: Repository) -> None:
    shutil.rmtree(repository.layout.replayed.parent)
    for seed in range(3, 7):
        add_commit(reopened(repository), seed)
    assert len(reopened(repository).state().commits) == 7


def test_fsck_replays_and_reindex_throws_it_away(repository: Repository) -> None:
    """A state that lies, with a digest that is right: nobody's accident."""
    state = repository.state()
    lie = State(state.head, state.commits[:1], state.tags, state.settings)
    Workspace.of(repository).look_up(lambda reader: None)
    repository.layout.replayed.write_bytes(b"".join(replayed._packed(lie)))
    assert len(reopened(repository).state().commits) == 1
    result = fsck(Workspace.of(reopened(repository)))
    assert not result.ok and [item.code for item in result.findings] == ["index-stale"]
    assert fsck(Workspace.of(reopened(repository)), repair=True).ok
    assert reopened(repository).state() == state
    assert fsck(Workspace.of(reopened(repository))).ok


def test_a_damaged_operation_is_found_whatever_was_kept(repository: Repository) -> None:
    first = list(repository.operations())[-1].id
    (repository.directory / repository.odb.key_of(first)).unlink()
    assert len(reopened(repository).state().commits) == 3
    with pytest.raises(IntegrityError):
        full(reopened(repository))
    assert not fsck(Workspace.of(reopened(repository))).ok
