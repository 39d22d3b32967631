"""A check's result in the forms that other programs read, with names that try to be more than names.

``sarif-2.1.0.json.gz`` is the schema as @microsoft/sarif-multitool-linux 5.7.0 carries it (npm, MIT licence).
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mvc.cli.reports import github, junit, sarif, text
from mvc.drift import RULES
from mvc.porcelain.results.checks import CheckedCommit, CheckResult, Finding, IgnoredFor

HOSTILE = (
    "::error::owned",
    "a\n::set-output name=x::y",
    "##[error]owned",
    "50%,title=x::\r\n::warning::",
    "<b>&\"']]>--><script>",
    "\x00\x1b[31m\x08\ufffe\u202e",
    "[click](https://example.org) {0}",
    "\udcff/../x y.pt",
)
COMMIT = "ab" * 32


def finding(rule: str = "MVC001", severity: str = "fail", **more: Any) -> Finding:
    told = {"commit": COMMIT, "path": None, "tensor": None, "value": 2.0, "limit": 0.0, "probability": 0.0}
    return Finding(rule=rule, severity=severity, name=RULES[rule].name, **{"message": "it is", **told, **more})


def checked(verdict: str, score: float | None = 5.0, **more: Any) -> CheckedCommit:
    told = {"id": COMMIT, "path": "runs/7.safetensors", "lineage": "run-7"}
    return CheckedCommit(verdict=verdict, score=score, **{**told, **more})


def result(commit: CheckedCommit, *findings: Finding, ignored: tuple[Finding, ...] = ()) -> CheckResult:
    return CheckResult(commit.verdict, 1, findings, (commit,), ignored)


ACCEPTED = finding("MVC002", "warn", ignore=IgnoredFor("larger batch", "2030-01-31"))
RESULTS = {
    "pass": result(checked("pass")),
    "skip": result(checked("skip", None, reason="2 checkpoints before it; 5 are needed")),
    "blocked": result(checked("skip", None, id=None, path="a.pt", reason="not fetched; git lfs pull", blocked=True)),
    "tensors": result(checked("fail"), *(finding(tensor=f"layer.{i}") for i in range(8)), finding("MVC003", "warn")),
    "ignored": result(checked("pass"), ignored=(ACCEPTED,)),
    "expired": result(checked("warn"), ACCEPTED),
    "file": result(checked("fail", id=None, path="/tmp/a b.pt"), finding(commit=None, path="/tmp/a b.pt")),
    "no numbers": result(checked("fail"), finding(value=float("nan"), limit=float("inf"), probability=None)),
    "nothing": CheckResult("skip", 0, (), ()),
} | {
    f"hostile {place}": result(
        checked("fail", None, path=name, lineage=name, reason=name),
        finding(tensor=name, message=name),
        finding(tensor=f"{name}2", message=name),
        ignored=(finding("MVC004", tensor=name, ignore=IgnoredFor(name, None)),),
    )
    for place, name in enumerate(HOSTILE)
}
each_result = pytest.mark.parametrize("value", RESULTS.values(), ids=RESULTS.keys())


@pytest.fixture(scope="module")
def schema() -> jsonschema.protocols.Validator:
    content = gzip.decompress((Path(__file__).parent / "sarif-2.1.0.json.gz").read_bytes())
    return jsonschema.Draft202012Validator(json.loads(content))


def strict(written: str) -> Any:
    """JSON as strict readers take it: no NaN, no halves of surrogate pairs."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    value = json.loads(written, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


@each_result
def test_sarif_is_valid(value: CheckResult, schema: jsonschema.protocols.Validator) -> None:
    written = sarif.render(value)
    assert written.isascii()
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in schema.iter_errors(strict(written))]
    assert errors == []
    for row in strict(written)["runs"][0]["results"]:
        assert "](" not in row["message"]["text"]
        assert re.fullmatch(r"[\w./%~:-]+", row["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


def run_of(value: CheckResult) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(sarif.render(value))["runs"][0]
    return run


def test_sarif_has_one_result_for_each_checkpoint_and_rule() -> None:
    first, second = run_of(RESULTS["tensors"])["results"]
    assert (first["ruleId"], first["level"]) == ("MVC001", "error")
    assert (second["ruleId"], second["level"]) == ("MVC003", "warning")
    assert [place["logicalLocations"][0]["name"] for place in first["relatedLocations"]] == [
        f"layer.{i}" for i in range(8)
    ]
    assert "and in 3 tensors more" in first["message"]["text"]
    assert "relatedLocations" not in second


def test_sarif_tells_every_rule_and_its_default() -> None:
    rules = run_of(RESULTS["pass"])["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    for rule in rules:
        known = RULES[rule["id"]]
        level = {"fail": "error", "warn": "warning", "off": "none"}[known.severity]
        assert rule["defaultConfiguration"] == {"enabled": known.severity != "off", "level": level}
        assert all(text in rule["help"]["text"] for text in (known.catches, known.misses, known.remedy))
    for value in RESULTS.values():
        for row in run_of(value)["results"]:
            assert rules[row["ruleIndex"]]["id"] == row["ruleId"]


def test_sarif_shows_what_is_ignored_as_suppressed_and_what_expired_as_a_result() -> None:
    (ignored,) = run_of(RESULTS["ignored"])["results"]
    assert [row["status"] for row in ignored["suppressions"]] == ["accepted"]
    assert "larger batch" in ignored["suppressions"][0]["justification"]
    (expired,) = run_of(RESULTS["expired"])["results"]
    assert "suppressions" not in expired and "was ignored until 2030-01-31: larger batch" in expired["message"]["text"]


def test_sarif_points_to_the_pointer_that_git_carries() -> None:
    value = result(checked("fail", pointer="runs/7.safetensors.mvc"), finding())
    (row,) = run_of(value)["results"]
    assert row["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "runs/7.safetensors.mvc"
    assert row["partialFingerprints"] == run_of(result(checked("fail"), finding()))["results"][0]["partialFingerprints"]


def test_sarif_says_what_was_not_judged() -> None:
    run = run_of(RESULTS["skip"])
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert run["results"] == [] and "5 are needed" in note["message"]["text"]


def test_fingerprints_stay_when_numbers_change_and_differ_between_checkpoints_and_rules() -> None:
    def mark(value: CheckResult) -> str:
        marks = run_of(value)["results"][0]["partialFingerprints"]
        assert marks["primaryLocationLineHash"] == f"{marks['checkpointAndRule/v1']}:1"
        found: str = marks["checkpointAndRule/v1"]
        return found

    first = mark(result(checked("fail"), finding()))
    assert first == mark(result(checked("fail", 9.0), finding(value=3.0, message="another", tensor="x")))
    others = [
        mark(result(checked("fail"), finding("MVC002"))),
        mark(result(checked("fail", id="cd" * 32), finding(commit="cd" * 32))),
        mark(result(checked("fail", id=None), finding(commit=None, path="runs/7.safetensors"))),
    ]
    assert len({first, *others}) == 4


@each_result
def test_junit_is_well_formed_and_counts_right(value: CheckResult) -> None:
    written = junit.render(value)
    assert written.isascii()
    suites = ElementTree.fromstring(written)
    (suite,) = suites
    for element in (suites, suite):
        assert element.get("tests") == str(len(suite.findall("testcase"))) == str(value.checked)
        assert element.get("failures") == str(len(suite.findall("testcase/failure")))
        assert element.get("skipped") == str(len(suite.findall("testcase/skipped")))


def test_junit_fails_skips_and_tells_the_rest() -> None:
    def case(name: str) -> ElementTree.Element:
        found = ElementTree.fromstring(junit.render(RESULTS[name])).find("testsuite/testcase")
        assert found is not None
        return found

    failure = case("tests" if "tests" in RESULTS else "tensors").find("failure")
    assert failure is not None and failure.get("type") == "MVC001" and "not-finite" in (failure.text or "")
    assert "warning: MVC003" in (case("tensors").findtext("system-out") or "")
    skipped = case("skip").find("skipped")
    assert skipped is not None and "5 are needed" in (skipped.get("message") or "")
    assert case("expired").find("failure") is None
    assert "was ignored until 2030-01-31" in (case("expired").findtext("system-out") or "")
    assert "ignored until 2030-01-31: larger batch: MVC002" in (case("ignored").findtext("system-out") or "")
    assert case("file").get("name") == "/tmp/a b.pt" and case("pass").get("classname") == "mvc.run-7"


@each_result
def test_annotations_are_no_other_commands(value: CheckResult) -> None:
    lines = github.render(value).splitlines()
    assert len(lines) == len(github.render(value).split("\n"))
    *annotations, last = lines
    rules = {(f.rule, False) for f in value.findings} | {(f.rule, True) for f in value.ignored}
    assert len(annotations) == len(rules) + sum(commit.blocked for commit in value.commits)
    for line in annotations:
        found = re.fullmatch(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)", line)
        assert found is not None, line
        assert not re.search(r"%(?!25|0D|0A|3A|2C)", found[2] + found[3])
    assert last.startswith(f"{value.checked} checkpoint") and ("ignored" in last) == bool(value.ignored)
    assert "::" not in last and "##[" not in last


def test_weights_that_were_not_fetched_are_counted_on_their_own() -> None:
    lines = list(text.render(replace(RESULTS["blocked"], commits=RESULTS["blocked"].commits * 5, checked=5)))
    assert sum("git lfs pull" in line for line in lines) == 5 and "5 not fetched" in lines[-1]
    told = github.render(RESULTS["blocked"]).splitlines()[0]
    assert told == "::warning title=not fetched::a.pt: not fetched; git lfs pull"


def test_annotations_have_the_weight_that_the_policy_gives() -> None:
    first, second, last = github.render(RESULTS["tensors"]).splitlines()
    assert first.startswith("::error title=MVC001 not-finite::runs/7.safetensors (abababab): layer.0: it is; ")
    assert second.startswith("::warning title=MVC003 turning-angle::")
    assert last == "1 checkpoint checked: 0 passed, 1 failed"
    assert github.render(RESULTS["ignored"]).startswith("::notice title=MVC002 step-length::")
    percent = result(checked("fail", path="50%"), finding(message="100%\nsure"))
    assert "50%25 (abababab): 100%25\\nsure" in github.render(percent)


@settings(deadline=None, max_examples=40)
@given(name=st.text(st.characters(), max_size=30), reason=st.text(st.characters(), max_size=30))
@example(name="\ud800", reason="\udc80")
def test_no_name_breaks_any_report(name: str, reason: str) -> None:
    value = result(
        checked("fail", None, path=name, lineage=name, reason=reason),
        finding(tensor=name, message=reason),
        ignored=(finding("MVC004", tensor=name, ignore=IgnoredFor(reason, None)),),
    )
    assert strict(sarif.render(value))["runs"][0]["results"]
    assert ElementTree.fromstring(junit.render(value)).get("failures") == "1"
    assert len(github.render(value).splitlines()) == 3
    assert all(visible(line) for line in text.render(value))


def visible(line: str) -> bool:
    """Whether nothing in it but colours steers a terminal; wide and narrow spaces are left as they are."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", line)
    return all(char.isprintable() or unicodedata.category(char) == "Zs" for char in plain)


@each_result
def test_text_steers_no_terminal(value: CheckResult) -> None:
    for line in text.render(value):
        assert visible(line)


def test_text_lists_only_what_there_is_to_see_among_many() -> None:
    passed = [checked("pass", id=f"{i:02}" * 32) for i in range(9)]
    many = replace(RESULTS["tensors"], checked=10, commits=(*passed, *RESULTS["tensors"].commits))
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in text.render(many)]
    assert [line[:6] for line in lines if line[0] != " "][:1] == ["✗ fail"]
    assert any(line == "10 checkpoints checked: 9 passed, 1 failed" for line in lines)


def test_the_last_line_says_why_some_were_not_judged() -> None:
    lacks = ["past", "past", "tensors", "step", "weights", None]
    commits = [checked("skip" if lack else "pass", None, id=f"{i:064}", lacking=lack) for i, lack in enumerate(lacks)]
    said = [*text.render(CheckResult("pass", len(commits), (), tuple(commits)))][-1]
    assert re.sub(r"\x1b\[\d*m", "", said) == (
        "6 checkpoints checked: 1 passed, 2 with too little before them to judge by, 1 whose tensors or those "
        "before were given up, 1 that are copies or averages, 1 without trainable weights"
    )
