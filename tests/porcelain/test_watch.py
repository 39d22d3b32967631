"""`mvc watch`: what becomes of checkpoints that come to rest, go away, or cannot be committed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.errors import BusyError, InputError
from mvc.porcelain import intake
from mvc.porcelain import watch as module
from mvc.porcelain.facade import Repository
from mvc.porcelain.results.watching import WatchResult
from mvc.porcelain.watch import watch
from mvc.porcelain.workspace import Workspace


class Life:
    """A clock that goes on when the watch sleeps, and what happens meanwhile: one event for each sleep."""

    def __init__(self, *events: Callable[[], object]) -> None:
        self.now, self.events = 0.0, list(events)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if not self.events:
            raise StopIteration
        self.events.pop(0)()

    def watch(self, place: Path, **options: object) -> Iterator[WatchResult]:
        workspace = Workspace.open(place)
        results = watch(workspace, place, clock=lambda: self.now, sleep=self.sleep, **options)  # type: ignore[arg-type]
        try:
            yield from results
        except RuntimeError as end:  # a StopIteration within a generator
            assert isinstance(end.__cause__, StopIteration)


def nothing() -> None: ...


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Repository.init(tmp_path)
    return tmp_path


def put(path: Path, value: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.linspace(value, 1, 64, dtype=np.float32)}, str(path))


def test_each_is_committed_once_it_rests_and_again_when_it_changed(place: Path) -> None:
    file = place / "last.safetensors"
    life = Life(lambda: put(file, 2), nothing, nothing, nothing, lambda: put(file, 3), nothing, nothing, nothing)
    results = list(life.watch(place, interval=5, settle=10, run="a"))
    assert [[row.path for row in result.commits] for result in results] == [["last.safetensors"]] * 2
    facts = Repository.open(place).show("HEAD").facts
    assert facts["run"] == "a"


def test_one_that_cannot_be_read_does_not_keep_the_others_out_and_is_told_once(place: Path) -> None:
    put(place / "good.safetensors", 1)
    content = (place / "good.safetensors").read_bytes()
    (place / "cut.safetensors").write_bytes(content[:-7])
    results = list(Life(*[nothing] * 9).watch(place, interval=5, settle=10))
    assert [row.path for result in results for row in result.commits] == ["good.safetensors"]
    failed = [item for result in results for item in result.failed]
    assert [Path(item.path).name for item in failed] == ["cut.safetensors"] and failed[0].reason


def test_what_is_rotated_away_is_no_failure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place / "a" / "model.safetensors", 1)
    commit = module.commit

    def late(*args: object, **options: object) -> object:
        shutil.rmtree(place / "a", ignore_errors=True)
        return commit(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "commit", late)
    assert list(Life(*[nothing] * 5).watch(place, interval=5, settle=10)) == []


def test_what_is_rotated_away_while_it_is_read_is_no_failure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place / "a" / "model.safetensors", 1)
    take = intake.Intake._take_file

    def late(*args: Any) -> Any:
        shutil.rmtree(place / "a", ignore_errors=True)
        return take(*args)

    monkeypatch.setattr(intake.Intake, "_take_file", late)
    assert list(Life(*[nothing] * 5).watch(place, interval=5, settle=10)) == []


def test_what_is_rotated_away_before_it_is_looked_into_is_no_failure(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(place / "a.safetensors", 1)
    holds = module.holds_weights

    def late(path: Path) -> bool:
        path.unlink(missing_ok=True)
        return holds(path)

    monkeypatch.setattr(module, "holds_weights", late)
    assert list(Life(*[nothing] * 5).watch(place, interval=5, settle=10)) == []


def test_a_busy_repository_is_asked_again_and_told_of_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place / "a.safetensors", 1)
    commit, refusals = module.commit, [3]

    def busy(*args: object, **options: object) -> object:
        refusals[0] -= 1
        if refusals[0] >= 0:
            raise BusyError("the repository is locked")
        return commit(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "commit", busy)
    results = list(Life(*[nothing] * 8).watch(place, interval=5, settle=0))
    assert [result.warnings for result in results] == [("nothing is committed for now: the repository is locked",), ()]
    assert len(results[1].commits) == 1


def test_an_optimizers_state_alone_is_no_model(place: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}, place / "optimizer.pt")
    put(place / "a.safetensors", 1)
    (result,) = Life(nothing, nothing).watch(place, once=True, settle=1, interval=5)
    assert [row.path for row in result.commits] == ["a.safetensors"]


def test_once_ends_and_says_what_is_waiting(place: Path) -> None:
    put(place / "a.safetensors", 1)
    life = Life(lambda: put(place / "late.safetensors", 2))
    (result,) = life.watch(place, once=True, settle=10, interval=100)
    assert [row.path for row in result.commits] == ["a.safetensors"]
    assert [Path(item.path).name for item in result.waiting] == ["late.safetensors"] and life.now == 10
    (again,) = Life(nothing).watch(place, once=True, settle=10, interval=100)
    assert [row.path for row in again.commits] == ["late.safetensors"]


def test_what_the_last_look_could_not_commit_has_failed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(place / "a.safetensors", 1)

    def busy(*args: object, **options: object) -> object:
        raise BusyError("the repository is locked")

    monkeypatch.setattr(module, "commit", busy)
    *_, result = Life(nothing, nothing).watch(place, once=True, settle=0, interval=5)
    assert [(Path(item.path).name, item.reason) for item in result.failed] == [
        ("a.safetensors", "the repository is locked")
    ]


def test_a_directory_that_goes_away_is_told_of_once(place: Path) -> None:
    home = place / "out"
    put(home / "a.safetensors", 1)
    life = Life(nothing, lambda: shutil.rmtree(home), nothing, nothing)
    warnings = [text for result in life.watch(home, interval=5, settle=0) for text in result.warnings]
    assert warnings == ["cannot look: No such file or directory"]


def test_what_is_no_directory_is_refused(place: Path) -> None:
    with pytest.raises(InputError):
        list(watch(Workspace.open(place), place / "nowhere"))
