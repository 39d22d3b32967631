"""One writer at a time, whoever died holding the lock (rows 31 and 32 of the reliability table)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mvc.errors import BusyError
from mvc.repository import Repository, check_repository
from mvc.repository.config import LockConfig
from mvc.repository.locks import process_start
from mvc.storage import FileSystem
from mvc.testing.commits import add_commit

COMMITTER = """
import sys
from mvc.errors import BusyError
from mvc.repository import Repository
from mvc.testing.commits import add_commit

repository = Repository.open(sys.argv[1])
for seed in range(int(sys.argv[2]), int(sys.argv[3])):
    print(add_commit(repository, seed), flush=True)
"""
HOLDER = """
import sys, time
from mvc.repository import Repository

with Repository.open(sys.argv[1]).lock(command="a long commit"):
    print("held", flush=True)
    time.sleep(600)
"""

PASSING = """
import sys, time
from pathlib import Path
from mvc.repository import Repository

repository = Repository.open(sys.argv[1])
print("ready", flush=True)
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.01)
with repository.lock(command="a short one " + sys.argv[2]):
    time.sleep(1.5)
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.init(tmp_path)


def record(repository: Repository) -> Path:
    return repository.layout.locks / "holder.json"


def leave_record(repository: Repository, **changes: object) -> None:
    mine = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "start": process_start(os.getpid()),
        "command": "commit",
        "token": "0" * 16,
    }
    record(repository).write_text(json.dumps(mine | changes))


def test_the_holder_is_named_and_the_record_goes_with_the_lock(repository: Repository) -> None:
    with repository.lock(command="a long commit"):
        assert record(repository).exists()
        with repository.lock():
            pass
        assert record(repository).exists()
        with pytest.raises(BusyError, match=f"process {os.getpid()} on .* \\(a long commit\\)") as caught:
            add = Repository.open(repository.root)
            with add.lock(timeout=0.1):
                pass
        assert caught.value.hint
    assert not record(repository).exists()
    add_commit(repository, 1)


def test_a_wait_is_told_and_lasts_as_long_as_holders_change(repository: Repository) -> None:
    told: list[str] = []
    holders = [
        subprocess.Popen([sys.executable, "-c", PASSING, str(repository.root), str(n)], stdout=subprocess.PIPE)
        for n in range(4)
    ]
    for process in holders:
        assert process.stdout is not None
        process.stdout.readline()
    (repository.root / "go").touch()
    while not record(repository).exists():
        time.sleep(0.02)
    waiter = Repository.open(repository.root)
    waiter.config = replace(waiter.config, lock=LockConfig(timeout=5.0))
    waiter.waiting = lambda holder, seconds: told.append(f"{holder} {seconds:g}")
    with waiter.lock():  # four holders of 1.5 s each, one after the other: longer than one wait in all
        pass
    assert told and all("a short one" in line and line.endswith(" 5") for line in told)
    for process in holders:
        process.communicate()
        assert process.returncode == 0


def test_readers_take_no_lock(repository: Repository) -> None:
    commit = add_commit(repository, 1)
    with repository.lock():
        reader = Repository.open(repository.root)
        assert reader.state().commits == (commit,)
        reader.checkpoint(commit).read("layer.0")
        assert check_repository(reader).ok


def test_the_lock_of_a_killed_process_is_free_at_once(repository: Repository) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(repository.root)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(BusyError, match=f"process {holder.pid} "), repository.lock(timeout=0.05):
                pass
        finally:
            holder.kill()
    assert record(repository).exists()
    with repository.lock(timeout=0):
        add_commit(repository, 1)


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_record_of_a_dead_process_is_taken_over(repository: Repository) -> None:
    leave_record(repository, pid=dead_pid(), start="")
    add_commit(repository, 1)


def test_a_record_whose_pid_was_reused_is_taken_over(repository: Repository) -> None:
    leave_record(repository, pid=os.getppid(), start="another boot:1")
    add_commit(repository, 1)


def test_a_record_of_a_living_process_is_respected(repository: Repository) -> None:
    leave_record(repository, pid=os.getppid(), start=process_start(os.getppid()))
    with pytest.raises(BusyError, match=f"process {os.getppid()} "):
        add_commit(repository, 1)
    assert record(repository).exists()


def test_a_record_of_another_host_is_respected_and_the_hint_names_the_file(repository: Repository) -> None:
    leave_record(repository, host="elsewhere.example")
    with pytest.raises(BusyError, match=r"elsewhere\.example") as caught:
        add_commit(repository, 1)
    assert str(record(repository)) in caught.value.hint
    record(repository).unlink()
    add_commit(repository, 1)


def test_a_lock_whose_file_was_deleted_still_protects_its_holder(repository: Repository) -> None:
    with repository.lock():
        (repository.layout.locks / "write.lock").unlink()
        with pytest.raises(BusyError):
            add_commit(Repository.open(repository.root), 1)


def test_a_record_that_could_not_be_removed_is_taken_over_by_the_same_process(repository: Repository) -> None:
    class Stuck(FileSystem):
        def unlink(self, path: Path) -> None:
            if path.name == "holder.json":
                raise OSError(5, "stuck")
            super().unlink(path)

    add_commit(Repository.open(repository.root, fs=Stuck()), 1)
    assert record(repository).exists()
    add_commit(repository, 2)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": -1}', "\0" * 50, "[" * 9000])
def test_a_torn_record_hinders_nobody(repository: Repository, content: str) -> None:
    record(repository).write_text(content)
    add_commit(repository, 1)


def test_eight_committers_all_land(repository: Repository) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(repository.root), str(10 * n), str(10 * n + 4)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(8)
    ]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    state = Repository.open(repository.root).state()
    assert sorted(state.commits) == sorted(commit for output in outputs for commit in output)
    assert len(state.commits) == 32
    for output in outputs:
        assert [commit for commit in state.commits if commit in output] == output
    assert check_repository(repository).findings == ()


def kill_loop(root: Path, rounds: int) -> None:
    """kill -9 at arbitrary moments: what was acknowledged is there, what is there is whole."""
    repository = Repository.init(root)
    acknowledged: list[str] = []
    for n in range(rounds):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMITTER, str(root), str(600 * n), str(600 * n + 600)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        acknowledged.append(process.stdout.readline().strip())  # it is at work
        time.sleep(0.003 * (n % 12) + 0.0007 * n)
        process.kill()
        acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
        repository = Repository.open(root)
        commits = repository.state().commits
        assert [commit for commit in commits if commit in set(acknowledged)] == acknowledged
        assert len(commits) <= len(acknowledged) + n + 1
    report = check_repository(repository)
    assert report.ok, report.findings
    assert check_repository(repository, repair=True).ok
    assert not [finding for finding in check_repository(repository).findings if finding.code == "leftover"]
    add_commit(repository, 99_999)


def test_kill_at_any_point(tmp_path: Path) -> None:
    kill_loop(tmp_path, 20)


@pytest.mark.slow
def test_kill_at_many_points(tmp_path: Path) -> None:
    kill_loop(tmp_path, 40)
