"""The page as a file: what is in it, what its policy allows, what was left out. How it behaves is for a browser."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.cli import main
from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.odb import ObjectDatabase
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.report import gather, report
from mvc.porcelain.reporting import layers, maps, pages, verdict
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.workspace import Workspace
from mvc.report.html import as_block
from mvc.repository import Repository
from tests.report.hostile import IMAGE, SCRIPT


class Page(HTMLParser):
    """Elements with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag in ("script", "style")
        if self.inside:
            self.texts.append([tag, ""])

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1][1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


@pytest.fixture(scope="module")
def page(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    target = tmp_path_factory.mktemp("page") / "report.html"
    report(Workspace.open(hostile, author="T <t@example.org>"), target)
    return Page(target.read_text("utf-8"))


def block(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(text for kind, text in page.texts if kind == "script"))
    return found


def test_the_policy_names_what_is_there_and_nothing_else(page: Page) -> None:
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    hashes = {
        kind: {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts}
        for kind, texts in (
            ("script-src", [text for kind, text in page.texts if kind == "script"][1:]),  # the first one is data
            ("style-src", [text for kind, text in page.texts if kind == "style"]),
        )
    }
    assert {name: set(value.split()) for name, value in rules.items()} == {
        **{name: {"'none'"} for name in ("default-src", "base-uri", "form-action")},
        **hashes,
    }
    assert (len(hashes["script-src"]), len(hashes["style-src"])) == (2, 1)


def test_nothing_is_fetched_and_no_name_becomes_an_element(page: Page) -> None:
    assert not {tag for tag, _ in page.elements} & {"img", "svg", "link", "iframe", "object", "embed", "base", "b"}
    assert [a.get("href") for _, a in page.elements if "href" in a] == ["#page"]
    assert not [a for _, a in page.elements if {"src", "srcdoc", "style"} & a.keys()]
    assert not [key for _, a in page.elements for key in a if key.startswith("on")]
    assert sum(tag == "script" for tag, _ in page.elements) == 3


def test_names_arrive_as_they_are(page: Page) -> None:
    data = block(page)
    assert SCRIPT in data["commits"]["columns"]["message"]
    assert any(path.startswith(IMAGE[:8]) for path in data["commits"]["columns"]["path"])
    shown = {
        name for picture in data["layers"] if picture for name in picture["tables"]["cells"]["down"]["columns"]["layer"]
    }
    assert {IMAGE, "fc\\x01\\u202e3"} <= shown  # what would not show stands there as an escape


def test_forks_averages_and_broken_rules_are_drawn(page: Page) -> None:
    data = block(page)
    links = data["maps"][0]["tables"]["links"]["columns"]["kind"]
    assert (links.count("fork"), links.count("mixture")) == (1, 2)
    points = data["maps"][0]["tables"]["points"]["columns"]
    assert sorted(points["c"]) == list(range(27))
    assert points["kind"].count("mixture") == 1
    assert any(points["broken"])
    assert "stress" in data["maps"][0]["note"] and "ultidimensional scaling" in data["maps"][0]["note"]
    tree = data["trees"][0]
    assert len(tree["tables"]["merges"]["columns"]["x"]) == 26
    assert tree["tables"]["merges"]["columns"]["cut"].count(True) == 1
    bands = [row for picture in data["drift"] if picture for row in picture["tables"]["length"]["columns"]["low"]]
    assert any(low is not None for low in bands)


def test_every_commit_has_its_page(page: Page) -> None:
    data = block(page)
    assert len(data["pages"]) == 27
    blamed = [found["blame"] for found in data["pages"].values() if found["blame"]]
    # an average and a fork share their way with both sides
    assert all(sum(one["shares"]["columns"]["share"]) == pytest.approx(1, abs=0.02) for one in blamed)
    assert data["verdict"]["verdict"] == "fail"
    assert {finding["c"] for finding in data["verdict"]["findings"]} <= set(range(27))


def test_a_report_is_a_function_of_the_repository(workspace: Workspace, tmp_path: Path) -> None:
    results = [report(workspace, tmp_path / name) for name in ("a.html", "b.html")]
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert results[0].bytes == (tmp_path / "a.html").stat().st_size
    assert (results[0].commits, results[0].lineages, results[0].pages, results[0].notes) == (27, 4, 27, ())


def test_no_weights_are_read_but_by_check(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: ObjectDatabase, tensor: ObjectId) -> Any:
        raise AssertionError(f"{tensor} was read")

    result = check(workspace, ["HEAD"])
    monkeypatch.setattr("mvc.porcelain.report.judge", lambda stock, progress: result)
    monkeypatch.setattr(ObjectDatabase, "get_tensor", refuse)
    monkeypatch.setattr(ObjectDatabase, "recall", refuse)
    data, _ = gather(Stock.of(workspace))
    assert len(data.maps) == 3


def test_copies_alone_make_no_map_and_no_step(tmp_path: Path) -> None:
    workspace = Workspace.of(Repository.init(tmp_path), author="T <t@example.org>")
    point = np.random.default_rng(0).normal(size=400)
    for name in "ab":
        save_file({"w": point.reshape(20, 20)}, str(tmp_path / f"{name}.safetensors"), metadata={"name": name})
        commit(workspace, [tmp_path / f"{name}.safetensors"])
        data, _ = gather(Stock.of(workspace))
        assert (data.maps, data.trees, data.drift, data.layers) == ((), (), (None,), (None,))


def test_names_on_a_map_do_not_cover_each_other(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = Stock.of(workspace)
    whole = range(len(stock.lineages))
    assert len(maps.draw_map(stock, whole).tables["labels"].columns["text"]) > 1  # type: ignore[union-attr]
    monkeypatch.setattr(maps, "_LABEL", np.ones(2))
    largest = max(whole, key=lambda i: len(stock.members[i]))
    assert maps.draw_map(stock, whole).tables["labels"].columns["text"] == [stock.lineages[largest].name]  # type: ignore[union-attr]


@pytest.mark.parametrize("blocks", [72, 126])
def test_layers_of_a_deep_model_stay_apart(blocks: int) -> None:
    names = ["embed.weight", "head.weight"]
    names += [f"layers.{i}.{part}.weight" for i in range(blocks) for part in ("mlp", "qkv")]
    groups = layers._groups(names, layers.LAYERS)
    assert groups.keys() == set(names)
    assert 60 < len(set(groups.values())) <= layers.LAYERS
    block = "layers.0" if blocks == 72 else "layers.0 … 1"
    assert {groups["layers.0.mlp.weight"], groups["layers.0.qkv.weight"]} == {block}
    assert groups["embed.weight"] == "embed"


def test_what_is_left_out_is_said(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (verdict, "JUDGED", 3),
        (pages, "PAGES", 5),
        (maps, "FAMILIES", 1),
        (layers, "LAYERS", 2),
    ):
        monkeypatch.setattr(module, name, value)
    data, result = gather(Stock.of(workspace))
    assert (result.checked, len(data.pages)) == (3, 5)
    assert result.verdict == "fail"  # what breaks a rule goes first
    assert [note.split(" ")[0] for note in data.notes] == ["3", "1", "5"]
    notes = [picture.note for picture in data.layers if picture is not None]
    assert all("3 layers are summed up as" in note for note in notes)


def test_data_closes_no_script_and_keeps_its_meaning() -> None:
    value = {"a": f"{SCRIPT}<!--\u2028\udc80&amp;", "b": [1.5, None]}
    text = as_block(value)
    assert text.isascii() and not set(text) & set("<>&")
    assert json.loads(text) == value


def test_errors_say_what_to_do(tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = Workspace.of(Repository.init(tmp_path / "empty"), author="T <t@example.org>")
    with pytest.raises(InputError, match="nothing to report"):
        report(empty, tmp_path / "r.html")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "vl_convert" else real(name))
    with pytest.raises(InputError) as missing:
        report(workspace, tmp_path / "r.html")
    assert missing.value.hint == "run: pip install 'modelvc[report]'"
    assert not (tmp_path / "r.html").exists()


def test_the_command(hostile: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "r.html"
    assert main.run(["-C", str(hostile), "report", "-o", str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "mvc.report/v1"
    assert (told["commits"], told["verdict"], told["path"]) == (27, "fail", str(target))
    assert main.run(["-C", str(hostile), "report", "-o", str(tmp_path / "none" / "r.html")]) == 2
    assert main.run(["-C", str(hostile), "report", "-o", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert "hint: run: mkdir -p " in told and "hint: name a file in it with -o" in told
