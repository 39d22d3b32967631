"""`mvc zoo`: what it lists, what it prints, where a training goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvc.cli.opening import open_at
from mvc.errors import NotFoundError
from tests.cli.conftest import Invoke


def test_the_list_has_sizes(invoke: Invoke) -> None:
    code, out, _ = invoke("zoo", "list")
    assert code == 0 and "tetris-hyp  3,600 runs × 75 epochs" in out
    code, out, _ = invoke("zoo", "list", "--json")
    cards = {card["name"]: card for card in json.loads(out)["cards"]}
    assert cards["tetris-hyp"]["seeds"] == 100 and cards["tetris-hyp"]["weights"] == 100
    assert cards["demo"]["models"] is None


def test_a_training_goes_where_it_is_asked_to(tmp_path: Path, invoke: Invoke) -> None:
    at = ("-C", str(tmp_path))
    assert invoke(*at, "init", "kept")[0] == 0
    size = ("tetris-seed", "--seeds", "2", "--epochs", "1")
    code, out, err = invoke(*at, "zoo", "train", *size, "--into", "kept", "--population", "arrays", "-o", "files")
    assert (code, err) == (0, "")
    assert "4 checkpoints of 2 runs in" in out and "arrays of 4 checkpoints" in out and "4 new commits in" in out
    code, out, _ = invoke(*at, "zoo", "train", *size, "--into", "kept", "--json")
    result = json.loads(out)
    assert (result["committed"], result["checkpoints"], result["out"]) == (0, 4, None)
    code, out, _ = invoke("-C", str(tmp_path / "kept"), "log", "--json")
    lineages = json.loads(out)["lineages"]
    assert sorted(lineage["name"] for lineage in lineages) == ["tetris-seed-000", "tetris-seed-001"]
    assert [[commit["step"] for commit in lineage["commits"]] for lineage in lineages] == [[0, 1]] * 2


def test_a_repository_that_is_missing_is_made_where_it_was_named(tmp_path: Path) -> None:
    for named, hint in ((tmp_path / "no where", f"run: mvc init '{tmp_path}/no where'"), (tmp_path, "run: mvc init")):
        with pytest.raises(NotFoundError) as caught:
            open_at(named, tmp_path)
        assert caught.value.hint == hint


def test_mistakes_are_one_error(tmp_path: Path, invoke: Invoke) -> None:
    for wrong, message in (
        (("zoo", "train", "tetris-seed"), "nothing would be kept"),
        (("zoo", "train", "tetris", "-o", "out"), "no zoo card"),
        (("zoo", "train", "tetris-hyp", "--models", "0", "-o", "out"), "0 cannot be taken"),
        (("zoo", "train", "tetris-hyp", "--seeds", "-1", "-o", "out"), "at least one seed"),
        (("zoo", "train", "tetris-seed", "--into", "nowhere"), "not in an mvc repository"),
    ):
        code, out, err = invoke("-C", str(tmp_path), *wrong)
        assert code == 2 and out == "" and message in err and err.count("error:") == 1
    assert not list(tmp_path.iterdir())
