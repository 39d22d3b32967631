"""The graph says everything or says how much it leaves out."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from mvc.cli.commands.log import render
from mvc.cli.graph import draw
from mvc.cli.mixtures import Source, mixture_lines
from mvc.cli.text import width
from mvc.porcelain.results.logs import LogLineage, LogResult, MixtureWeight

sys.path.insert(0, str(Path(__file__).parent))
from samples import commit_id, forest, lineage


def lines(lineages: object, columns: int = 80, newest: int | None = None) -> list[str]:
    return [click.unstyle(line) for line in draw(lineages, columns, newest)]  # type: ignore[arg-type]


def test_every_commit_of_a_small_forest_is_drawn() -> None:
    result = forest()
    text = "\n".join(lines(result.lineages))
    for item in result.lineages:
        assert item.name in text
        for commit in item.commits:
            assert commit.id[:8] in text
    assert "more" not in text


@pytest.mark.parametrize("length", [1, 50, 5000])
def test_what_is_left_out_is_counted(length: int) -> None:
    drawn = lines([lineage("run", length)])
    nodes = sum("●" in line for line in drawn)
    hidden = sum(int(found[1].replace(",", "")) for line in drawn if (found := re.search(r"… ([\d,]+) more", line)))
    assert nodes + hidden == length
    assert len(drawn) < 140
    if hidden:
        assert "mvc log run shows them" in "\n".join(drawn)


def test_many_lineages_stay_within_reason() -> None:
    drawn = lines([lineage(f"run-{i}", 50) for i in range(100)])
    assert len(drawn) < 1000
    assert all(f"run-{i} " in "\n".join(drawn) for i in range(100))


def test_rows_fit_the_width() -> None:
    long = lineage("n" * 200, 30, message="m" * 300, path="p/" * 200 + "{index}")
    for columns in (40, 80, 120):
        assert max(map(width, lines([long, *forest().lineages], columns))) <= columns


def test_a_fork_joins_the_very_commit_it_left() -> None:
    drawn = lines([lineage("main", 6), lineage("side", 3, fork=("main", 2))])
    join = next(i for i, line in enumerate(drawn) if "╯" in line)
    assert drawn[join].startswith("├┄╯")
    assert lineage("main", 6).commits[2].id[:8] in drawn[join + 1]
    assert "@0" in drawn[join - 1]


def test_a_fork_from_the_tip_opens_the_lane() -> None:
    drawn = lines([lineage("main", 2), lineage("side", 1, fork=("main", 1))])
    assert any(line.startswith("╭┄╯") for line in drawn)


def test_declared_is_solid_and_inferred_dotted() -> None:
    declared, inferred = lines([lineage("a", 4, source="declared")]), lines([lineage("a", 4)])
    assert any(line.startswith("│") for line in declared) and not any("┊" in line for line in declared)
    assert any(line.startswith("┊") for line in inferred) and not any("│" in line for line in inferred)


def test_forks_of_forks_do_not_run_off_the_screen() -> None:
    chain = [lineage("l0", 2)] + [lineage(f"l{i}", 2, fork=(f"l{i - 1}", 1)) for i in range(1, 200)]
    drawn = lines(chain)
    assert max(map(width, drawn)) <= 80
    assert any("forks off here" in line for line in drawn)


def test_a_fork_whose_parent_is_not_shown_says_where_it_left() -> None:
    drawn = "\n".join(lines([lineage("side", 3, fork=("main", 2))], columns=100))
    assert "forked from main" in drawn


def test_hostile_names_are_escaped() -> None:
    name = "\x1b[2J[bold]\u202e"
    drawn = "\n".join(lines([lineage(name, 3, message="\x1b]0;x\x07", path="\u202e{index}", tags={2: (name,)})]))
    assert "\x1b" not in drawn and "\u202e" not in drawn
    assert "[bold]" in drawn


def soup(sources: int, name: str = "soup") -> LogLineage:
    """An average of the last commits of ``main``, with equal weights but for the first."""
    (made,) = lineage(name, 1, fork=("main", 59)).commits
    weights = [1.0 - 0.01 * (sources - 1), *([0.01] * (sources - 1))]
    parts = [MixtureWeight(commit_id(f"main{59 - 2 * i}"), w) for i, w in enumerate(weights)]
    made = replace(made, relation="mixes", mixture=tuple(parts))
    return replace(lineage(name, 1, fork=("main", 59)), commits=(made,))


def test_an_average_is_drawn_with_its_sources_and_weights() -> None:
    drawn = lines([lineage("main", 60), soup(2)])
    (node,) = (i for i, line in enumerate(drawn) if "◆" in line)
    assert "mixes" in drawn[node]
    assert drawn[node + 1].strip("┊│ ") == "= 0.99 × main@59 + 0.01 × main@57"
    assert "╯" in drawn[node + 2]


@pytest.mark.parametrize("columns", [40, 80])
def test_sources_that_do_not_fit_are_counted(columns: int) -> None:
    drawn = lines([lineage("main", 60), soup(30)], columns)
    named = sum(len(re.findall(r"× main@\d+", line)) for line in drawn)
    (more,) = (line for line in drawn if "more sources" in line)
    found = re.search(r"… (\d+) more sources", more)
    assert found is not None and named + int(found[1]) == 30
    assert soup(30).commits[0].id[:8] in more or columns < 60
    assert max(map(width, drawn)) <= columns


def test_neighbours_with_equal_weights_are_one_term() -> None:
    parts = [Source(f"{i:064}", 0.1, "run", i) for i in (9, 3, 4, 5)]
    assert list(mixture_lines(parts, 80)) == ["= 0.1 × each of run@3…5 + 0.1 × run@9"]
    assert list(mixture_lines([Source("a" * 64, 1.5), Source("b" * 64, -0.5)], 80)) == [
        "= 1.5 × aaaaaaaa - 0.5 × bbbbbbbb"
    ]


def test_many_averages_stay_within_reason() -> None:
    drawn = lines([lineage("main", 60), *(soup(20, f"soup-{i}") for i in range(50))])
    assert sum("◆" in line for line in drawn) + told_briefly(drawn) == 50
    assert len(drawn) < 250
    whole = lines([lineage("main", 60), *(soup(20, f"soup-{i}") for i in range(50))], newest=60)
    assert sum("◆" in line for line in whole) == 50


def told_briefly(drawn: list[str]) -> int:
    """Lineages with a line of their own, and those that are counted."""
    named = sum(bool(re.search(r"… \S+  [\d,]+ commits?\b", line)) for line in drawn)
    return named + sum(int(found[1].replace(",", "")) for line in drawn if (found := re.search(MORE, line)))


MORE = r"… ([\d,]+) more lineages?, [\d,]+ commits? \(mvc log --graph --all draws them\)"


@pytest.mark.parametrize("at", [1, 500])
def test_many_lineages_are_counted(at: int) -> None:
    """Forks of one commit, with a fork on every tenth of them, and as many lineages that start on their own."""
    off = [lineage(f"f{i}", 5, fork=("main", at)) for i in range(300)]
    further = [lineage(f"g{i}", 2, fork=(f"f{i}", 3)) for i in range(0, 300, 10)]
    roots = [lineage(f"r{i}", 4) for i in range(300)]
    drawn = lines([lineage("main", 1000), *off, *further, *roots])
    heads = sum(bool(re.search(r"  [\d,]+ commits ·", line)) for line in drawn)
    assert len(drawn) < 500
    # a lineage that forks off a brief one is counted with it, or named in its line
    within = sum(int(found[1]) for line in drawn if (found := re.search(r"commits, (\d+) lineages? off it", line)))
    assert heads + told_briefly(drawn) + within == 1 + 300 + 30 + 300


FLAGS = tuple(f"MVC{number:03}" for number in range(2, 8))
MESSAGES = ["", "short", "m" * 300, "学習率を半分にして、データを増やした" * 4, "🚀🔥 e\u0301 \u2764\ufe0f " * 20]
PATHS = ["{index}", "p/" * 60 + "{index}.safetensors", "モデル/" * 20 + "第一回{index}.pt", "a" * 200 + "{index}"]


@pytest.mark.parametrize("columns", [40, 47, 60, 80, 100, 160])
@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_rows_fit_whatever_stands_in_them(columns: int, message: str, path: str) -> None:
    flags = {1: FLAGS[:1], 2: FLAGS[:2], 3: FLAGS}
    tags = {2: ("v1",), 3: ("t" * 70, "v1"), 4: ("best", "first-light", "release")}
    drawn = lineage("run", 6, source="declared", message=message, path=path, flags=flags, tags=tags)
    for printed in (
        lines([drawn], columns),
        [click.unstyle(line) for line in render(LogResult((drawn,)), columns, None)],
    ):
        assert max(map(width, printed)) <= columns
        for position, wanted in flags.items():
            row = next(line for line in printed if f"@{position} " in line)
            assert "! " in row, "a commit with a flag looks like any other"
            assert all(flag in row for flag in wanted) or re.search(r"\+\d", row)


def test_a_message_and_a_path_do_not_run_together() -> None:
    message, flags = "batch 12, seed 7, a long one", {2: FLAGS[:2]}
    drawn = LogResult((lineage("run", 3, source="declared", message=message, path="point-{index}.pt", flags=flags),))
    for columns in range(60, 140, 3):
        for line in [click.unstyle(line) for line in render(drawn, columns, None)][2:]:
            said, gap, path = ("batch" + line.partition("batch")[2]).partition("  ")
            assert message.startswith(said.removesuffix("…")) and (not gap or re.fullmatch(r"[\w…-]+(\.pt)?", path)), (
                line
            )
