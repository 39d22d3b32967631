"""Batched training against a plain loop of PyTorch's own modules and optimisers, and against itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import f1_score

from mvc.errors import InputError
from mvc.testing.plain_training import module_of, train_alone
from mvc.zoo.cards import Architecture, Card, Conv, Loss, Optimiser, Schedule
from mvc.zoo.data import Dataset
from mvc.zoo.published import find_card
from mvc.zoo.shifts import inverted, subset
from mvc.zoo.tetris import tetris
from mvc.zoo.train import Trainer, train_population

CNN = Architecture(hidden=(5,), activation="gelu", convs=(Conv(4, 3, 2, 2), Conv(3, 2)))
MLP = Architecture(hidden=(6, 5), activation="relu")
SGD = Optimiser("sgd", lr=0.05, momentum=0.9, weight_decay=0.01)
COSINE = Schedule("cosine")


CASES = {
    "paper-mlp": find_card("schurholt-borth-2021-mlp"),
    "paper-cnn": find_card("schurholt-borth-2021-cnn"),
    "paper-cnn-collapsing": find_card("schurholt-borth-2021-cnn-collapsing"),
    "relu-sgd-cosine": Card("a", "", MLP, SGD, 8, 3, 3, loss="ce", init="xavier_uniform", schedule=COSINE),
    "cnn-adam": Card("b", "", CNN, Optimiser("adam", 1e-3, weight_decay=0.01), 7, 3, 3, loss="ce"),
    "cnn-adamw": Card("c", "", CNN, Optimiser("adamw", 1e-3, weight_decay=0.1), 7, 3, 3, loss="mse"),
    "rmsprop": Card("e", "", MLP, Optimiser("rmsprop", 1e-3, weight_decay=0.01), 8, 3, 3, loss="ce"),
    "cnn-dropout": Card("f", "", CNN, SGD, 7, 3, 3, loss="ce", dropout=0.4, initial_bias=0.01),
    "mlp-dropout": Card("g", "", MLP, Optimiser("adam", 1e-3), 7, 3, 3, loss="ce", dropout=0.2),
    "tanh-plain-sgd": Card(
        "d", "", replace(MLP, activation="tanh"), Optimiser("sgd", 0.1), 9, 3, 3, loss="ce", standardise=False
    ),
}


@pytest.mark.parametrize("card", CASES.values(), ids=CASES.keys())
def test_batched_training_is_looped_training(card: Card, few_digits: Dataset) -> None:
    card = replace(card, epochs=3)
    batched = train_population(Trainer(card, few_digits, range(3))).weights[:, -1]
    for seed in range(3):
        alone = train_alone(card, few_digits, seed)
        assert torch.allclose(batched[seed], alone, rtol=1e-3, atol=2e-5), (batched[seed] - alone).abs().max()


@pytest.mark.parametrize(("loss", "dropout"), [("ce", 0.0), ("ce", 0.3), ("mse", 0.0), ("mse-sum", 0.0)])
def test_small_networks_are_padded_for_speed_alone(loss: Loss, dropout: float) -> None:
    data = tetris()
    data = replace(data, x_train=data.x_train[:34], y_train=data.y_train[:34])  # the last batch has 2 images
    card = replace(find_card("tetris-seed"), epochs=3, loss=loss, dropout=dropout)
    batched = train_population(Trainer(card, data, range(3))).weights[:, -1]
    for seed in range(3):
        assert torch.allclose(batched[seed], train_alone(card, data, seed), rtol=1e-3, atol=2e-5)


def test_models_of_different_cards_are_trained_side_by_side(few_digits: Dataset) -> None:
    base = Card("h", "", MLP, Optimiser("adamw", 1e-3), 7, 3, 1, loss="ce")
    fast = replace(base, optimiser=Optimiser("adamw", 5e-3, weight_decay=0.3), init="xavier_normal")
    cards = [base, fast, replace(base, dropout=0.3), replace(fast, dropout=0.1, initial_bias=0.0)]
    together = train_population(Trainer(cards, few_digits, range(4))).weights[:, -1]
    for card, weights, seed in zip(cards, together, range(4), strict=True):
        alone = train_alone(card, few_digits, seed)
        assert torch.allclose(weights, alone, rtol=1e-3, atol=2e-5), (weights - alone).abs().max()
    with pytest.raises(InputError, match="side by side"):
        Trainer([base, replace(base, batch=8)], few_digits, [0, 1])


def test_a_share_of_the_images_is_the_same_for_all(small_card: Card, few_digits: Dataset) -> None:
    half = Trainer(replace(small_card, fraction=0.5), few_digits, [3])
    whole = Trainer(small_card, subset(few_digits, 0.5), [3])
    half.advance()
    whole.advance()
    assert torch.equal(half.weights, whole.weights)


def test_evaluation_against_a_plain_count(small_card: Card, few_digits: Dataset) -> None:
    trainer = Trainer(small_card, few_digits, range(2))
    for _ in range(3):
        trainer.advance()
    found = trainer.evaluate()
    mean, deviation = few_digits.moments
    for row in range(2):
        module = module_of(small_card, trainer.weights[row])
        told = [
            module((torch.tensor(x).unsqueeze(1) - mean) / deviation).argmax(1).numpy()
            for x in (few_digits.x_train, few_digits.x_test)
        ]
        assert found.train_accuracy[row] == pytest.approx((told[0] == few_digits.y_train).mean())
        assert found.test_accuracy[row] == pytest.approx((told[1] == few_digits.y_test).mean())
        expected = f1_score(few_digits.y_test, told[1], labels=range(10), average=None, zero_division=0)
        assert found.f1[row].numpy() == pytest.approx(expected)


def test_a_model_does_not_depend_on_its_neighbours(small_card: Card, few_digits: Dataset) -> None:
    together = train_population(Trainer(small_card, few_digits, [0, 1, 2, 3, 4])).weights
    apart = train_population(Trainer(small_card, few_digits, [3])).weights
    assert torch.equal(together[3], apart[0])


def test_an_unchanged_fork_is_the_run_itself(small_card: Card, few_digits: Dataset) -> None:
    card = replace(small_card, checkpoints_per_epoch=2, schedule=COSINE)
    whole = train_population(Trainer(card, few_digits, [5, 6]), keep=[3])
    again = Trainer(card, few_digits, [6], start=whole.states[3].of([1]))
    for number in range(3, 8):
        assert torch.equal(again.weights[0], whole.weights[1, number])
        again.advance()
    assert whole.epochs == (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4)


def test_forks_leave_by_seed_rate_data_and_optimiser_state(small_card: Card, few_digits: Dataset) -> None:
    root = train_population(Trainer(small_card, few_digits, [0]), 2, keep=[2])
    kept, fresh = root.states[2].of([0, 0, 0, 0]), root.states[2].of([0], fresh=True)
    sets = [few_digits, few_digits, few_digits, inverted(few_digits)]
    forks = train_population(Trainer(small_card, sets, [0, 9, 0, 0], start=kept, lr=[1, 1, 3, 1]), 1)
    reset = train_population(Trainer(small_card, few_digits, [0], start=fresh), 1)
    ends = [*forks.weights[:, -1], reset.weights[0, -1]]
    assert all(torch.equal(start, root.weights[0, -1]) for start in forks.weights[:, 0])
    assert all(not torch.equal(a, b) for n, a in enumerate(ends) for b in ends[:n])


def test_models_learn(small_card: Card, few_digits: Dataset) -> None:
    population = train_population(Trainer(replace(small_card, loss="ce", epochs=20), few_digits, range(2)))
    assert population.weights.shape == (2, 21, small_card.architecture.size)
    assert population.train_accuracy[:, -1].min() > 0.95
    assert population.test_accuracy[:, -1].min() > 0.6
    assert population.test_accuracy[:, 0].max() < 0.4


def test_what_does_not_fit_is_refused(small_card: Card, few_digits: Dataset) -> None:
    with pytest.raises(InputError, match="equally many"):
        Trainer(small_card, [few_digits, subset(few_digits, 0.5)], [0, 1])
    with pytest.raises(InputError, match="one for each model"):
        Trainer(small_card, few_digits, [0, 1], lr=[1.0])
    with pytest.raises(InputError, match="classes"):
        Trainer(replace(small_card, architecture=replace(small_card.architecture, classes=5)), few_digits, [0])
    start = Trainer(small_card, few_digits, [0, 1]).state()
    with pytest.raises(InputError, match="start holds"):
        Trainer(small_card, few_digits, [0], start=start)
