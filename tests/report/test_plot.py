"""Pictures as files: of the right form, with everything in them, and as much as the report has."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mvc.cli import main
from mvc.errors import InputError, NotFoundError
from mvc.porcelain.plot import plot
from mvc.porcelain.reporting import maps
from mvc.porcelain.workspace import Workspace
from tests.report.hostile import RUN

KINDS = ["map", "dendrogram", "drift", "layers"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_svg_is_drawn(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "picture.svg"
    result = plot(workspace, kind, None, target)  # type: ignore[arg-type]
    tree = ElementTree.parse(target)
    texts = "".join(tree.getroot().itertext())
    assert result.title.split(" ")[0] in texts
    assert result.bytes == target.stat().st_size
    assert kind != "layers" or "fc\\x01\\u202e3" in texts
    # no name from a file became an element
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert tags <= {
        "svg",
        "g",
        "path",
        "text",
        "rect",
        "line",
        "defs",
        "linearGradient",
        "stop",
        "clipPath",
        "tspan",
        "style",
    }
    marks = [element for element in tree.iter() if element.get("aria-roledescription") in ("point", "rect mark")]
    assert len(marks) >= 5


def test_a_png_is_drawn_dark(workspace: Workspace, tmp_path: Path) -> None:
    for theme in ("light", "dark"):
        plot(workspace, "map", RUN, tmp_path / f"{theme}.png", theme=theme)  # type: ignore[arg-type]
    light, dark = ((tmp_path / f"{theme}.png").read_bytes() for theme in ("light", "dark"))
    assert light[:8] == dark[:8] == b"\x89PNG\r\n\x1a\n"
    assert light != dark


def test_a_map_of_a_lineage_is_its_familys(workspace: Workspace, tmp_path: Path) -> None:
    whole = plot(workspace, "map", None, tmp_path / "a.svg")
    family = plot(workspace, "map", RUN, tmp_path / "b.svg")
    assert len(whole.lineages) == 4
    assert whole.title == "All 4 lineages of 696 weights in 3 tensors"  # forks do not join them all
    assert family.title == f"{RUN} and 2 more that forks join to it"
    assert len(family.lineages) == 3
    assert RUN in family.lineages


class Plane:
    """In UMAP's place, which takes a quarter of a minute to compile."""

    def __init__(self, **settings: Any) -> None:
        assert settings == {"n_neighbors": 15, "random_state": 0}

    def fit_transform(self, vectors: np.ndarray) -> np.ndarray:
        return vectors[:, 1:3]


def test_umap_draws_the_same_commits(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("umap")
    module.__spec__ = ModuleSpec("umap", None)
    module.UMAP = Plane  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    result = plot(workspace, "map", None, tmp_path / "a.svg", method="umap")
    assert (result.facts["method"], len(result.lineages)) == ("umap", 4)
    assert "UMAP (seed 0) of the sketched weights of 27 commits; stress" in result.note
    monkeypatch.setattr(maps, "UMAP_POINTS", 20)
    with pytest.raises(InputError, match="5 to 20 commits, these are 27"):
        plot(workspace, "map", None, tmp_path / "a.svg", method="umap")


def test_errors_say_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(InputError) as form:
        plot(workspace, "map", None, tmp_path / "map.gif")
    assert form.value.hint == "run: mvc plot map -o map.svg"
    with pytest.raises(NotFoundError):
        plot(workspace, "drift", "nobody", tmp_path / "drift.svg")
    with pytest.raises(InputError, match="no drift to draw"):
        plot(workspace, "drift", "v1", tmp_path / "drift.svg")
    assert not list(tmp_path.iterdir())


def test_the_command(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "drift.svg"
    assert main.run(["-C", str(hostile), "plot", "drift", "-o", str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["kind"], told["path"]) == ("mvc.plot/v1", "drift", str(target))
    assert main.run(["-C", str(hostile), "plot", "pie", "-o", "pie.svg"]) == 2
