"""Few digits and small cards, so that training takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.testing.faults import Crash
from mvc.zoo import export, growing, runs
from mvc.zoo.cards import Architecture, Card, Optimiser
from mvc.zoo.data import Dataset, digits
from mvc.zoo.files import write_whole
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


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Says how many more files training writes before it crashes."""
    left = 0

    def mortal(path: Path, content: bytes) -> None:
        nonlocal left
        if left == 0:
            raise Crash
        left -= 1
        write_whole(path, content)

    def live(writes: int) -> None:
        nonlocal left
        left = writes

    monkeypatch.setattr(runs, "write_whole", mortal)
    monkeypatch.setattr(growing, "write_whole", mortal)
    monkeypatch.setattr(export, "write_whole", mortal)
    live(1000)
    return live
