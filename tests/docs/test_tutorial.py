"""The tutorial and the how-tos run as they stand, in a real shell, and print what they say; every command is in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from demo.pages import brought_up_to_date, shown_by
from mvc.cli.table import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
#: what trainings on two machines may disagree on, and what stands for it
_WILD = [
    (r"\b[0-9a-f]{8,}\b", "ID"),
    (r"\d{4}-\d\d-\d\d[T ][\d:.+]+", "TIME"),
    (r"\b[a-z]+-[a-z]+(?=[ @:.)]|$)", "NAME"),
    (r"[<>]?-?\d[\d,]*(\.\d+)?(e-?\d+)?", "N"),
    (r"[█▉▊▋▌▍▎▏▁▂▃▄▅▆▇]+", "BAR"),
    (r"\b(kB|MB|B)\b", "BYTES"),
    (r"[ ]+", " "),
]


def plain(printed: str) -> list[str]:
    """Lines without figures, ids, names of lineages, times and bars."""
    for pattern, stand in _WILD:
        printed = re.sub(pattern, stand, printed, flags=re.MULTILINE)
    return [line.strip() for line in printed.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_and_prints_what_it_says(page: Path) -> None:
    found = list(shown_by(page.read_text("utf-8")))
    assert len(found) >= 4
    for one in found:
        assert one.code == 0, f"{one.command}\n{one.printed}"
        said = f"run: python -m demo.pages docs/{page.relative_to(DOCS)}\n{one.command}\n{one.printed}"
        assert plain(one.written) == plain(one.printed), said


def test_pages_are_brought_up_to_date() -> None:
    page = "text\n\n<!-- before:\necho one > file\n-->\n```console\n$ cat file\nold\n$ wc -l < file\n```\nmore\n"
    assert brought_up_to_date(page) == page.replace("old\n", "one\n").replace("< file\n", "< file\n1\n")


def test_what_differs_between_machines_is_left_out() -> None:
    here = "640a64f8  extends    calm-puffin@9      step 0.392, 99 % sure   …009.safetensors\n3 commits in 3 lineages"
    there = "12ab9f00  extends    windy-fountain@10  step 1.4, >99 % sure    …010.safetensors\n4 commits in 2 lineages"
    assert plain(here) == plain(there)
    assert plain(here) != plain(there.replace("extends", "forks off"))


def test_the_pages_know_every_command() -> None:
    text = "".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))
    assert {name for name in COMMANDS if f"mvc {name}" not in text} == set()
