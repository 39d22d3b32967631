"""What a policy makes of findings, and what it refuses to be."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from mvc.drift import RULES, About, Policy, RuleFinding, find_rule, parse_policy
from mvc.errors import InputError

TODAY = date(2030, 1, 31)
LONG = RuleFinding("MVC002", "long", 3.0, 1.0, 1e-7)


def policy(text: str) -> Policy:
    return parse_policy(tomllib.loads(text), "p.toml")


def test_without_a_policy_every_rule_is_as_the_catalogue_says() -> None:
    for rule in RULES.values():
        ruling = Policy().apply(RuleFinding(rule.id, "", 1.0, 0.0, 0.0), About(), TODAY)
        assert (None if ruling is None else ruling.severity) == (None if rule.severity == "off" else rule.severity)
    assert policy("") == Policy()


def test_a_rule_goes_by_id_name_or_group_and_its_own_word_goes_first() -> None:
    read = policy('[rules]\nstep = "off"\nMVC003 = "fail"\nnot-finite = "warn"\n')
    assert read.severities["MVC003"] == "fail" and read.severities["MVC001"] == "warn"
    assert all(
        read.severities[rule.id] == "off" for rule in RULES.values() if rule.group == "step" and rule.id != "MVC003"
    )
    assert read.apply(LONG, About(), TODAY) is None


def test_a_limit_is_the_probability_from_which_a_rule_speaks() -> None:
    assert Policy().apply(LONG, About(), TODAY) is not None
    assert policy("[limits]\nstep-length = 1e-8").apply(LONG, About(), TODAY) is None
    rare = RuleFinding("MVC002", "less long", 2.0, 1.0, 5e-4)
    assert Policy().apply(rare, About(), TODAY) is None
    assert policy("[limits]\nMVC002 = 1e-3").apply(rare, About(), TODAY) is not None


IGNORE = '[[ignore]]\nrule = "MVC002"\nreason = "known"\n'


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ("", True),
        ('commit = "3F2A"', True),
        ('commit = "3f2b"', False),
        ('lineage = "run-*"', True),
        ('lineage = "other"', False),
        ('path = "runs/*.safetensors"', True),
        ('path = "*.pt"', False),
        ('tensor = "fc?.weight"', True),
        ('tensor = "head.*"', False),
        ('commit = "3f2a"\nlineage = "other"', False),
    ],
)
def test_an_ignore_covers_what_matches_all_that_it_says(more: str, covered: bool) -> None:
    finding = RuleFinding("MVC002", "long", 3.0, 1.0, 1e-7, tensor="fc1.weight")
    about = About(commit="3f2a91", lineage="run-7", path="runs/a/7.safetensors")
    ruling = policy(IGNORE + more).apply(finding, about, TODAY)
    assert ruling is not None and ruling.ignored == covered and (ruling.ignore is not None) == covered


def test_another_rule_is_not_ignored() -> None:
    ruling = policy(IGNORE).apply(RuleFinding("MVC001", "NaN", 1.0, 0.0, 0.0), About(), TODAY)
    assert ruling is not None and not ruling.ignored


def test_an_ignore_holds_on_its_last_day_and_then_the_finding_counts_again() -> None:
    read = policy(IGNORE + "expires = 2030-01-31")
    last, after = (read.apply(LONG, About(), day) for day in (TODAY, date(2030, 2, 1)))
    assert last is not None and last.ignored
    assert after is not None and not after.ignored and after.ignore == read.ignores[0]


def test_of_two_ignores_the_one_that_holds_counts() -> None:
    read = policy(IGNORE + "expires = 2020-01-01\n" + IGNORE.replace("known", "again"))
    ruling = read.apply(LONG, About(), TODAY)
    assert ruling is not None and ruling.ignored and ruling.ignore is not None and ruling.ignore.reason == "again"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = 1", "unknown table 'rule'"),
        ("rules = 3", "'rules' is no table"),
        ('[rules]\nMVC999 = "fail"', "no rule 'MVC999'"),
        ('[rules]\nMVC001 = "maybe"', "cannot be 'maybe'"),
        ("[rules]\nMVC001 = true", "cannot be True"),
        ('[rules]\nMVC001 = "fail"\nnot-finite = "warn"', "one rule with two severities"),
        ("[limits]\nMVC002 = 2", "cannot be 2"),
        ("[limits]\nMVC002 = nan", "cannot be nan"),
        ('[limits]\nMVC002 = "low"', "cannot be 'low'"),
        ("[limits]\nMVC002 = 1e-3\nstep-length = 1e-4", "one rule with two limits"),
        ("[limits]\nstep = 1e-3", "no rule 'step'"),
        ('[ignore]\nrule = "MVC002"', "no list of tables"),
        ('[[ignore]]\nreason = "x"', "names no rule"),
        ('[[ignore]]\nrule = "MVC002"', "has no reason"),
        ('[[ignore]]\nrule = "MVC002"\nreason = " "', "'reason' cannot be ' '"),
        (IGNORE + 'expires = "2030-01-31"', "cannot expire"),
        (IGNORE + "expires = 2030-01-31T10:00:00", "cannot expire"),
        (IGNORE + 'untill = "x"', "unknown key of an ignore 'untill'"),
        (IGNORE + 'commit = "3f"', "commit cannot be '3f'"),
        (IGNORE + 'commit = "HEAD"', "commit cannot be 'HEAD'"),
        (IGNORE + "path = 3", "'path' cannot be 3"),
    ],
)
def test_what_cannot_be_used_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        policy(text)
    assert caught.value.message.startswith("p.toml: ") and caught.value.hint and caught.value.code == "bad-policy"


def test_rules_are_found_by_id_and_name_and_close_ones_are_named() -> None:
    assert find_rule("mvc002") is find_rule("step-length") is RULES["MVC002"]
    with pytest.raises(InputError) as caught:
        find_rule("step-lenght")
    assert "step-length" in caught.value.hint


def test_what_the_template_shows_commented_out_is_a_policy() -> None:
    text = (Path(__file__).parents[2] / ".mvc-template" / "policy.toml").read_text("utf-8")
    assert policy(text) == Policy()
    examples = policy(re.sub(r"^# (?=\[\[ignore|[\w-]+ = )", "", text, flags=re.MULTILINE))
    assert examples.severities == Policy().severities, "the template's are the defaults"
    assert len(examples.ignores) == 1 and len(examples.limits) == 2
    assert all(f"# {rule.id} = " in text for rule in RULES.values())
