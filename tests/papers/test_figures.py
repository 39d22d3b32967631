"""Figures of a paper: what is drawn where the extra is there, what is said where it is not."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import InputError
from mvc.papers.lineages.figures import _link_colours, draw, require_figures
from mvc.papers.lineages.protocol import single_linkage
from mvc.porcelain.reproduction import Asked, reproduce


def test_without_the_extra_nothing_is_trained_and_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InputError) as refused:
        reproduce("schurholt-borth-2021", tmp_path / "out", Asked(seeds=2, epochs=2, figures=True))
    assert refused.value.hint.endswith("pip install 'modelvc[papers]'") and refused.value.code == "missing-extra"
    assert not (tmp_path / "out").exists()


def test_links_within_a_run_have_its_colour() -> None:
    merges = single_linkage(np.array([[0.0], [1.0], [10.0], [11.5]]))
    colour = _link_colours(merges, np.array([0, 0, 1, 1]), ["red", "blue"], "black")
    assert [colour(link) for link in (4, 5, 6)] == ["#ff0000", "#0000ff", "black"]


@pytest.mark.slow
def test_a_figure_is_a_png_and_the_same_every_time() -> None:
    require_figures()
    weights = np.random.default_rng(0).normal(size=(3, 12, 40)).cumsum(axis=1).astype(np.float32)
    figure = draw("three walks", weights, 50)
    assert figure.startswith(b"\x89PNG") and figure == draw("three walks", weights, 50)
