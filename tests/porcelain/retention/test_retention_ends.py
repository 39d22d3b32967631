"""Which end of a lineage its last commits are: where that is not sure, retention keeps both; and who comes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pytest

from mvc.porcelain.check import check
from mvc.porcelain.commits import Declared, commit
from mvc.porcelain.gc import gc, retention
from mvc.porcelain.log import log
from mvc.porcelain.results.logs import DirectionResult, LogLineage
from mvc.porcelain.retention import always_kept, chosen, may_run_back, parse_keep
from mvc.porcelain.workspace import Workspace

TIME = datetime(2024, 1, 1, tzinfo=UTC)


def lineage(
    workspace: Workspace, walk: Any, write: Any, source: Literal["weights", "declared", "undecided"]
) -> LogLineage:
    """Six commits, an hour apart, of which the engine says that it is 99 % sure."""
    for number, point in enumerate(walk(1, 6)):
        commit(workspace, [write(f"{number}.safetensors", point)], time=TIME + timedelta(hours=number))
    [found] = log(workspace).lineages
    commits = tuple(
        replace(one, position=place) for place, one in enumerate(sorted(found.commits, key=lambda one: one.time))
    )
    return replace(found, commits=commits, direction=DirectionResult(0.99, source))


def turned(found: LogLineage) -> LogLineage:
    commits = tuple(replace(one, position=place) for place, one in enumerate(reversed(found.commits)))
    return replace(found, commits=commits)


def kept(found: LogLineage) -> list[int]:
    held = chosen(found, parse_keep("last=2"), {}).keys() | always_kept((found,), {}, {}).keys()
    return [one.position for one in found.commits if one.id in held]


def test_a_direction_that_times_contradict_keeps_both_ends(workspace: Workspace, walk: Any, write: Any) -> None:
    found = lineage(workspace, walk, write, "weights")
    assert not may_run_back(found) and kept(found) == [4, 5]
    assert may_run_back(turned(found)) and kept(turned(found)) == [0, 1, 4, 5]


def test_a_direction_that_steps_contradict_keeps_both_ends(workspace: Workspace, walk: Any, write: Any) -> None:
    found = lineage(workspace, walk, write, "weights")
    stepped = replace(found, commits=tuple(replace(one, step=float(-one.position)) for one in found.commits))
    assert may_run_back(stepped) and kept(stepped) == [0, 1, 4, 5]


@pytest.mark.parametrize(("source", "places"), [("declared", [4, 5]), ("undecided", [0, 1, 4, 5])])
def test_what_is_declared_is_believed(
    workspace: Workspace, walk: Any, write: Any, source: Literal["declared", "undecided"], places: list[int]
) -> None:
    found = turned(lineage(workspace, walk, write, source))
    assert kept(found) == places


def test_commits_of_one_moment_contradict_nothing(workspace: Workspace, walk: Any, write: Any) -> None:
    found = lineage(workspace, walk, write, "weights")
    assert not may_run_back(replace(found, commits=tuple(replace(one, time=TIME.isoformat()) for one in found.commits)))
    assert not may_run_back(replace(found, commits=tuple(replace(one, time="late") for one in found.commits)))


def test_the_proposal_says_how_sure_it_is(workspace: Workspace, walk: Any, write: Any) -> None:
    shapes = {"w": (80, 70)}
    for number, point in enumerate(walk(1, 8, shapes=shapes)):
        commit(workspace, [write(f"{number}.safetensors", point)], step=number)
    [row] = retention(workspace, "last=2").lineages
    assert row.direction == log(workspace).lineages[0].direction and not row.both_ends
    assert row.direction.source == "declared" and [one.position for one in row.commits] == [0, 1, 2, 3, 4, 5]


def test_a_later_commit_between_those_without_tensors_is_not_passed_unseen(
    workspace: Workspace, walk: Any, write: Any
) -> None:
    shapes = {"w": (80, 70)}
    points = walk(1, 12, shapes=shapes)
    steps = {write(f"{number}.safetensors", point): number for number, point in enumerate(points) if number != 8}
    commit(workspace, list(steps), each=lambda path: Declared(step=steps[path]))
    gc(workspace, keep="last=2")
    spoilt = {name: value.copy() for name, value in points[8].items()}
    spoilt["w"][3, 5] = np.inf
    for number, (point, verdict) in enumerate(((points[8], "skip"), (spoilt, "fail"))):
        made = commit(workspace, [write(f"late{number}.safetensors", point)], step=8 + number / 10).commits[0]
        [judged] = check(workspace, [made.id]).commits
        assert (judged.verdict, "its step was not judged" in judged.reason) == (verdict, True)
