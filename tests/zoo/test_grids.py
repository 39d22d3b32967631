"""Populations that vary hyperparameters: which models there are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from mvc.errors import InputError, NotFoundError
from mvc.zoo.cards import Card
from mvc.zoo.grids import Grid
from mvc.zoo.published import POPULATIONS, find_population


def test_a_grid_has_every_combination_with_the_same_seeds_or_their_own(small_card: Card) -> None:
    axes = {"activation": ("tanh", "relu"), "lr": (0.1, 0.01, 0.001)}
    fixed = Grid(small_card, axes, seeds=2).members()
    assert [(one.card.architecture.activation, one.card.optimiser.lr, one.seed) for one in fixed[:5]] == [
        ("tanh", 0.1, 0), ("tanh", 0.1, 1), ("tanh", 0.01, 0), ("tanh", 0.01, 1), ("tanh", 0.001, 0)
    ]  # fmt: skip
    assert len(set(fixed)) == 12
    own = Grid(small_card, axes, seeds=2, fixed=False).members()
    assert [one.card for one in own] == [one.card for one in fixed]
    assert [one.seed for one in own] == list(range(12))


def test_a_larger_sample_holds_the_smaller_one(small_card: Card) -> None:
    grid = Grid(small_card, {"dropout": (0.0, 0.1, 0.2, 0.3)}, seeds=5)
    few, more = (set(replace(grid, models=models).members()) for models in (6, 13))
    assert len(few) == 6 and len(more) == 13 and few < more < set(grid.members())


def test_every_axis_reaches_its_hyperparameter(small_card: Card) -> None:
    axes = {
        "activation": ("gelu",), "init": ("normal",), "optimiser": ("rmsprop",), "lr": (0.5,), "weight_decay": (0.25,),
        "dropout": (0.125,), "fraction": (0.75,), "batch": (3,),
    }  # fmt: skip
    (member,) = Grid(small_card, axes).members()
    card = member.card
    found = (card.architecture.activation, card.init, card.optimiser.kind, card.optimiser.lr)
    assert found == ("gelu", "normal", "rmsprop", 0.5)
    assert (card.optimiser.weight_decay, card.dropout, card.fraction, card.batch) == (0.25, 0.125, 0.75, 3)


def test_nonsense_is_refused(small_card: Card) -> None:
    with pytest.raises(InputError, match="'colour' is no axis"):
        Grid(small_card, {"colour": ("red",)})
    with pytest.raises(InputError, match="one value at least"):
        Grid(small_card, {"lr": ()})
    with pytest.raises(InputError, match="has 4 models, 5"):
        Grid(small_card, seeds=4, models=5)
    with pytest.raises(InputError, match="at least one seed"):
        find_population("tetris-seed", seeds=0)
    with pytest.raises(NotFoundError, match="no zoo card"):
        find_population("tetris")


def test_the_papers_populations_have_the_papers_networks() -> None:
    assert all(name == grid.base.name for name, grid in POPULATIONS.items())
    assert POPULATIONS["tetris-seed"].base.architecture.shapes() == {"fc1.weight": (5, 16), "fc2.weight": (4, 5)}
    for name in ("mnist-seed", "fashion-seed", "mnist-hyp-1-fix-seed"):
        assert POPULATIONS[name].base.architecture.size == 2464
    assert POPULATIONS["mnist-seed"].base.architecture.shapes()["fc1.weight"] == (20, 36)
    assert len(POPULATIONS["tetris-seed"].members()) == len(POPULATIONS["mnist-seed"].members()) == 1000
    five, own = (POPULATIONS[f"mnist-hyp-5-{kind}-seed"].members() for kind in ("fix", "rand"))
    assert len(five) == len(own) == 5 * len(POPULATIONS["mnist-hyp-1-fix-seed"].members())
    assert len({one.seed for one in five}) == 5 and len({one.seed for one in own}) == len(own)


def test_listing_populations_imports_no_torch() -> None:
    code = "import sys, mvc.zoo.published; sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
