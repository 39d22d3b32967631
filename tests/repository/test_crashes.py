"""Whatever stops or fails wherever: the old state or the new one, and nothing damaged (rows 28 to 30)."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from mvc.errors import ExistsError, MvcError, NotFoundError, StorageError
from mvc.objects import ObjectId
from mvc.repository import Repository, State, check_repository
from mvc.storage import FileSystem
from mvc.testing.commits import TIME, add_commit, put_commit
from mvc.testing.faults import DISK_ERRORS, Crash, FaultyFileSystem, PowerLossFileSystem


def change(root: Path, fs: FileSystem) -> State:
    """Two commits and a tag in one operation, after a repository has been opened."""
    repository = Repository.open(root, fs=fs)
    with repository.lock(command="commit"):
        with repository.odb.batch():
            commits = [put_commit(repository, seed, tensors=1, numel=8) for seed in (1, 2)]
            made = repository.propose(command="commit", author="t", commits=commits, tags={"v2": commits[1]}, time=TIME)
        repository.accept(made)
    return repository.state()


def prepared(root: Path) -> ObjectId:
    return add_commit(Repository.init(root), 0, v1="")


def check_old_or_new(root: Path, old: ObjectId) -> bool:
    """True for the new state. Fails for a mixture or for damage; then makes the change, which must succeed."""
    repository = Repository.open(root)
    state = repository.state()
    report = check_repository(repository)
    assert report.ok, report.findings
    for commit in state.commits:
        checkpoint = repository.checkpoint(commit)
        assert all(checkpoint.read(name) for name in checkpoint.specs)
    new = len(state.commits) == 3
    assert state.commits[0] == old
    assert len(state.commits) == (3 if new else 1)
    assert set(state.tags) == ({"v1", "v2"} if new else {"v1"})
    if not new:
        change(root, FileSystem())
    assert check_repository(repository, repair=True).ok
    assert {finding.code for finding in check_repository(repository).findings} <= {"unreachable"}
    return new


def operations(tmp_path: Path) -> int:
    root = tmp_path / "count"
    prepared(root)
    fs = FaultyFileSystem()
    change(root, fs)
    return len(fs.operations)


def test_a_process_that_stops_at_any_operation_of_a_change(tmp_path: Path) -> None:
    count = operations(tmp_path)
    assert count > 25
    outcomes = []
    for n in range(count):
        root = tmp_path / str(n)
        old = prepared(root)
        with pytest.raises(Crash):
            change(root, FaultyFileSystem(n))
        outcomes.append(check_old_or_new(root, old))
    assert outcomes == sorted(outcomes), "once the pointer has moved the change stands"
    assert outcomes.count(False) > 15
    assert outcomes[-1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("lasting", [False, True])
def test_a_disk_that_fails_at_any_operation_of_a_change(tmp_path: Path, number: int, lasting: bool) -> None:
    for n in range(operations(tmp_path)):
        root = tmp_path / str(n)
        old = prepared(root)
        try:
            change(root, FaultyFileSystem(n, error=number, lasting=lasting))
        except StorageError as error:
            assert error.hint
            check_old_or_new(root, old)
        else:  # only the record of who held the lock, which the next writer takes over
            assert check_old_or_new(root, old)


def test_a_full_disk_is_named_and_the_old_state_stands(tmp_path: Path) -> None:
    for number, words in zip(DISK_ERRORS, ("disk is full", "input/output", "read-only", "quota"), strict=True):
        root = tmp_path / str(number)
        old = prepared(root)
        with pytest.raises(StorageError, match=words):
            change(root, FaultyFileSystem(12, error=number))
        assert Repository.open(root).state().commits == (old,)


def test_power_loss_at_any_operation_of_a_change(tmp_path: Path) -> None:
    """Unsynced writes are dropped, torn or kept, at random: what was there stays, the change is all or nothing."""
    count = operations(tmp_path)
    outcomes = set()
    for n in range(count + 1):
        root = tmp_path / f"{n}"
        old = prepared(root)
        fs = PowerLossFileSystem(root, fail_at=n)
        try:
            change(root, fs)
        except Crash:
            acknowledged = False
        else:
            acknowledged = True
        for seed in range(3):
            after = tmp_path / f"{n}-{seed}"
            fs.power_loss(after, random.Random(1000 * n + seed))
            new = check_old_or_new(after, old)
            assert new or not acknowledged
            outcomes.add((acknowledged, new))
    assert outcomes == {(False, False), (False, True), (True, True)}


def test_power_loss_after_every_acknowledgement(tmp_path: Path) -> None:
    root = tmp_path / "work"
    Repository.init(root)
    fs = PowerLossFileSystem(root)
    repository = Repository.open(root, fs=fs)
    for n in range(6):
        add_commit(repository, n)
        after = tmp_path / f"after-{n}"
        fs.power_loss(after, random.Random(n))
        survivor = Repository.open(after)
        assert survivor.state() == repository.state()
        assert check_repository(survivor).ok


def test_the_model_of_power_loss_notices_a_missing_fsync(tmp_path: Path) -> None:
    """The tests above prove something: without fsync of files, or of directories, they fail."""

    class NoFileSync(PowerLossFileSystem):
        def fsync(self, descriptor: int) -> None:
            pass

    class NoDirectorySync(PowerLossFileSystem):
        def fsync_directory(self, path: Path) -> None:
            pass

    for kind in (NoFileSync, NoDirectorySync):
        root = tmp_path / kind.__name__
        old = prepared(root)
        fs = kind(root)
        change(root, fs)
        failures = 0
        for seed in range(12):
            after = tmp_path / f"{kind.__name__}-{seed}"
            fs.power_loss(after, random.Random(seed))
            try:
                failures += not check_old_or_new(after, old)
            except (AssertionError, MvcError):
                failures += 1
        assert failures, kind.__name__


def init_outcome(root: Path) -> bool:
    """Whether there is a repository; if so a whole one, and if not `init` makes it."""
    try:
        repository = Repository.open(root)
    except NotFoundError:
        Repository.init(root)
        return False
    with pytest.raises(ExistsError):
        Repository.init(root)
    assert repository.state() == State()
    assert repository.config == Repository.open(root).config
    assert check_repository(repository).findings == ()
    add_commit(repository, 1)
    return True


def test_init_stopped_or_failing_anywhere(tmp_path: Path) -> None:
    fs = FaultyFileSystem()
    Repository.init(tmp_path / "count", fs=fs)
    outcomes = []
    for n in range(len(fs.operations)):
        for name, faulty in {
            "stop": FaultyFileSystem(n),
            "fail": FaultyFileSystem(n, error=errno.ENOSPC),
            "full": FaultyFileSystem(n, error=errno.ENOSPC, lasting=True),
        }.items():
            root = tmp_path / f"{n}-{name}"
            with pytest.raises((Crash, StorageError)):
                Repository.init(root, fs=faulty)
            outcomes.append(init_outcome(root))
    assert outcomes.count(False) > 50


def test_power_loss_during_init(tmp_path: Path) -> None:
    fs = FaultyFileSystem()
    (tmp_path / "count").mkdir()
    Repository.init(tmp_path / "count", fs=fs)
    count = len(fs.operations)
    for n in range(count + 1):
        root = tmp_path / f"{n}"
        root.mkdir()
        lossy = PowerLossFileSystem(root, fail_at=n)
        try:
            Repository.init(root, fs=lossy)
        except Crash:
            pass
        else:
            assert n == count
        for seed in range(2):
            after = tmp_path / f"{n}-{seed}"
            lossy.power_loss(after, random.Random(1000 * n + seed))
            assert init_outcome(after) or n < count
