"""Training on disk: killed anywhere it ends bit for bit where it would have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mvc.errors import ExistsError, InputError, IntegrityError
from mvc.testing.faults import Crash
from mvc.zoo.cards import Card, Optimiser
from mvc.zoo.data import Dataset
from mvc.zoo.runs import train
from mvc.zoo.shifts import inverted
from mvc.zoo.train import Trainer, train_population


@pytest.mark.parametrize("optimiser", [Optimiser("sgd", 0.03, momentum=0.9), Optimiser("adamw", 0.01)])
def test_killed_at_every_write_and_resumed(
    tmp_path: Path,
    live: Callable[[int], None],
    small_card: Card,
    few_digits: Dataset,
    optimiser: Optimiser,
) -> None:
    card = replace(small_card, optimiser=optimiser)
    whole = train_population(Trainer(card, few_digits, range(3)))
    for writes in range(1, 11):  # zoo.json, then two files a checkpoint: 11 in all
        out = tmp_path / str(writes)
        live(writes)
        with pytest.raises(Crash):
            train(card, few_digits, out)
        live(100)
        resumed = train(card, few_digits, out)
        assert torch.equal(resumed.weights, whole.weights)
        assert torch.equal(resumed.test_accuracy, whole.test_accuracy)
        assert resumed.epochs == whole.epochs


def test_a_finished_zoo_is_read_and_progress_is_told(tmp_path: Path, small_card: Card, few_digits: Dataset) -> None:
    told: list[tuple[str, int, int]] = []
    first = train(small_card, few_digits, tmp_path / "zoo", seeds=[4, 7], progress=lambda *what: told.append(what))
    assert told == [("small", number, 4) for number in range(5)]
    told.clear()
    again = train(small_card, few_digits, tmp_path / "zoo", seeds=[4, 7], progress=lambda *what: told.append(what))
    assert told == [("small", 4, 4)]
    assert torch.equal(first.weights, again.weights) and again.seeds == (4, 7)


def test_another_training_or_a_full_directory_is_refused(tmp_path: Path, small_card: Card, few_digits: Dataset) -> None:
    out = tmp_path / "zoo"
    train(small_card, few_digits, out, epochs=1)
    with pytest.raises(InputError, match="another training"):
        train(small_card, few_digits, out, epochs=2)
    with pytest.raises(InputError, match="another training"):
        train(small_card, inverted(few_digits), out, epochs=1)
    for other in (
        replace(few_digits, x_test=1 - few_digits.x_test),
        replace(few_digits, y_test=few_digits.y_test[::-1]),
        replace(few_digits, x_test=few_digits.x_test[1:], y_test=few_digits.y_test[1:]),
    ):
        with pytest.raises(InputError, match="another training"):
            train(small_card, other, out, epochs=1)
    with pytest.raises(ExistsError, match="already"):
        train(small_card, few_digits, out, epochs=1, resume=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    with pytest.raises(ExistsError, match="holds no zoo"):
        train(small_card, few_digits, tmp_path / "full")


def test_damage_is_named(tmp_path: Path, small_card: Card, few_digits: Dataset) -> None:
    train(small_card, few_digits, tmp_path, epochs=1)
    (tmp_path / "checkpoints" / "0000.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(IntegrityError, match=r"0000\.npz"):
        train(small_card, few_digits, tmp_path, epochs=1)
    (tmp_path / "state.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(IntegrityError, match=r"state\.safetensors"):
        train(small_card, few_digits, tmp_path, epochs=1)
