"""`mvc.Recorder` where something is wrong beside the training: it goes on, and says so."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import mvc
from mvc.integrations.loops import courier


@pytest.fixture
def repo(tmp_path: Path) -> mvc.Repository:
    return mvc.Repository.init(tmp_path)


def arrays(value: float) -> dict[str, np.ndarray]:
    return {"w": np.linspace(value, 1, 256, dtype=np.float32).reshape(16, 16)}


def steps(repo: mvc.Repository) -> list[float | None]:
    return sorted((commit.step for lineage in repo.log() for commit in lineage.commits), key=lambda step: step or 0)


def test_a_process_that_hangs_holds_nobody_up(repo: mvc.Repository, caplog: pytest.LogCaptureFixture) -> None:
    recorder = mvc.Recorder(repo, patience=0.2, room=2)
    recorder.commit(arrays(0), step=0)
    assert recorder.flush(60) and recorder._courier._child is not None
    process = recorder._courier._child.process
    os.kill(process.pid, signal.SIGSTOP)
    waits = []
    try:
        for step in range(1, 100):  # more than there are names for scratch directories, were these used in turn
            before = time.monotonic()
            recorder.commit(arrays(step), step=step)
            waits.append(time.monotonic() - before)
        recorder.close()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert sum(wait >= 0.2 for wait in waits[2:]) == 1, "waited again though nothing had moved"
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3 and "there is no room" in told[0] and f"by process {process.pid}" in told[1]
    assert "97 of 100" in told[2]
    process.wait(60)
    assert steps(repo) == [0, 1, 2], "what had been handed over is committed when it goes on"


def test_it_goes_on_when_the_process_does(repo: mvc.Repository) -> None:
    with mvc.Recorder(repo, patience=0.05, room=1) as recorder:
        recorder.commit(arrays(0), step=0)
        assert recorder.flush(60) and recorder._courier._child is not None
        process = recorder._courier._child.process
        os.kill(process.pid, signal.SIGSTOP)
        try:
            recorder.commit(arrays(1), step=1)
            recorder.commit(arrays(2), step=2)
        finally:
            os.kill(process.pid, signal.SIGCONT)
        assert recorder.flush(60)
        recorder.commit(arrays(3), step=3)
        assert recorder.flush(60)
    assert steps(repo) == [0, 1, 3]


def test_what_fills_the_pipe_waits_for_no_reader(repo: mvc.Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are longer than a pipe holds."""
    monkeypatch.setattr(courier, "_WRITTEN", 0.1)
    recorder = mvc.Recorder(repo, patience=0.2, room=8)
    recorder.commit(arrays(0), step=0)
    assert recorder.flush(60) and recorder._courier._child is not None
    process = recorder._courier._child.process
    os.kill(process.pid, signal.SIGSTOP)
    try:
        for step in range(1, 4):
            recorder.commit(arrays(step), step=step, extra={"note": "x" * (1 << 17)})
        recorder.close()
    finally:
        os.kill(process.pid, signal.SIGCONT)
    process.wait(60)
    assert steps(repo) == [0, 1, 2, 3]


def test_a_repository_that_goes_away(repo: mvc.Repository, caplog: pytest.LogCaptureFixture) -> None:
    with mvc.Recorder(repo) as recorder:
        recorder.commit(arrays(0), step=0)
        assert recorder.flush(60)
        shutil.rmtree(repo.path / ".mvc")
        recorder.commit(arrays(1), step=1)
        assert recorder.flush(60) and list(repo.path.iterdir()) == [], "half a repository is back"
        again = mvc.Repository.init(repo.path)
        recorder.commit(arrays(2), step=2)
    assert [item.step for item in recorder.failures] == [1]
    assert "is gone" in caplog.records[0].getMessage()
    assert steps(again) == [2]


def test_two_recorders_on_one_repository(repo: mvc.Repository) -> None:
    with mvc.Recorder(repo, run="a") as first, mvc.Recorder(repo, run="b") as second:
        for step in range(4):
            first.commit(arrays(step), step=step)
            second.commit(arrays(-step - 1), step=step)
    assert first.failures == [] == second.failures
    assert {row.name: [commit.step for commit in row.commits] for row in repo.log()} == {
        "a": [0, 1, 2, 3],
        "b": [0, 1, 2, 3],
    }


def test_a_fork_says_that_it_commits_nothing(repo: mvc.Repository, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    with mvc.Recorder(repo) as recorder:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException):
                recorder._warn = lambda code, words: seen.write_text(f"{code}: {words}")  # type: ignore[method-assign]
                recorder.commit(arrays(0), step=0)
                recorder.flush()
                recorder.close()
            os._exit(0)
        os.waitpid(child, 0)
        recorder.commit(arrays(1), step=1)
    assert f"process {os.getpid()}" in seen.read_text() and steps(repo) == [1]


def test_it_cannot_be_sent_to_another_process(repo: mvc.Repository) -> None:
    with mvc.Recorder(repo) as recorder, pytest.raises(TypeError, match="of rank 0"):
        pickle.dumps(recorder)


def _train(root: str) -> None:
    with mvc.Recorder(root) as recorder:
        recorder.commit(arrays(int(os.environ["RANK"])), step=1)


@pytest.mark.slow
def test_processes_that_are_spawned(repo: mvc.Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `torch.multiprocessing.spawn` starts a training: each makes its own, and rank 0 commits."""
    spawn = multiprocessing.get_context("spawn")
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        process = spawn.Process(target=_train, args=(str(repo.path),))
        process.start()
        process.join(60)
        assert process.exitcode == 0
    assert [commit.step for row in repo.log() for commit in row.commits] == [1]


def test_other_ranks_commit_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    with mvc.Recorder(tmp_path / "not on this machine") as recorder:
        recorder.commit(arrays(0), step=0)
        assert recorder.flush()
    assert recorder.failures == [] == recorder.recorded and not list(tmp_path.iterdir())
