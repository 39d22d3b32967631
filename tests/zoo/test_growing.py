"""Populations on disk: trained group by group, gone on with after any interruption, read without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import ExistsError, InputError, IntegrityError, NotFoundError
from mvc.testing.faults import Crash
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.grids import Grid
from mvc.zoo.growing import plan, train_grid
from mvc.zoo.populations import read
from mvc.zoo.train import Trainer


@pytest.fixture
def grid(small_card: Card) -> Grid:
    axes = {"lr": (0.01, 0.03), "activation": ("tanh", "relu"), "dropout": (0.0, 0.3), "weight_decay": (0.0, 0.1)}
    return Grid(replace(small_card, epochs=2), axes, seeds=2, models=9)


def test_every_model_is_what_it_would_be_alone(tmp_path: Path, grid: Grid, few_digits: Dataset) -> None:
    told: list[tuple[str, int, int]] = []
    zoo = train_grid(grid, few_digits, tmp_path / "zoo", progress=lambda *what: told.append(what))
    assert told[0] == ("small", 0, 4) and told[-1] == ("small", 4, 4)  # two activations: two groups
    assert zoo.members == grid.members() and zoo.epochs.tolist() == [0, 1, 2]
    assert zoo.weights.dtype == np.float32 and zoo.shapes == dict(grid.base.architecture.shapes())
    for row, member in enumerate(grid.members()):
        alone = Trainer(member.card, few_digits, [member.seed])
        assert np.array_equal(zoo.weights[row, 0], alone.weights[0].numpy())
        alone.advance()
        alone.advance()
        assert np.array_equal(zoo.weights[row, 2], alone.weights[0].numpy())
        found = alone.evaluate()
        # rounding may turn the outcome for one image
        assert zoo.facts["train_accuracy"][row, 2] == pytest.approx(float(found.train_accuracy[0]), abs=0.02)
        assert zoo.facts["test_accuracy"][row, 2] == pytest.approx(float(found.test_accuracy[0]), abs=0.01)
        assert zoo.facts["f1"][row, 2] == pytest.approx(found.f1[0].numpy(), abs=0.05)


def test_facts_say_every_hyperparameter(tmp_path: Path, grid: Grid, few_digits: Dataset) -> None:
    zoo = train_grid(grid, few_digits, tmp_path)
    facts = zoo.facts
    for row, member in enumerate(zoo.members):
        card = member.card
        said = [facts[name][row] for name in ("lr", "weight_decay", "dropout", "activation", "init", "seed", "batch")]
        made = card.optimiser
        expected = [made.lr, made.weight_decay, card.dropout, card.architecture.activation, card.init, member.seed, 8]
        assert said == expected
    assert np.array_equal(facts["gap"], facts["train_accuracy"] - facts["test_accuracy"])
    assert facts["f1"].shape == (9, 3, 10) and set(facts["optimiser"]) == {"adam"}


def test_killed_at_any_write_it_goes_on(
    tmp_path: Path, live: Callable[[int], None], grid: Grid, few_digits: Dataset
) -> None:
    whole = train_grid(grid, few_digits, tmp_path / "whole")
    for writes in range(1, 15):  # the population's file, then for each of two groups its own and two a checkpoint
        out = tmp_path / str(writes)
        live(writes)
        with pytest.raises(Crash):
            train_grid(grid, few_digits, out)
        live(100)
        assert np.array_equal(train_grid(grid, few_digits, out).weights, whole.weights)


def test_models_that_cannot_be_trained_together_are_not(small_card: Card) -> None:
    members = Grid(small_card, {"optimiser": ("sgd", "adam"), "init": ("normal", "uniform"), "batch": (4, 8)}).members()
    groups = plan(members)
    assert sorted(number for group in groups for number in group) == list(range(8))
    assert {frozenset((members[n].card.optimiser.kind, members[n].card.batch) for n in group) for group in groups} == {
        frozenset({(kind, batch)}) for kind in ("sgd", "adam") for batch in (4, 8)
    }


def test_another_population_or_damage_is_named(tmp_path: Path, grid: Grid, few_digits: Dataset) -> None:
    with pytest.raises(NotFoundError, match="no population"):
        read(tmp_path / "zoo")
    train_grid(grid, few_digits, tmp_path / "zoo")
    with pytest.raises(InputError, match="another population"):
        train_grid(replace(grid, models=8), few_digits, tmp_path / "zoo")
    with pytest.raises(InputError, match="another training"):
        train_grid(replace(grid, base=replace(grid.base, epochs=3)), few_digits, tmp_path / "zoo")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    with pytest.raises(ExistsError, match="holds no population"):
        train_grid(grid, few_digits, tmp_path / "full")
    last = tmp_path / "zoo" / "groups" / "01" / "checkpoints" / "0002.npz"
    kept = last.read_bytes()
    last.unlink()
    with pytest.raises(IntegrityError, match="not finished"):
        read(tmp_path / "zoo")
    last.write_bytes(kept[:-40])
    with pytest.raises(IntegrityError, match=r"0002\.npz is damaged"):
        read(tmp_path / "zoo")
    last.write_bytes(kept)
    known = tmp_path / "zoo" / "population.json"
    for spoilt in ({"version": 9}, {"groups": []}, {"groups": [{"directory": "groups/00", "models": [0, 2]}]}):
        whole = json.loads(known.read_text())
        known.write_text(json.dumps({**whole, **spoilt}))
        with pytest.raises(IntegrityError, match=r"population\.json is damaged"):
            read(tmp_path / "zoo")
        known.write_text(json.dumps(whole))
    assert read(tmp_path / "zoo").weights.shape[0] == 9


def test_reading_imports_no_torch() -> None:
    code = "import sys, mvc.zoo.populations; sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
