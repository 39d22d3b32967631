"""Colours can be told from their ground and from each other, by eyes that lack one kind of cones too."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from mvc.report.palette import BACKGROUND, BETWEEN, BROKEN, CHOSEN, LINEAGES, Theme, colour, scale

#: linear RGB as seen without one kind of cones (Machado, Oliveira & Fernandes 2009, severity 1)
_SEEN = {
    "all": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
#: linear RGB → cones → Oklab (Ottosson 2020)
_CONES = [[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.6806995, 0.10739696], [0.08830246, 0.28171884, 0.6299787]]
_LAB = [
    [0.21045426, 0.79361779, -0.00407205],
    [1.9779985, -2.42859221, 0.45059371],
    [0.02590404, 0.78277177, -0.80867577],
]
THEMES: tuple[Theme, ...] = ("light", "dark")


def linear(code: str) -> npt.NDArray[np.float64]:
    value = np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    found: npt.NDArray[np.float64] = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return found


def contrast(one: str, other: str) -> float:
    """WCAG 2.2."""
    low, high = sorted(float(linear(code) @ [0.2126, 0.7152, 0.0722]) for code in (one, other))
    return (high + 0.05) / (low + 0.05)


def look(code: str, eyes: str) -> npt.NDArray[np.float64]:
    seen = np.clip(np.array(_SEEN[eyes]) @ linear(code), 0, 1)
    found: npt.NDArray[np.float64] = np.array(_LAB) @ np.cbrt(np.array(_CONES) @ seen)
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_marks_stand_out_from_their_ground(theme: Theme) -> None:
    marks = [*scale(theme)["range"], CHOSEN[theme], BROKEN[theme]]
    assert {code: contrast(code, BACKGROUND[theme]) for code in marks if contrast(code, BACKGROUND[theme]) < 3} == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("eyes", list(_SEEN))
def test_lineages_can_be_told_apart(theme: Theme, eyes: str) -> None:
    apart = {
        (a, b): float(np.linalg.norm(look(a, eyes) - look(b, eyes)))
        for a, b in itertools.combinations(LINEAGES[theme], 2)
    }
    assert {pair: away for pair, away in apart.items() if away < 0.08} == {}  # 0.02 can just be seen


def test_data_names_colours_that_there_are() -> None:
    for theme in THEMES:
        assert len(scale(theme)["domain"]) == len(scale(theme)["range"])
        assert {BETWEEN, *(colour(lineage) for lineage in range(100))} == set(scale(theme)["domain"])
