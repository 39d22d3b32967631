"""The document of the rules says what the catalogue says, and the catalogue is fit to be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mvc.cli.rulebook import brought_up_to_date
from mvc.drift import RULES, Rule
from mvc.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["docs/rules.md", ".mvc-template/policy.toml"])
def test_what_is_said_of_rules_is_up_to_date(name: str) -> None:
    written = (ROOT / name).read_text("utf-8")
    again = brought_up_to_date(written, Path(name).suffix)
    assert written == again, f"run: make rules  (or: python -m mvc.cli.rulebook {name})"


def test_what_is_written_by_hand_stays() -> None:
    for heading in ("## How a step is judged", "## How declared facts are judged", "## Known weaknesses"):
        assert heading in (ROOT / "docs" / "rules.md").read_text("utf-8")


def test_a_document_without_a_place_for_rules_is_refused() -> None:
    with pytest.raises(InputError):
        brought_up_to_date("# Rules\n", ".md")


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_every_rule_says_what_people_need(rule: Rule) -> None:
    assert re.fullmatch(r"MVC\d{3}", rule.id) and re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.summary[0].islower() and not rule.summary.endswith(".")
    for words in (rule.catches, rule.misses, rule.remedy):
        assert words[0].isupper() and words.rstrip().endswith(".") and "\n" not in words and "|" not in rule.summary


def test_no_two_rules_have_one_name() -> None:
    assert len({rule.name for rule in RULES.values()}) == len(RULES)
    assert {rule.name for rule in RULES.values()}.isdisjoint(rule.group for rule in RULES.values())
