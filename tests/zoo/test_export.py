"""Exported checkpoints: readable by safetensors, told apart only by the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mvc.errors import ExistsError, InputError
from mvc.testing.faults import Crash
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.demo import CHECKPOINTS, CNN, MLP, demo_population
from mvc.zoo.export import Run, export, runs_of
from mvc.zoo.train import Trainer, train_population


@pytest.fixture
def two_runs(small_card: Card, few_digits: Dataset) -> list[Run]:
    return runs_of(train_population(Trainer(small_card, few_digits, [0, 1]), 2), "small")


def flat(file: Path, card: Card) -> np.ndarray:
    tensors = load_file(file)
    assert {name: tensor.shape for name, tensor in tensors.items()} == dict(card.architecture.shapes())
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())
    return np.concatenate([tensors[name].ravel() for name in card.architecture.shapes()])


def test_named_files_hold_the_weights(tmp_path: Path, two_runs: list[Run], small_card: Card) -> None:
    truth = export(two_runs, tmp_path / "zoo", tmp_path / "truth.json")
    assert truth == json.loads((tmp_path / "truth.json").read_text())
    for run in two_runs:
        for number in range(3):
            file = tmp_path / "zoo" / run.name / f"checkpoint-{number:03d}.safetensors"
            assert np.array_equal(flat(file, small_card), run.weights[number].numpy())
            assert truth["files"][f"{run.name}/{file.name}"]["epoch"] == number


def test_anonymous_files_hold_the_weights_and_tell_nothing(
    tmp_path: Path, two_runs: list[Run], small_card: Card
) -> None:
    truth = export(two_runs, tmp_path / "zoo", tmp_path / "truth.json", anonymous=True)
    assert sorted(truth["files"]) == sorted(path.name for path in (tmp_path / "zoo").iterdir())
    by_name = {run.name: run for run in two_runs}
    for name, said in truth["files"].items():
        weights = by_name[said["run"]].weights[said["checkpoint"]].numpy()
        assert np.array_equal(flat(tmp_path / "zoo" / name, small_card), weights)
        assert b"small" not in (tmp_path / "zoo" / name).read_bytes()
    places = [(said["run"], said["checkpoint"]) for said in truth["files"].values()]
    assert places != sorted(places)


def test_export_spoils_nothing(tmp_path: Path, two_runs: list[Run]) -> None:
    with pytest.raises(InputError, match="among the checkpoints"):
        export(two_runs, tmp_path / "zoo", tmp_path / "zoo" / "truth.json")
    with pytest.raises(InputError, match="one name"):
        export([two_runs[0], two_runs[0]], tmp_path / "zoo", tmp_path / "truth.json")
    export(two_runs, tmp_path / "zoo", tmp_path / "truth.json")
    with pytest.raises(ExistsError):
        export(two_runs, tmp_path / "zoo", tmp_path / "truth.json")


def contents(directory: Path) -> dict[str, bytes]:
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


def test_an_export_killed_at_every_write_is_gone_on_with(
    tmp_path: Path, live: Callable[[int], None], two_runs: list[Run]
) -> None:
    export(two_runs, tmp_path / "whole", tmp_path / "whole.json", anonymous=True)
    for writes in range(8):  # the mark, six checkpoints, the truth
        out, truth = tmp_path / str(writes), tmp_path / f"{writes}.json"
        live(writes)
        with pytest.raises(Crash):
            export(two_runs, out, truth, anonymous=True)
        live(100)
        if writes:
            with pytest.raises(ExistsError, match="other checkpoints or names"):
                export(two_runs, out, truth)
        export(two_runs, out, truth, anonymous=True)
        assert contents(out) == contents(tmp_path / "whole")
        assert truth.read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_nothing_of_another_is_overwritten(tmp_path: Path, live: Callable[[int], None], two_runs: list[Run]) -> None:
    out, truth = tmp_path / "zoo", tmp_path / "truth.json"
    truth.write_text("precious")
    with pytest.raises(ExistsError, match=r"truth\.json"):
        export(two_runs, out, truth)
    assert not out.exists()
    live(1)
    with pytest.raises(Crash):
        export(two_runs, out, tmp_path / "other.json")
    live(100)
    with pytest.raises(ExistsError, match=r"truth\.json"):
        export(two_runs, out, truth)
    assert truth.read_text() == "precious"


def check_demo(truth: dict, checkpoints: int) -> None:
    runs = truth["runs"]
    assert len(runs) == 19 and sum(name.startswith("mlp-0") for name in runs) == 13
    assert runs["mlp-003-fork"]["parent"] == {"run": "mlp-003", "checkpoint": 9}
    assert [name for name, run in runs.items() if run["corrupted"]] == ["mlp-007"]
    assert runs["mlp-007"]["corrupted"] == [checkpoints - 1]
    assert len(truth["files"]) == 18 * checkpoints + 8


def test_a_quick_demo_has_its_fork_and_its_corrupted_step(tmp_path: Path) -> None:
    quick = (replace(MLP, batch=100, epochs=11, checkpoint_every=1), replace(CNN, batch=100, epochs=11))
    quick = (quick[0], replace(quick[1], checkpoint_every=1))
    check_demo(demo_population(tmp_path / "zoo", tmp_path / "truth.json", cards=quick), 12)


@pytest.mark.slow
def test_the_demo_learns(tmp_path: Path) -> None:
    truth = demo_population(tmp_path / "zoo", tmp_path / "truth.json")
    check_demo(truth, CHECKPOINTS)
    ends = {
        said["run"]: said["test_accuracy"]
        for said in truth["files"].values()
        if said["checkpoint"] == truth["runs"][said["run"]]["checkpoints"] - 1
    }
    corrupted = ends.pop("mlp-007")
    assert corrupted < 0.4
    assert np.mean([end for name, end in ends.items() if name.startswith("mlp")]) > 0.85
    assert np.mean([end for name, end in ends.items() if name.startswith("cnn")]) > 0.75
