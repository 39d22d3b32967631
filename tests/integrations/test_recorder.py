"""`mvc.Recorder`: what a training loop relies on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import mvc
from mvc.errors import BusyError, NotFoundError
from mvc.integrations.loops import committer
from mvc.integrations.loops.errands import Errand, Outcome
from mvc.integrations.loops.surroundings import numbers, tracked_runs
from mvc.porcelain.stamps import stamp_of
from mvc.porcelain.workspace import Workspace


def arrays(value: float) -> dict[str, np.ndarray]:
    return {"w": np.linspace(value, 1, 256, dtype=np.float32).reshape(16, 16), "b": np.full(16, value, np.float32)}


@pytest.fixture
def repo(tmp_path: Path) -> mvc.Repository:
    return mvc.Repository.init(tmp_path)


def scratch_of(repo: mvc.Repository) -> list[Path]:
    return [path for path in (repo.path / ".mvc" / "scratch").rglob("*") if path.is_file()]


def test_a_training(repo: mvc.Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Everything that one loop does: state dicts that change afterwards, files, directories, files that are deleted,
    and what cannot be committed, in one process."""
    state = arrays(1)
    with mvc.Recorder(repo, run="toy") as recorder:
        recorder.commit(state, step=1, metrics={"loss": np.float32(0.5), "accuracy": float("nan"), "note": "x"})
        state["w"] += 1
        recorder.commit(state, step=2)
        save_file(arrays(3), tmp_path / "3.safetensors")
        recorder.commit(tmp_path / "3.safetensors", step=3, extra={"seed": 7}, message="third")
        save_file(arrays(4), tmp_path / "4.safetensors")
        recorder.commit(tmp_path / "4.safetensors", step=4, keep=True)
        (tmp_path / "4.safetensors").unlink()
        recorder.commit(tmp_path / "nothing.safetensors", step=5)
        recorder.commit(tmp_path / "nothing either.safetensors", step=5)
        recorder.commit({"w": "text"}, step=6)
        (tmp_path / "bad.safetensors").write_bytes(b"\0" * 64)
        recorder.commit(tmp_path / "bad.safetensors", step=7)
        assert recorder.flush()
    (lineage,) = repo.log()
    assert lineage.name == "toy"
    steps = {commit.step: commit for commit in lineage.commits}
    assert [*steps] == [1, 2, 3, 4]
    assert [commit.path for commit in lineage.commits] == [
        "toy/step-1.safetensors",
        "toy/step-2.safetensors",
        "3.safetensors",
        "4.safetensors",
    ]
    first, third = repo.show(steps[1].id).facts, repo.show(steps[3].id).facts
    assert first["metrics"] == {"loss": 0.5} and first["extra"]["accuracy"] == "nan"
    assert third["extra"]["seed"] == "7" and third["message"] == "third"
    assert np.array_equal(repo.load(steps[1].id)["w"], arrays(1)["w"])
    assert np.array_equal(repo.load(steps[2].id)["w"], arrays(1)["w"] + 1)
    assert {item.commit for item in recorder.recorded if item.commit} == {commit.id for commit in lineage.commits}
    assert [item.step for item in recorder.failures] == [5, 5, 6, 7]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3 + 1 and "4 of 8" in told[-1]  # one for each reason, and the sum
    assert scratch_of(repo) == []
    recorder.commit(arrays(9), step=9)  # too late
    assert recorder.failures[-1].error == "the recorder is closed"


def test_without_a_repository_it_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        mvc.Recorder(tmp_path / "nowhere")


def test_a_process_that_dies_takes_its_errands_along_and_no_more(
    repo: mvc.Repository, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mvc.Recorder(repo) as recorder:
        recorder.commit(arrays(1), step=1)
        assert recorder._courier._child is not None
        recorder._courier._child.process.kill()
        assert recorder.flush()
        recorder.commit(arrays(2), step=2)
    assert [item.step for item in recorder.failures] == [1]
    assert scratch_of(repo) == []
    assert "ended with -9" in recorder.failures[0].error
    assert [commit.step for commit in repo.log()[0].commits] == [2]


def test_what_cannot_be_handed_over_leaves_nothing(repo: mvc.Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    with mvc.Recorder(repo) as recorder:
        recorder.commit(arrays(1), step=1, extra=["seed"])  # type: ignore[arg-type]
        monkeypatch.setattr(sys, "executable", "/no/python")
        recorder.commit(arrays(2), step=2)
    assert [item.step for item in recorder.failures] == [1, 2] and scratch_of(repo) == []


def test_a_process_that_a_fork_still_holds_on_to_ends(repo: mvc.Repository) -> None:
    with mvc.Recorder(repo) as recorder:
        recorder.commit(arrays(1), step=1)
        assert recorder._courier._child is not None
        process = recorder._courier._child.process
        child = os.fork()
        if child == 0:  # as a worker of a data loader
            time.sleep(600)
            os._exit(0)
    try:
        assert process.wait(60) == 0
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


_TRAINING = """
import os, sys, time
import numpy as np
import mvc
recorder = mvc.Recorder(sys.argv[1], patience=float(sys.argv[2]), room=8)
for step in range(3):
    recorder.commit({"w": np.full((8, 8), step, np.float32)}, step=step)
print("handed", flush=True)
how = sys.argv[3]
if how == "killed":
    os.kill(os.getpid(), 9)
if how == "raised":
    raise KeyboardInterrupt
if how == "forked":
    if os.fork() == 0:
        recorder.commit({"w": np.full((8, 8), 9, np.float32)}, step=9)
        recorder.close()
        sys.exit()
    os.wait()
"""


@pytest.mark.parametrize(
    ("how", "patience", "code"),
    [
        ("killed", "0", -signal.SIGKILL),
        pytest.param("ended", "600", 0, marks=pytest.mark.slow),
        pytest.param("ended", "0", 0, marks=pytest.mark.slow),
        pytest.param("raised", "600", -signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("forked", "600", 0, marks=pytest.mark.slow),
    ],
)
def test_what_was_handed_over_is_committed_however_the_training_ends(
    how: str, patience: str, code: int, repo: mvc.Repository
) -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(mvc.__file__).parents[1])}
    command = [sys.executable, "-c", _TRAINING, str(repo.path), patience, how]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (code, 130 if code == -signal.SIGINT else code), done.stderr
    assert done.stdout == "handed\n"
    assert ("still being committed" in done.stderr) == (patience == "0" and how == "ended")
    for _ in range(1200):
        if sum(len(lineage.commits) for lineage in repo.log()) == 3 and not scratch_of(repo):
            break
        time.sleep(0.1)
    assert sorted(commit.step or 0 for lineage in repo.log() for commit in lineage.commits) == [0, 1, 2]
    assert scratch_of(repo) == []


# what the committing process does with one errand, in this one


@pytest.fixture
def carried(repo: mvc.Repository) -> Iterator[tuple[Path, Workspace]]:
    committer._git_facts.cache_clear()
    yield repo.path, Workspace.open(repo.path)
    committer._git_facts.cache_clear()


def errand(path: Path, **told: object) -> Errand:
    return Errand(str(path), path.name, "2026-01-02T03:04:05+00:00", stamp_of(path), **told)  # type: ignore[arg-type]


def test_what_was_overwritten_is_not_committed_under_an_older_step(carried: tuple[Path, Workspace]) -> None:
    root, workspace = carried
    save_file(arrays(1), root / "last.safetensors")
    told = errand(root / "last.safetensors", step=1.0)
    save_file(arrays(2), root / "last.safetensors")
    outcome = committer.carry_out(workspace, Errand.from_line(told.to_line()))
    assert outcome.code == "overwritten" and outcome.commit is None and "keep=True" in outcome.hint


def test_what_other_ranks_add_meanwhile_is_no_change(carried: tuple[Path, Workspace]) -> None:
    root, workspace = carried
    home = root / "checkpoint-3"
    home.mkdir()
    save_file(arrays(1), home / "model.safetensors")
    (home / "trainer_state.json").write_text('{"global_step": 3}')
    told = errand(home)
    (home / "rng_state_1.pth").write_bytes(b"late")
    assert committer.carry_out(workspace, told).commit is not None


def test_the_git_commit_is_a_fact(
    carried: tuple[Path, Workspace], git: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, workspace = carried
    git("init", "-q", cwd=root)  # type: ignore[operator]
    (root / "train.py").write_text("1")
    git("add", "train.py", cwd=root)  # type: ignore[operator]
    git("commit", "-qm", "x", cwd=root)  # type: ignore[operator]
    head = git("rev-parse", "HEAD", cwd=root).strip()  # type: ignore[operator]
    monkeypatch.chdir(root)
    for name in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for text, dirty in (("1", "no"), ("2", "yes")):
        (root / "train.py").write_text(text)
        committer._git_facts.cache_clear()
        save_file(arrays(float(text)), root / f"{text}.safetensors")
        outcome = committer.carry_out(workspace, errand(root / f"{text}.safetensors"))
        facts = workspace.repository.commit(outcome.commit)  # type: ignore[arg-type]
        assert facts.extra == {"git": head, "git-dirty": dirty}
        assert facts.time == "2026-01-02T03:04:05.000000+00:00"


def test_a_busy_repository_is_asked_again(carried: tuple[Path, Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    root, workspace = carried
    save_file(arrays(1), root / "a.safetensors")
    told, commit, refusals = errand(root / "a.safetensors"), committer.commit, [3]

    def busy(*args: object, **options: object) -> object:
        refusals[0] -= 1
        if refusals[0] >= 0:
            raise BusyError("the repository is locked")
        return commit(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(committer, "commit", busy)
    assert committer.carry_out(workspace, told).commit is not None
    refusals[0] = 1000
    assert committer.carry_out(workspace, told).code == "busy"


def test_a_defect_is_an_outcome(carried: tuple[Path, Workspace], monkeypatch: pytest.MonkeyPatch) -> None:
    root, workspace = carried
    save_file(arrays(1), root / "a.safetensors")
    told = errand(root / "a.safetensors")
    monkeypatch.setattr(committer, "commit", lambda *_args, **_options: 1 / 0)
    outcome = committer.carry_out(workspace, told)
    assert (outcome.code, outcome.error) == ("defect", "ZeroDivisionError: division by zero")


def test_a_full_disk_is_an_outcome_and_takes_no_scratch(
    carried: tuple[Path, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, workspace = carried
    slot = root / "slot"
    slot.mkdir()
    save_file(arrays(1), slot / "a.safetensors")

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = committer.carry_out(workspace, errand(slot / "a.safetensors", scratch=str(slot)))
    assert outcome.commit is None and outcome.code == "storage" and not slot.exists()
    assert Outcome.from_line(outcome.to_line()) == outcome


def test_metrics_are_what_is_a_finite_number() -> None:
    torch = pytest.importorskip("torch")
    metrics = {"a": 1, "b": torch.tensor(2.0), "c": np.float64(3), "d": float("inf"), "e": "text", "f": None, "g": [1]}
    assert numbers(metrics) == ({"a": 1.0, "b": 2.0, "c": 3.0}, {"d": "inf"})


class _Fake:
    """Whatever one asks it for."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


def test_runs_of_trackers_that_are_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_RUN_ID", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("wandb", "mlflow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert tracked_runs() == {} and "wandb" not in sys.modules
    monkeypatch.setenv("WANDB_RUN_ID", "from-outside")
    assert tracked_runs() == {"wandb": "from-outside"}
    monkeypatch.setitem(sys.modules, "wandb", _Fake(run=_Fake(id="abc")))  # type: ignore[arg-type]
    active = _Fake(info=_Fake(run_id="0f"))
    monkeypatch.setitem(sys.modules, "mlflow", _Fake(active_run=lambda: active))  # type: ignore[arg-type]
    assert tracked_runs() == {"wandb": "abc", "mlflow": "0f"}
    monkeypatch.setitem(sys.modules, "wandb", _Fake(run=None))  # type: ignore[arg-type]
    monkeypatch.delenv("WANDB_RUN_ID")
    assert tracked_runs() == {"mlflow": "0f"}


def test_tied_and_odd_torch_tensors(repo: mvc.Repository, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    states = pytest.importorskip("mvc.integrations.loops.states")
    weight = torch.randn(6, 4)
    state = {"a": weight, "tied": weight, "turned": weight.t(), "half": weight.to(torch.bfloat16), "n": torch.tensor(3)}
    states.write_state(state, tmp_path / "s.safetensors")
    repo.commit(tmp_path / "s.safetensors")
    loaded = repo.load(torch=True)
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_it_imports_nothing_heavy_into_the_training() -> None:
    heavy = "{'torch', 'scipy', 'sklearn', 'sqlalchemy', 'git'}"
    code = f"import sys, mvc; mvc.Recorder; print(sorted({heavy} & set(sys.modules)))"
    env = {**os.environ, "PYTHONPATH": str(Path(mvc.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
