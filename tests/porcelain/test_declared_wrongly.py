"""Checks of declared steps, parents and runs, from files to findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.results.checks import Finding
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Walk = Callable[..., list[dict[str, Any]]]


def record(workspace: Workspace, write: Write, name: str, points: Sequence[Any], **declared: Any) -> list[str]:
    """Commits of one call; ``steps`` are written into the files."""
    steps = declared.pop("steps", [None] * len(points))
    paths = [
        write(f"repo/{name}{i:02}.safetensors", point, **({} if step is None else {"step": str(step)}))
        for i, (point, step) in enumerate(zip(points, steps, strict=True))
    ]
    return [row.id for row in commit(workspace, paths, **declared).commits]


def provenance(workspace: Workspace, *commits: str) -> list[Finding]:
    return [row for row in check(workspace, commits).findings if row.rule in ("MVC018", "MVC019")]


def test_right_declarations_are_not_doubted(workspace: Workspace, write: Write, walk: Walk) -> None:
    first = record(workspace, write, "a", walk(1, 10), steps=range(10), run="one")
    fork = walk(3, 6, start=walk(1, 10)[6])[1:]
    forked = record(workspace, write, "f", fork[:1], parent=first[6], run="two")
    forked += record(workspace, write, "g", fork[1:], run="two")
    other = record(workspace, write, "b", walk(2, 8), run="three")
    assert provenance(workspace, *first, *forked, *other) == []


def test_a_step_that_was_declared_wrongly_is_named(workspace: Workspace, write: Write, walk: Walk) -> None:
    ids = record(workspace, write, "a", walk(1, 12), steps=[0, 1, 2, 9.5, *range(4, 12)])
    (found,) = provenance(workspace, *ids)
    assert (found.rule, found.commit, found.severity) == ("MVC018", ids[3], "warn")
    assert "step 9.5" in found.message and "between steps 2 and 4" in found.message


def test_a_copy_alone_declares_a_step(workspace: Workspace, write: Write, walk: Walk) -> None:
    points = walk(1, 8)
    record(workspace, write, "a", points)
    (copy,) = record(workspace, write, "b", points[-1:], steps=[150])
    assert provenance(workspace, copy) == []


def test_a_parent_that_is_a_stranger(workspace: Workspace, write: Write, walk: Walk) -> None:
    first = record(workspace, write, "a", walk(1, 8))
    second = record(workspace, write, "b", walk(2, 4))
    (alone,) = record(workspace, write, "c", walk(5, 6)[5:], parent=first[5])
    (child,) = record(workspace, write, "d", walk(2, 5)[4:], parent=first[5])
    found = {row.commit: row for row in provenance(workspace, *first, *second, alone, child)}
    assert set(found) == {alone, child} and {row.rule for row in found.values()} == {"MVC019"}
    assert all("nothing in common" in row.message for row in found.values())


def test_a_sibling_is_no_parent(workspace: Workspace, write: Write, walk: Walk) -> None:
    trunk = walk(1, 6)
    record(workspace, write, "a", trunk)
    sibling = record(workspace, write, "s", walk(3, 5, start=trunk[5])[1:])
    (child,) = record(workspace, write, "c", walk(4, 2, start=trunk[5])[1:], parent=sibling[-1])
    (found,) = provenance(workspace, *sibling, child)
    assert (found.rule, found.commit) == ("MVC019", child) and found.value is not None and found.value > 1.5
    assert "do not come from" in found.message


def test_a_child_with_its_units_in_another_order_is_still_a_child(
    workspace: Workspace, write: Write, walk: Walk
) -> None:
    points = walk(1, 6)
    ids = record(workspace, write, "a", points)
    order = np.random.default_rng(0).permutation(12)
    last = points[-1]
    permuted = {
        "fc1.weight": last["fc1.weight"][order],
        "fc1.bias": last["fc1.bias"][order],
        "fc2.weight": last["fc2.weight"][:, order],
    }
    (child,) = record(workspace, write, "p", [permuted], parent=ids[-1])
    assert provenance(workspace, child) == []


def test_a_run_of_strangers(workspace: Workspace, write: Write, walk: Walk) -> None:
    first = record(workspace, write, "a", walk(1, 8), run="blue")
    (guest,) = record(workspace, write, "b", walk(2, 5)[4:], run="blue")
    (found,) = provenance(workspace, *first, guest)
    assert found.commit == guest and "'blue'" in found.message
