"""Names are hostile: nothing that reaches a terminal may steer it."""

from __future__ import annotations

import sys
import unicodedata

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.cli.messages import paint
from mvc.cli.text import _ODD, _joins, bar, escape, fit, fit_path, number, pad, percent, size, width, wrapped

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "a\nb",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u200bzero",
    "\ud800",
    "\x00",
    "\u2028",
    "\ue000",
    "\U000e0041tag",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_visible(name: str) -> None:
    shown = escape(name)
    assert "\\" in shown
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} for char in shown)


@given(st.text())
def test_escape_leaves_one_printable_line(name: str) -> None:
    shown = escape(name)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert escape(shown) == shown


def test_markup_is_not_parsed() -> None:
    assert escape("[red]x[/red] [link=file:///]y") == "[red]x[/red] [link=file:///]y"
    assert click.unstyle(paint(escape("[bold]x"), "name")) == "[bold]x"


@given(st.text(), st.integers(min_value=1, max_value=40), st.sampled_from(["start", "end", "both"]))
def test_fit_never_exceeds_its_columns(text: str, columns: int, keep: str) -> None:
    assert width(fit(escape(text), columns, keep=keep)) <= columns


def test_figures_read_well() -> None:
    assert [number(x) for x in (0.41234, 3.0, 12345.678, 1.2e-9, None, float("nan"), float("inf"))] == [
        "0.412",
        "3",
        "12346",
        "1.20e-09",
        "–",
        "NaN",
        "∞",
    ]
    assert [percent(x) for x in (0.0, 0.00001, 0.0512, 0.971, -0.2)] == ["0.0 %", "<0.1 %", "5.1 %", "97 %", "-20 %"]
    assert [size(x) for x in (12, 4_900_000, 999, 10**12)] == ["12 B", "4.9 MB", "999 B", "1 TB"]


def test_bars_are_never_invisible_and_never_too_long() -> None:
    assert bar(1e-9, 1.0, 8).strip()
    assert bar(5.0, 1.0, 8) == "█" * 8
    assert bar(None, 1.0, 8) == bar(float("nan"), 1.0, 8) == " " * 8
    assert len(bar(0.37, 1.0, 8)) == 8


def test_what_is_measured_by_its_length_takes_one_column_each() -> None:
    told = [chr(code) for code in range(sys.maxunicode + 1) if not _ODD.search(chr(code))]
    assert len(told) > 1000
    assert not any(_joins(char) or unicodedata.east_asian_width(char) in "WF" for char in told)


def test_wide_characters_take_two_columns() -> None:
    assert width("重み") == 4
    assert width(pad("重み", 10)) == 10


@pytest.mark.parametrize("text", ["e\u0301" * 30, "\u2764\ufe0f" * 30, "न\u094d" * 30])
def test_marks_take_no_column_and_stay_with_their_letter(text: str) -> None:
    assert width(text) == 30
    cut = fit(text, 12, keep="both")
    assert width(cut) <= 12 and not any(mark in cut for mark in ("…\u0301", "…\ufe0f", "…\u094d"))


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (39, "runs/first/checkpoint-00012.safetensors"),
        (32, "…st/checkpoint-00012.safetensors"),
        (29, "…checkpoint-00012.safetensors"),
        (28, "checkpoint-00012…"),
        (17, "checkpoint-00012…"),
        (10, "chec…00012"),
    ],
)
def test_of_a_path_the_name_stays_longest(columns: int, shown: str) -> None:
    assert fit_path("runs/first/checkpoint-00012.safetensors", columns) == shown


def test_prose_is_broken_only_where_there_is_a_width() -> None:
    assert wrapped("one two " * 20, None, "  ") == ["  " + "one two " * 20]
    assert max(map(len, wrapped("one two " * 20, 40, "  ", "    "))) <= 40
