"""Damaged checkpoints among committed ones: what the log flags, what a check says of files, what is kept of steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import InputError
from mvc.index import StepRow
from mvc.porcelain import ledger
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.results.checks import Finding
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Walk = Callable[..., list[dict[str, Any]]]
SHAPES = {"fc1.weight": (16, 30), "fc1.bias": (16,), "fc2.weight": (16, 16), "fc3.weight": (16, 16)}
LENGTH = 12


def flip(point: dict[str, Any]) -> None:
    point["fc1.weight"].reshape(-1)[77:78].view(np.uint32)[0] ^= np.uint32(1 << 30)


def zero(point: dict[str, Any]) -> None:
    point["fc2.weight"][...] = 0


def scale(point: dict[str, Any]) -> None:
    point["fc1.weight"] *= 64


def swap(point: dict[str, Any]) -> None:
    point["fc1.weight"][[2, 7]] = point["fc1.weight"][[7, 2]]


def permute(point: dict[str, Any]) -> None:
    point["fc1.weight"] = point["fc1.weight"][np.random.default_rng(4).permutation(16)]


DAMAGE = [
    (flip, "MVC014", "fc1.weight"),
    (zero, "MVC013", "fc2.weight"),
    (scale, "MVC015", "fc1.weight"),
    (swap, "MVC016", "fc1.weight"),
    (permute, "MVC016", "fc1.weight"),
]


def damaged(point: dict[str, Any], damage: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    found = {name: value.copy() for name, value in point.items()}
    damage(found)
    return found


def flags(workspace: Workspace) -> dict[str, set[str]]:
    """File's name → rules of damage that the log has for it; names of sound ones are left out."""
    rows = (row for line in log(workspace).lineages for row in line.commits)
    return {Path(row.path).name: found for row in rows if (found := set(row.flags) & set(ledger.DAMAGE))}


def findings(workspace: Workspace, file: Path, against: str | None = None) -> list[Finding]:
    wanted = {"MVC009", "MVC010", *ledger.DAMAGE}
    return [row for row in check(workspace, [str(file)], against=against).findings if row.rule in wanted]


@pytest.fixture
def runs(workspace: Workspace, write: Write, walk: Walk) -> list[list[dict[str, Any]]]:
    """Two runs; all but the last checkpoint of each are committed."""
    points = [walk(seed, LENGTH, shapes=SHAPES) for seed in (1, 2)]
    files = [write(f"{n}-{i:02}.safetensors", p) for n, run in enumerate(points) for i, p in enumerate(run[:-1])]
    commit(workspace, files)
    return points


@pytest.mark.parametrize(("damage", "rule", "tensor"), DAMAGE)
def test_damage_is_flagged_and_found_with_its_tensor(
    workspace: Workspace, runs: Any, write: Write, damage: Any, rule: str, tensor: str
) -> None:
    assert flags(workspace) == {}
    file = write("bad.safetensors", damaged(runs[0][-1], damage))
    assert [(row.rule, row.tensor) for row in findings(workspace, file)] == [(rule, tensor)]
    added = commit(workspace, [file]).commits[0]
    assert flags(workspace) == {"bad.safetensors": {rule}}
    found = [row for row in check(workspace, [added.id]).findings if row.rule in ledger.DAMAGE]
    assert [(row.rule, row.tensor, row.commit) for row in found] == [(rule, tensor, added.id)]


def test_what_follows_a_damaged_checkpoint_is_judged_by_the_sound_one_before(
    workspace: Workspace, runs: Any, write: Write
) -> None:
    commit(workspace, [write("bad.safetensors", damaged(runs[0][-2], swap))])
    commit(workspace, [write("good.safetensors", runs[0][-1])])
    assert flags(workspace) == {"bad.safetensors": {"MVC016"}}
    assert findings(workspace, write("file.safetensors", damaged(runs[0][-1], zero)))[0].rule == "MVC013"


def test_what_went_on_from_damage_is_not_damaged_again(workspace: Workspace, runs: Any, write: Write) -> None:
    bad = damaged(runs[0][-1], swap)
    noise = np.random.default_rng(0)
    later = {name: value + np.float32(0.02) * noise.normal(size=value.shape) for name, value in bad.items()}
    commit(workspace, [write("bad.safetensors", bad)], step=100)
    commit(workspace, [write("later.safetensors", {k: v.astype(np.float32) for k, v in later.items()})], step=101)
    assert flags(workspace) == {"bad.safetensors": {"MVC016"}}


def test_flags_and_steps_do_not_depend_on_the_order_of_commits(
    workspace: Workspace, write: Write, walk: Walk, tmp_path: Path
) -> None:
    points = walk(1, LENGTH, shapes=SHAPES)
    points[6] = damaged(points[6], swap)
    points[9] = damaged(points[9], scale)
    files = [write(f"{i:02}.safetensors", point) for i, point in enumerate(points)]
    for place in np.random.default_rng(5).permutation(len(files)):
        commit(workspace, [files[place]])
    aside = Workspace(workspace.repository, type(workspace.index)(None), workspace.author)
    aside.update()
    assert aside.index.dump() == workspace.index.dump()
    assert flags(workspace) == {"06.safetensors": {"MVC016"}, "09.safetensors": {"MVC015"}}


def test_a_commit_measures_its_own_step_alone(
    workspace: Workspace, runs: Any, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    real = ledger.measure

    def watching(before: ledger.Point, now: ledger.Point, *seen: Any) -> Any:
        measured.append(now.content)
        return real(before, now, *seen)

    monkeypatch.setattr("mvc.porcelain.ledger.measure", watching)
    commit(workspace, [write("next.safetensors", runs[0][-1])])
    assert len(measured) == 1
    rows = workspace.read(StepRow.select)
    assert len(rows) == 2 * LENGTH - 3 and len({row.now for row in rows}) == len(rows)


def test_an_older_state_under_a_new_name_is_named(workspace: Workspace, runs: Any, write: Write) -> None:
    origin = next(
        row for line in log(workspace).lineages for row in line.commits if row.path.endswith("0-04.safetensors")
    )
    same = write("next.safetensors", runs[0][4], note="saved again")
    near = write("near.safetensors", {name: value + np.float32(1e-4) for name, value in runs[0][4].items()})
    for file in (same, near):
        (found,) = findings(workspace, file)
        assert found.rule == "MVC009" and origin.id[:8] in found.message
    assert findings(workspace, write("x/0-04.safetensors", runs[0][4])) == []


def test_a_declared_step_that_an_older_state_contradicts(workspace: Workspace, write: Write, walk: Walk) -> None:
    points = walk(1, LENGTH, shapes=SHAPES)
    for step, point in enumerate(points):
        commit(workspace, [write(f"{step}.safetensors", point)], step=step)
    added = commit(workspace, [write("again.safetensors", points[3], note="again")], step=LENGTH).commits[0]
    found = [row for row in check(workspace, [added.id]).findings if row.rule == "MVC009"]
    assert len(found) == 1 and "before the one that it is said to follow" in found[0].message


def test_a_file_of_another_run_is_named_where_it_is_said_to_follow_this_one(
    workspace: Workspace, runs: Any, write: Write, walk: Walk
) -> None:
    lines = {Path(line.commits[0].path).name[0]: line for line in log(workspace).lineages}
    file = write("next.safetensors", runs[1][-1])
    assert findings(workspace, file) == []
    assert findings(workspace, file, against=lines["1"].name) == []
    (found,) = findings(workspace, file, against=lines["0"].name)
    assert found.rule == "MVC010" and lines["1"].commits[-1].id[:8] in found.message
    (found,) = findings(workspace, write("new.safetensors", walk(7, 9, shapes=SHAPES)[-1]))
    assert found.rule == "MVC010" and "stranger" in found.message


def test_a_commit_whose_weights_go_on_from_another_run_than_declared(
    workspace: Workspace, write: Write, walk: Walk
) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        points = walk(seed, LENGTH, shapes=SHAPES)
        commit(workspace, [write(f"{name}/{i}.safetensors", p) for i, p in enumerate(points[:-1])], run=name)
    wrong = commit(workspace, [write("next.safetensors", points[-1])], run="one").commits[0]
    found = [row for row in check(workspace, [wrong.id]).findings if row.rule == "MVC010"]
    assert len(found) == 1 and "goes on from" in found[0].message


def test_a_first_checkpoint_is_judged_by_itself(workspace: Workspace, write: Write, walk: Walk) -> None:
    point = walk(1, 1, shapes=SHAPES)[0]
    assert findings(workspace, write("first.safetensors", point)) == []
    bad = write("bad.safetensors", damaged(point, flip))
    assert [(row.rule, row.tensor) for row in findings(workspace, bad)] == [("MVC014", "fc1.weight")]
    commit(workspace, [bad])
    assert [(row.rule, row.tensor) for row in findings(workspace, bad)] == [("MVC014", "fc1.weight")]


def test_commits_go_on_from_what_they_do(workspace: Workspace, runs: Any) -> None:
    commits = [row.id for line in log(workspace).lineages for row in line.commits]
    with pytest.raises(InputError, match="--against"):
        check(workspace, commits[:1], against=commits[1])
