"""`mvc check` and `mvc explain` as people and their pipelines run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from mvc.cli.main import run
from mvc.drift import RULES

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``call(*args)``: exit code, stdout and stderr of a run in a repository of eight checkpoints and a broken file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    point = rng.normal(size=(20, 20)).astype(np.float32)
    goal = rng.normal(size=(20, 20)).astype(np.float32)
    for step in range(8):
        save_file({"w": point}, f"{step}.safetensors", metadata={"step": str(step)})
        point = (point + 0.1 * (goal - point) + 0.02 * rng.normal(size=point.shape)).astype(np.float32)
    Path("broken").mkdir()
    point[0, 0] = np.nan
    save_file({"w": point}, "broken/::error::.safetensors")

    def invoke(*args: str) -> tuple[int, str, str]:
        runner = CliRunner()
        with runner.isolation() as (out, err, _):
            code = run(args)
            return code, out.getvalue().decode(), err.getvalue().decode()

    assert invoke("init")[0] == 0
    assert invoke("commit", *(f"{step}.safetensors" for step in range(8)))[0] == 0
    return invoke


BROKEN = "./broken/::error::.safetensors"


def test_exit_codes(call: Call) -> None:
    assert call("check")[0] == 0
    assert call("check", BROKEN)[0] == 1
    assert call("check", BROKEN, "--exit-zero")[0] == 0
    assert call("check", "nothing")[0] == 2
    assert call("check", "--format", "xml")[0] == 2
    assert call("check", "--json", "--format", "sarif")[0] == 2


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "github"])
def test_a_report_goes_to_stdout_or_to_a_file_beside_the_text(call: Call, form: str) -> None:
    code, shown, _ = call("check", BROKEN, "--format", form)
    assert code == 1
    code, text, _ = call("check", BROKEN, "--format", form, "-o", "report")
    assert code == 1 and "1 failed" in text and "\x1b" not in text
    assert Path("report").read_text() == shown
    assert shown.isascii()
    if form in ("json", "sarif"):
        assert json.loads(shown)
    elif form == "junit":
        assert ElementTree.fromstring(shown).get("failures") == "1"
    else:
        assert [line for line in shown.splitlines() if line.startswith("::")] == [shown.splitlines()[0]]
    code, value, _ = call("check", BROKEN, "--json", "--format", form, "-o", "report")
    assert code == 1 and json.loads(value)["verdict"] == "fail"
    assert Path("report").read_text() == shown


def test_text_can_be_written_too_and_has_no_colours(call: Call) -> None:
    code, shown, _ = call("check", BROKEN, "-o", "report")
    assert code == 1 and Path("report").read_text() == shown and "\x1b" not in shown


def test_a_report_that_cannot_be_written_is_an_error_and_leaves_nothing(call: Call) -> None:
    code, out, err = call("check", "-o", "no/such/directory")
    assert (code, out) == (2, "") and "cannot write" in err and not Path("no").exists()


def test_since_and_open_ranges(call: Call) -> None:
    assert call("tag", "v1", "HEAD~2")[0] == 0
    for asked in (["--since", "v1"], ["v1.."], ["v1..HEAD"]):
        code, value, _ = call("check", *asked, "--json")
        assert [row["path"] for row in json.loads(value)["commits"]] == ["6.safetensors", "7.safetensors"], asked
        assert code == 0
    assert call("check", "--since", "nothing")[0] == 2


def test_what_is_ignored_is_shown_with_its_reason(call: Call) -> None:
    Path("policy.toml").write_text('[rules]\nstep="off"\n[[ignore]]\nrule="not-finite"\nreason="a masked unit"\n')
    code, shown, _ = call("check", BROKEN, "--policy", "policy.toml")
    assert code == 0 and "ignored: a masked unit" in shown and "1 finding ignored" in shown


def test_explain_lists_and_explains(call: Call) -> None:
    code, shown, _ = call("explain")
    assert code == 0 and all(rule.id in shown and rule.name in shown for rule in RULES.values())
    code, shown, _ = call("explain", "mvc002", "not-finite")
    assert code == 0 and "step-length" in shown and RULES["MVC001"].catches in shown
    rows = json.loads(call("explain", "--json")[1])
    assert rows["schema"] == "mvc.explain/v1" and [row["id"] for row in rows["rules"]] == list(RULES)
    code, _, err = call("explain", "step-lenght")
    assert code == 2 and "did you mean: step-length" in err
