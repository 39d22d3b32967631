"""Lineages' names and what users declare of them; tags; names as a function of the lineages alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import list_lineages, pin, rename, unpin
from mvc.porcelain.log import log, natural
from mvc.porcelain.naming import ADJECTIVES, NOUNS, Unnamed, choose_names
from mvc.porcelain.tags import create_tag, delete_tag, list_tags
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]


@pytest.fixture
def two_runs(workspace: Workspace, write: Write, walk: Any) -> Workspace:
    for run in (1, 2):
        commit(workspace, [write(f"{run}/{n}.safetensors", point) for n, point in enumerate(walk(run, 5))])
    assert len(log(workspace).lineages) == 2
    return workspace


def _names(workspace: Workspace) -> set[tuple[str, str]]:
    return {(row.name, row.name_source) for row in list_lineages(workspace).lineages}


def test_lineages_are_listed_with_tip_and_size(two_runs: Workspace) -> None:
    told = {row.id: row for row in log(two_runs).lineages}
    for row in list_lineages(two_runs).lineages:
        assert (row.commits, row.tip) == (5, told[row.id].commits[-1].id)
        assert row.id == told[row.id].commits[0].id and row.name_source == "given"


def test_a_name_can_be_changed_and_stays_with_its_lineage(two_runs: Workspace, write: Write, walk: Any) -> None:
    before = list_lineages(two_runs).lineages
    (renamed,) = rename(two_runs, before[0].name, "baseline").lineages
    assert (renamed.name, renamed.name_source, renamed.id) == ("baseline", "renamed", before[0].id)
    commit(two_runs, [write("3/a.safetensors", walk(3, 1)[0])])
    assert ("baseline", "renamed") in _names(two_runs) and (before[1].name, "given") in _names(two_runs)
    rename(two_runs, "baseline", "again")
    assert sum(source == "renamed" for _, source in _names(two_runs)) == 1
    assert list(two_runs.repository.state().settings.values()) == ["again"]


@pytest.mark.parametrize("name", ["", "HEAD", "a b", "a@1", "a~1", "deadbeef", "x\x1b[0m", "-x", "a/b"])
def test_a_name_that_could_be_taken_for_something_else_is_refused(two_runs: Workspace, name: str) -> None:
    with pytest.raises(InputError) as caught:
        rename(two_runs, "HEAD", name)
    assert caught.value.code == "bad-name" and "tag" not in caught.value.message


def test_names_do_not_collide(two_runs: Workspace) -> None:
    first, second = (row.name for row in list_lineages(two_runs).lineages)
    create_tag(two_runs, "best")
    for taken in (second, "best"):
        with pytest.raises(ExistsError):
            rename(two_runs, first, taken)
    with pytest.raises(ExistsError):
        create_tag(two_runs, first)
    rename(two_runs, first, first)
    assert (first, "renamed") in _names(two_runs)


def test_a_declared_run_names_its_lineage(workspace: Workspace, write: Write, walk: Any) -> None:
    for n, point in enumerate(walk(1, 4)):
        commit(workspace, [write(f"{n}.safetensors", point)], run="seed 1" if n % 2 else None)
    assert _names(workspace) == {("seed 1", "declared")}


def test_two_architectures_with_one_run_name_get_two_names(workspace: Workspace, write: Write, walk: Any) -> None:
    for width in (3, 4):
        points = walk(width, 3, shapes={"w": (width, 9)})
        commit(workspace, [write(f"{width}-{n}.safetensors", point) for n, point in enumerate(points)], run="same")
    assert _names(workspace) == {("same", "declared"), ("same-2", "declared")}


def test_a_pinned_commit_stands_where_it_was_pinned(two_runs: Workspace, reopened: Any) -> None:
    first, second = log(two_runs).lineages
    moved = first.commits[2]
    before = two_runs.index.dump()
    (row,) = pin(two_runs, moved.id, second.name).lineages
    assert row.name == second.name and row.commits == 6
    for workspace in (two_runs, reopened(two_runs)):
        by_name = {lineage.name: lineage for lineage in log(workspace).lineages}
        here = {commit.id: commit for commit in by_name[second.name].commits}
        assert here[moved.id].evidence["source"] == "declared" and here[moved.id].confidence == 1.0
        assert [commit.position for commit in here.values()] == list(range(6))
        chain = [commit.parent for commit in here.values()]
        assert chain == [None, *list(here)[:-1]]
        assert moved.id not in {commit.id for commit in by_name[first.name].commits}
    unpin(two_runs, moved.id)
    after = two_runs.index.dump()
    assert {**after, "meta": before["meta"]} == before
    with pytest.raises(NotFoundError):
        unpin(two_runs, moved.id)


def test_pins_in_a_circle_and_to_themselves_harm_nobody(two_runs: Workspace) -> None:
    first, second = log(two_runs).lineages
    for commit_of, lineage in ((first, second), (second, first)):
        for row in commit_of.commits[:-1]:
            pin(two_runs, row.id, lineage.commits[-1].id)
    assert sum(len(row.commits) for row in log(two_runs).lineages) == 10
    with two_runs.repository.lock():
        a, b = first.commits[0].id, second.commits[0].id
        two_runs.declare("pin", settings={f"pin:{a}": b, f"pin:{b}": a, f"pin:{'0' * 64}": a, "pin:": ""})
    assert sum(len(row.commits) for row in log(two_runs).lineages) == 10


def test_a_commit_is_not_pinned_to_another_architecture(two_runs: Workspace, write: Write, walk: Any) -> None:
    alone = commit(two_runs, [write("other.safetensors", walk(1, 1, shapes={"x": (3, 3)})[0])]).commits[0]
    with pytest.raises(InputError, match="another architecture"):
        pin(two_runs, alone.id, log(two_runs).lineages[0].name)
    with pytest.raises(InputError, match="no other commit"):
        pin(two_runs, alone.id, alone.lineage)


def test_tags_are_set_listed_and_removed(two_runs: Workspace) -> None:
    create_tag(two_runs, "v2")
    create_tag(two_runs, "v1", "HEAD~1")
    assert [tag.name for tag in list_tags(two_runs).tags] == ["v1", "v2"]
    with pytest.raises(ExistsError):
        create_tag(two_runs, "v1")
    tagged = {row.id: row.tags for lineage in log(two_runs).lineages for row in lineage.commits if row.tags}
    assert sorted(tagged.values()) == [("v1",), ("v2",)]
    assert delete_tag(two_runs, "v1").tags[0].commit in tagged
    with pytest.raises(NotFoundError):
        delete_tag(two_runs, "v1")
    assert [tag.name for tag in list_tags(two_runs).tags] == ["v2"]


def test_words_are_plain_and_distinct() -> None:
    for words in (ADJECTIVES, NOUNS):
        assert len(words) == len(set(words)) >= 150
        assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([None, "a", "a-2"]), st.sampled_from(["", "r", "a"]))))
def test_names_are_unique_and_a_function_of_the_set(rows: list[tuple[int, str | None, str]]) -> None:
    unique = {key: (renamed, run) for key, renamed, run in rows}
    lineages = [Unnamed(f"{k:064}", renamed, frozenset({run} - {""})) for k, (renamed, run) in unique.items()]
    named = dict(zip(lineages, choose_names(lineages), strict=True))
    assert len({name for name, _ in named.values()}) == len(lineages)
    mixed = random.Random(0).sample(lineages, len(lineages))
    assert dict(zip(mixed, choose_names(mixed), strict=True)) == named


def test_more_lineages_than_pairs_of_words_have_names() -> None:
    lineages = [Unnamed(f"{n:064}", None, frozenset()) for n in range(3000)]
    assert len({name for name, _ in choose_names(lineages)}) == 3000


def test_run_2_comes_before_run_10() -> None:
    names = ["run 10", "run 2", "Run 1", "a", "7", "run"]
    assert sorted(names, key=natural) == ["7", "a", "run", "Run 1", "run 2", "run 10"]
