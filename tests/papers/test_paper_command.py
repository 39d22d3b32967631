"""`mvc paper` end to end on few digits: what it prints, what it keeps, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.papers.catalogue import PAPERS
from mvc.papers.lineages.cards import LineagePaper
from mvc.papers.lineages.tables import markdown
from mvc.porcelain.reproduction import Asked, reproduce
from mvc.zoo.published import find_card

PAPER = "schurholt-borth-2021"


def mvc(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = [sys.executable, "-m", "mvc.cli.main", *args]
    return subprocess.run(code, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_the_card_names_zoos_that_exist_and_representations_that_are_measured() -> None:
    card = PAPERS[PAPER]
    assert isinstance(card, LineagePaper)
    measured = {"weights", *(f"svd-{rank}" for rank in card.ranks)}
    for zoo in card.zoos:
        assert find_card(zoo.zoo).seeds == 250 and set(zoo.printed) <= measured


def test_the_list_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from mvc.cli.main import run; run(['paper', 'list', '--json']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["schema"] == "mvc.paper-list/v1" and [paper["name"] for paper in result["papers"]] == [
        "schurholt-2021-hyper",
        PAPER,
    ]
    assert result["papers"][0]["tables"][0] == "tetris-seed" and result["papers"][1]["tables"] == []


def test_a_small_run_and_again_from_its_zoos(tmp_path: Path) -> None:
    first = reproduce(PAPER, tmp_path / "out", Asked(seeds=2, epochs=3, only=["mlp"]))
    (zoo,) = first.zoos
    assert [row.representation for row in zoo.protocol] == ["weights", "svd-5"]  # more are no reduction of 6 points
    assert zoo.protocol[0].printed.ordered_pairs == 0.357 and zoo.protocol[0].measured.purity == 1.0
    assert [(row.representation, row.initial, row.points, row.runs) for row in zoo.engine] == [
        ("weights", False, 6, 2),
        ("weights", True, 8, 2),
        ("sketch-64", False, 6, 2),
    ]
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert kept["schema"] == "mvc.paper/v1" and kept["zoos"][0]["weights"] == 2160
    assert (tmp_path / "out" / "results.md").read_text() == markdown(first)
    told: list[str] = []
    again = reproduce(
        PAPER,
        tmp_path / "out",
        Asked(seeds=2, epochs=3, only=["mlp"]),
        progress=lambda _done, _total, what: told.append(what),
    )
    assert again.zoos[0].protocol == zoo.protocol
    assert told[0] == "schurholt-borth-2021-mlp" and len(told) == 3  # trained already; then the two measurements


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no paper"):
        reproduce("attention-is-all", tmp_path / "out", Asked())
    with pytest.raises(InputError, match="no zoo 'rnn'"):
        reproduce(PAPER, tmp_path / "out", Asked(only=["rnn"]))
    with pytest.raises(InputError, match="two seeds"):
        reproduce(PAPER, tmp_path / "out", Asked(seeds=1, epochs=3))
    with pytest.raises(InputError, match="takes no --minutes"):
        reproduce(PAPER, tmp_path / "out", Asked(minutes=1))
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ExistsError):
        reproduce(PAPER, tmp_path, Asked(seeds=2, epochs=2))


@pytest.mark.slow
def test_the_command_prints_the_table_and_the_json(tmp_path: Path) -> None:
    size = ("--seeds", "3", "--epochs", "3", "-o", "out")
    done = mvc("paper", "run", PAPER, *size, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for wanted in ("## mlp", "## cnn", "## cnn-collapsing", "| 0.357 |", "runs found / there"):
        assert wanted in done.stdout
    result = json.loads(mvc("paper", "run", PAPER, *size, "--json", cwd=tmp_path).stdout)
    assert result["schema"] == "mvc.paper/v1" and [zoo["zoo"] for zoo in result["zoos"]] == [
        "mlp",
        "cnn",
        "cnn-collapsing",
    ]
    wrong = mvc("paper", "run", PAPER, "--seeds", "3", "--epochs", "4", "-o", "out", cwd=tmp_path)
    assert wrong.returncode == 2 and "another training" in wrong.stderr and "Traceback" not in wrong.stderr
