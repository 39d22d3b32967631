"""The second protocol: a table from end to end, what is kept of it, and its command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mvc.cli.main import cli
from mvc.errors import ExistsError, InputError
from mvc.papers import schurholt_2021_hyper
from mvc.papers.characteristics.cards import CharacteristicsPaper, Representation, Row, Table
from mvc.papers.characteristics.keeping import PROTOCOL
from mvc.papers.characteristics.outcome import CharacteristicsOutcome, spread
from mvc.papers.characteristics.populations import Populations, Scale
from mvc.papers.characteristics.run import run_paper
from mvc.papers.characteristics.tables import markdown
from mvc.porcelain.reproduction import Asked, reproduce

CARD = schurholt_2021_hyper.CARD
RNG = np.random.default_rng

TINY = Scale(seeds=8, epochs=3)
SMALL = {"width": 8, "heads": 2, "blocks": 1, "feedforward": 8, "latent": 4, "projection": (4, 4), "epochs": 2}


def tiny_card() -> CharacteristicsPaper:
    embedding = Representation("embedding", "units", SMALL)
    rows = (
        Row("W", "tetris-seed", Representation("weights"), {"epoch": 50.0}),
        Row("small", "tetris-seed", embedding),
        Row("small + s(W)", "tetris-seed", replace(embedding, statistics=True)),
    )
    to_itself = Row("W", "tetris-seed", Representation("weights"), {}, beyond="tetris-seed")
    tables = Table("1", "a table", rows), Table("7", "another", (to_itself,), "kendall", ("accuracy", "epoch"))
    return replace(CARD, tables=tables, repeats=2, minutes=1.0)


def tiny_run(out: Path, **asked: object) -> CharacteristicsOutcome:
    card = tiny_card()
    zoos = Populations(card.zoos[:1], out / "zoos", scale=TINY, where=None, initial=False)
    return run_paper(card, zoos, out, **asked)  # type: ignore[arg-type]


def test_a_table_end_to_end_and_again_from_what_was_kept(tmp_path: Path) -> None:
    so_far: list[int] = []
    outcome = tiny_run(tmp_path, written=lambda one: so_far.append(one.done))
    assert so_far == list(range(1, 9)) and (outcome.done, outcome.planned) == (8, 8)
    (population,) = outcome.zoos
    assert (population.models, population.checkpoints, population.left_out) == (8, 3, 0)
    first, second = outcome.tables
    assert [(row.label, row.width, row.in_paper) for row in first.rows] == [
        ("W", population.weights, True),
        ("small", 4, False),
        ("small + s(W)", 4 + 7 * 2, False),
    ]
    assert first.targets[:3] == ("epoch", "accuracy", "gap") and second.targets == ("accuracy", "epoch")
    cell = first.rows[1].cells[0]
    assert cell.measured is not None and len(cell.measured.values) == 2
    assert cell.measured.values[0] != cell.measured.values[1]  # another split, another training
    assert first.rows[0].cells[0].printed == 50 and first.rows[0].cells[1].printed is None
    assert second.rows[0].cells[0].validation is None and -1 <= second.rows[0].cells[0].measured.mean <= 1
    assert len(list((tmp_path / "cells").iterdir())) == 8 and len(list((tmp_path / "embedders").iterdir())) == 4

    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert tiny_run(tmp_path) == outcome
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()} == kept
    once = tiny_run(tmp_path, tables=["1"], repeats=1)
    assert once.tables[0].rows[1].cells[0].measured == spread(cell.measured.values[:1]) and once.planned == 3


def test_an_interrupted_run_is_what_it_has_done(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    outcomes: list[CharacteristicsOutcome] = []

    def stop(outcome: CharacteristicsOutcome) -> None:
        outcomes.append(outcome)
        if outcome.done == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        tiny_run(tmp_path, written=stop)
    assert "2 of 8 measurements so far" in markdown(outcomes[-1])
    assert outcomes[-1].tables[0].rows[2].cells[0].measured is None
    cells = {file: file.read_bytes() for file in (tmp_path / "cells").iterdir()}
    whole = tiny_run(tmp_path)
    assert all(file.read_bytes() == content for file, content in cells.items())
    assert whole.tables[0].rows[0].cells[0].measured.values[0] == outcomes[-1].tables[0].rows[0].cells[0].measured.mean


def test_cells_belong_to_their_population_and_recipe(tmp_path: Path) -> None:
    tiny_run(tmp_path, tables=["1"], repeats=1)
    tiny_run(tmp_path, tables=["1"], repeats=1, minutes=2.0)  # may end elsewhere: trained again
    assert len(list((tmp_path / "cells").iterdir())) == 5 and len(list((tmp_path / "embedders").glob("*.json"))) == 2
    card = tiny_card()
    other = Populations(card.zoos[:1], tmp_path / "zoos", scale=Scale(seeds=9, epochs=3), where=None, initial=False)
    with pytest.raises(InputError, match="another"):
        run_paper(card, other, tmp_path)


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def untrained(out: Path) -> Populations:
    """The same card in another size."""
    return Populations(tiny_card().zoos[:1], out / "zoos", scale=Scale(), where=out / "none.npz", initial=False)


def test_what_is_kept_is_told_whatever_it_was_measured_with(tmp_path: Path) -> None:
    first = tiny_run(tmp_path, tables=["1"], repeats=1, minutes=2.0)
    before = contents(tmp_path)
    kept = run_paper(tiny_card(), untrained(tmp_path), tmp_path, kept=True)
    assert kept.tables == first.tables and kept.zoos == first.zoos and (kept.done, kept.planned) == (0, 0)
    assert [row.limit for row in kept.tables[0].rows] == [None, 2.0, 2.0]
    assert (kept.repeats, kept.minutes) == (1, 2.0)  # as measured, not as the card has it
    plain = run_paper(tiny_card(), untrained(tmp_path), tmp_path, kept=True, labels=["W"])
    assert (plain.repeats, plain.minutes) == (1, None)
    shutil.rmtree(tmp_path / "zoos")
    assert run_paper(tiny_card(), untrained(tmp_path), tmp_path, kept=True).zoos == ()  # none is trained for it
    assert contents(tmp_path) == {file: raw for file, raw in before.items() if "zoos" not in file.parts}
    with pytest.raises(InputError, match="keeps none"):
        run_paper(tiny_card(), untrained(tmp_path), tmp_path, tables=["7"], kept=True)
    with pytest.raises(InputError, match="keeps none"):
        run_paper(tiny_card(), untrained(tmp_path), tmp_path / "new", kept=True)
    assert not (tmp_path / "new").exists()


def test_tables_measured_before_stay(tmp_path: Path) -> None:
    first = tiny_run(tmp_path, tables=["1"], repeats=1)
    both = tiny_run(tmp_path, tables=["7"], before=["1"])
    assert [table.table for table in both.tables] == ["1", "7"] and both.tables[0] == first.tables[0]
    assert (both.done, both.planned) == (2, 2)
    one = tiny_run(tmp_path, tables=["1"], labels=["W"])  # of its other rows, what is kept
    assert [len(row.cells[0].measured.values) for row in one.tables[0].rows] == [2, 1, 1]


def test_cells_that_are_damaged_or_meant_something_else_are_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tiny_run(tmp_path, tables=["7"])
    assert tiny_run(tmp_path, tables=["7"], kept=True).tables == whole.tables
    files = sorted((tmp_path / "cells").iterdir())
    files[0].write_text("{")
    assert tiny_run(tmp_path, tables=["7"]).tables == whole.tables and json.loads(files[0].read_text())
    monkeypatch.setattr("mvc.papers.characteristics.keeping.PROTOCOL", PROTOCOL + 1)
    monkeypatch.setattr("mvc.papers.characteristics.run.PROTOCOL", PROTOCOL + 1)
    with pytest.raises(InputError, match="keeps none"):
        tiny_run(tmp_path, tables=["7"], kept=True)
    tiny_run(tmp_path, tables=["7"])
    assert len(list((tmp_path / "cells").iterdir())) == 4


def test_a_damaged_unfinished_training_is_removed_and_said(tmp_path: Path) -> None:
    tiny_run(tmp_path, tables=["1"], labels=["small"], repeats=1)
    (record,) = (tmp_path / "embedders").glob("*.json")
    for file in (*(tmp_path / "cells").iterdir(), record.with_suffix(".safetensors")):
        file.unlink()
    record.with_suffix(".state").write_bytes(b"half of it")
    with pytest.raises(InputError, match="its state was removed") as refused:
        tiny_run(tmp_path, tables=["1"], labels=["small"], repeats=1)
    assert "anew" in refused.value.hint and not record.with_suffix(".state").exists()
    assert tiny_run(tmp_path, tables=["1"], labels=["small"], repeats=1).done == 1


def test_a_row_that_needs_what_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvc.papers.characteristics.representations.importlib.util.find_spec", lambda _name: None)
    rows = (
        Row("UMAP", "tetris-seed", Representation("umap"), {}),
        Row("W", "tetris-seed", Representation("weights"), {}),
    )
    card = replace(tiny_card(), tables=(Table("1", "a table", rows),), repeats=1)
    zoos = Populations(card.zoos[:1], tmp_path / "zoos", scale=TINY, where=None, initial=False)
    outcome = run_paper(card, zoos, tmp_path)
    assert outcome.tables[0].rows[0].missing == "UMAP is not installed" and (outcome.done, outcome.planned) == (1, 2)
    page = markdown(outcome)
    assert "| UMAP | – | – | – | – / – |" in page and "UMAP: UMAP is not installed." in page


def test_the_page_shows_printed_numbers_where_the_paper_has_the_row(tmp_path: Path) -> None:
    page = markdown(tiny_run(tmp_path, repeats=1))
    weights, small = (
        next(line for line in page.splitlines() if line.startswith(f"| {name} |")) for name in ("W", "small")
    )
    assert " / 50.0 |" in weights and weights.count("/ –") == 6 and "/" not in small
    assert "## Table 1: a table" in page and "tetris-seed → tetris-seed" not in page  # one place: no column for it


def test_spread_of_nothing_one_and_many() -> None:
    assert spread([]) is None
    assert spread([0.5]).deviation is None
    assert (spread([1.0, 2.0, 3.0]).mean, spread([1.0, 2.0, 3.0]).deviation) == (2.0, 1.0)


def test_what_is_refused(tmp_path: Path) -> None:
    paper = "schurholt-2021-hyper"
    with pytest.raises(InputError, match="no table '99'") as refused:
        reproduce(paper, tmp_path / "out", Asked(tables=["99"]))
    assert "tetris-seed" in refused.value.hint
    with pytest.raises(InputError, match="no zoo 'rnn'"):
        reproduce(paper, tmp_path / "out", Asked(only=["rnn"]))
    with pytest.raises(InputError, match="takes no --figures"):
        reproduce(paper, tmp_path / "out", Asked(figures=True))
    with pytest.raises(InputError, match="none of these tables"):
        reproduce(paper, tmp_path / "out", Asked(tables=["1"], only=["tetris-hyp"]))
    with pytest.raises(InputError, match="no row 'nope'") as refused:
        reproduce(paper, tmp_path / "out", Asked(rows=["nope"]))
    assert "'PCA, linear', 'PCA, cosine'" in refused.value.hint
    with pytest.raises(InputError, match="keeps none"):
        reproduce(paper, tmp_path / "out", Asked(kept=True))
    assert not (tmp_path / "out").exists()
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ExistsError):
        reproduce(paper, tmp_path, Asked())


@pytest.mark.slow
def test_the_command_prints_text_and_json(tmp_path: Path) -> None:
    code = [sys.executable, "-m", "mvc.cli.main", "paper", "run", "schurholt-2021-hyper", "--table", "1", "-o", "out"]
    size = ["--seeds", "6", "--epochs", "2", "--repeats", "1", "--minutes", "0.01"]
    done = subprocess.run([*code, *size], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "## Table 1: losses" in done.stdout and "| E_c+D |" in done.stdout
    again = subprocess.run([*code, *size, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True)
    result = json.loads(again.stdout)
    assert result == json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["recipe"]["loss"] for row in result["tables"][0]["rows"]] == ["ED", "E_c", "E_c+D", "E_cD"]
    wrong = subprocess.run([*code, "--epochs", "3"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "another" in wrong.stderr and "Traceback" not in wrong.stderr


def test_zoos_of_a_table_may_have_sizes_of_their_own(tmp_path: Path) -> None:
    run = ["paper", "run", "schurholt-2021-hyper", "--table", "7", "--row", "W", "-o", str(tmp_path / "out")]
    size = ["--repeats", "1", "--seeds", "9", "--seeds", "tetris-hyp=1", "--models", "tetris-hyp=5"]
    done = CliRunner().invoke(cli, [*run, *size, "--epochs", "2", "--epochs", "tetris-hyp=3", "--json"])
    assert done.exit_code == 0
    zoos = {zoo["zoo"]: (zoo["models"], zoo["checkpoints"]) for zoo in json.loads(done.stdout)["zoos"]}
    assert zoos == {"tetris-seed": (9, 2), "tetris-hyp": (5, 3)}
    for wrong in ("tetris-hyp=", "=3", "tetris-hyp=0", "x"):
        assert CliRunner().invoke(cli, [*run, "--seeds", wrong]).exit_code == 2
    for paper in ("schurholt-2021-hyper", "schurholt-borth-2021"):
        with pytest.raises(InputError, match=r"has no zoo 'rnn'|one size for all"):
            reproduce(paper, tmp_path / "new", Asked(own={"rnn": {"seeds": 3}}))
    assert not (tmp_path / "new").exists()


def test_the_command_keeps_its_results(tmp_path: Path) -> None:
    asked = Asked(seeds=6, epochs=2, tables=["7"], repeats=1, minutes=0.01, models=6)
    outcome = reproduce("schurholt-2021-hyper", tmp_path / "out", asked)
    assert isinstance(outcome, CharacteristicsOutcome)
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert kept["schema"] == "mvc.paper/v1" and kept["tables"][0]["measure"] == "kendall"
    assert [zoo["zoo"] for zoo in kept["zoos"]] == ["tetris-seed", "tetris-hyp"]
    assert {row["beyond"] for row in kept["tables"][0]["rows"]} == {"tetris-hyp"}
    assert (tmp_path / "out" / "results.md").read_text() == markdown(outcome)
    before = contents(tmp_path)
    told = reproduce("schurholt-2021-hyper", tmp_path / "out", Asked(kept=True))
    assert isinstance(told, CharacteristicsOutcome) and told.tables == outcome.tables and contents(tmp_path) == before
    more = reproduce("schurholt-2021-hyper", tmp_path / "out", replace(asked, tables=["tetris-seed"], rows=["W"]))
    assert isinstance(more, CharacteristicsOutcome)
    assert [table.table for table in more.tables] == ["tetris-seed", "7"] and more.tables[1] == outcome.tables[0]
