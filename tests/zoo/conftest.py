"""Few digits and small cards, so that training takes milliseconds."""

from __future__ import annotations

import pytest

from mvc.zoo.cards import Architecture, Card, Optimiser
from mvc.zoo.data import Dataset, digits
from mvc.zoo.shifts import subset


@pytest.fixture(scope="session")
def few_digits() -> Dataset:
    return subset(digits(), 0.05)  # 75 images


@pytest.fixture
def small_card() -> Card:
    return Card(
        name="small",
        about="for tests",
        architecture=Architecture(hidden=(6,), activation="tanh"),
        optimiser=Optimiser("adam", lr=0.01),
        batch=8,
        epochs=4,
        seeds=3,
    )
