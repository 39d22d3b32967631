"""Cards: sizes of the published networks, schedules, and that listing them costs no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mvc.errors import InputError, NotFoundError
from mvc.zoo.cards import Architecture, Conv, Optimiser, Schedule
from mvc.zoo.published import POPULATIONS, find_card


def test_the_papers_networks_have_the_papers_sizes() -> None:
    assert find_card("schurholt-borth-2021-mlp").architecture.size == 2160
    assert find_card("schurholt-borth-2021-cnn").architecture.size == 1376
    assert find_card("schurholt-borth-2021-cnn-collapsing").architecture.shapes() == {
        "conv1.weight": (16, 1, 3, 3),
        "conv2.weight": (8, 16, 3, 3),
        "fc1.weight": (10, 8),
    }


def test_cards_are_found_by_their_own_names() -> None:
    assert all(find_card(name).name == name for name in POPULATIONS)
    with pytest.raises(NotFoundError, match="no zoo card"):
        find_card("nothing")


def test_listing_cards_imports_no_torch() -> None:
    code = "import sys, mvc.zoo.cards; sys.exit(any(m in sys.modules for m in ('torch', 'sklearn', 'scipy', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1, 1]),
        (Schedule("cosine"), [1, 0.853553, 0.5, 0.146447]),
        (Schedule("warm-restarts", period=2), [1, 0.5, 1, 0.5]),
        (Schedule("step", period=2, factor=0.1), [1, 1, 0.1, 0.1]),
        (Schedule("growing", factor=8), [1, 2, 4, 8]),
    ],
)
def test_schedules(schedule: Schedule, expected: list[float]) -> None:
    assert [schedule.multiple(epoch, 4) for epoch in range(4)] == pytest.approx(expected, abs=1e-5)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="activation"):
        Architecture(hidden=(3,), activation="step")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="conv2 leaves nothing"):
        Architecture(hidden=(), activation="relu", convs=(Conv(4, 7, pool=2), Conv(4, 5)))
    with pytest.raises(InputError, match="learning rate"):
        Optimiser("sgd", lr=0)
