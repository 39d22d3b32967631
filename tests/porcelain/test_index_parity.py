"""The index is a function of the repository: however it came about, its content is the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvc.index import ForestRow, Index, LineageRow, update
from mvc.porcelain import engine
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import pin, unpin
from mvc.porcelain.log import log
from mvc.porcelain.reindex import reindex
from mvc.porcelain.results.logs import LogResult
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Reopened = Callable[[Workspace], Workspace]


def _commit_in_parts(workspace: Workspace, paths: list[Path], size: int) -> None:
    for start in range(0, len(paths), size):
        commit(workspace, paths[start : start + size], message=f"from {start}")


def _tell(result: LogResult) -> Any:
    """Everything that inference says, with files' names instead of commits' ids."""
    name = {row.id: Path(row.path).name for lineage in result.lineages for row in lineage.commits}

    def plain(value: Any) -> Any:
        return name.get(value, value) if isinstance(value, str) else value

    return [
        (
            lineage.name,
            lineage.direction,
            lineage.forked_from and (lineage.forked_from.lineage, plain(lineage.forked_from.commit)),
            [
                (
                    plain(row.id),
                    row.position,
                    row.relation,
                    row.distance,
                    row.turning_angle,
                    row.confidence,
                    row.flags,
                    plain(row.parent),
                    {key: plain(value) for key, value in row.evidence.items()},
                )
                for row in lineage.commits
            ],
        )
        for lineage in result.lineages
    ]


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_inference_does_not_depend_on_order_or_batching(
    data: st.DataObject, population: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    tells = []
    for order in (population, data.draw(st.permutations(population))):
        workspace = Workspace.of(Repository.init(tmp_path_factory.mktemp("repo")), author="x")
        _commit_in_parts(workspace, list(order), data.draw(st.integers(1, len(population))))
        tells.append(_tell(log(workspace)))
        assert log(workspace).warnings == ()
        if len(tells) == 1:
            assert len(tells[0]) >= 2
    assert tells[0] == tells[1]


@pytest.fixture
def forest(write: Any, walk: Any) -> dict[Path, dict[str, Any]]:
    """Files and what is declared of each: four runs, forks, copies, a run that only its declaration joins."""
    runs = {f"r{seed}": walk(seed, 3 + seed) for seed in range(1, 5)}
    runs["fork"] = walk(11, 5, start=runs["r4"][3])[1:]
    runs["late"] = walk(12, 4, start=runs["fork"][2])[1:]
    runs["half"] = [{name: value.astype(np.float16) for name, value in runs["r4"][5].items()}]
    runs["again"] = [runs["r2"][1]]
    runs["apart"] = [walk(seed, 1)[0] for seed in (21, 22)]
    runs["dead"] = [{name: 0 * value for name, value in runs["r1"][0].items()}]
    told: dict[str, Callable[[int], dict[str, Any]]] = {
        "r2": lambda i: {"step": float(i)},
        "r3": lambda i: {"run": "three"} if i % 2 else {},
        "apart": lambda i: {"run": "joined", "step": float(i)},
    }
    return {
        write(f"{run}/{i}.safetensors", point, of=run): told.get(run, lambda _: {})(i)
        for run, points in runs.items()
        for i, point in enumerate(points)
    }


@pytest.mark.parametrize("seed", range(3))
def test_following_every_commit_gives_what_reindexing_gives(
    seed: int, forest: dict[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """In whatever order and parts commits come, with a pin set and taken back in between: equal rows, byte for byte."""
    rng = np.random.default_rng(seed)
    tells = []
    for trial, order in enumerate((list(forest), [list(forest)[i] for i in rng.permutation(len(forest))])):
        workspace = Workspace.of(Repository.init(tmp_path / str(trial)), author="x")
        waiting: list[Path] = []
        for place, path in enumerate(order):
            if forest[path]:
                commit(workspace, [path], **forest[path])
            else:
                waiting.append(path)
            if waiting and (rng.random() < 0.5 or place == len(order) - 1):
                commit(workspace, waiting)
                waiting = []
            if place == len(order) // 2:
                first, *_, last = log(workspace).lineages
                pinned = first.commits[-1].id
                pin(workspace, pinned, last.name)
        assert reindexed(workspace) == workspace.index.dump()
        unpin(workspace, pinned)
        assert reindexed(workspace) == workspace.index.dump()
        assert len({row.family for row in _rows(workspace, LineageRow)}) > 4
        tells.append(_tell(log(workspace)))
    assert tells[0] == tells[1]


def reindexed(workspace: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """The index built anew, aside."""
    aside = Workspace(workspace.repository, type(workspace.index)(None), workspace.author)
    aside.update()
    return aside.index.dump()


def _rows(workspace: Workspace, kind: Any) -> Any:
    return workspace.read(kind.select)


def test_a_commit_infers_the_families_that_it_touches_and_no_others(
    workspace: Workspace, write: Any, walk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [walk(seed, 6) for seed in range(1, 5)]
    for number, run in enumerate(runs):
        commit(workspace, [write(f"{number}/{i}.safetensors", point) for i, point in enumerate(run[:5])])
    seen: list[int] = []
    real = __import__("mvc.porcelain.inferring", fromlist=["understand"]).understand

    def watching(family: Any, *rest: Any) -> Any:
        seen.append(len(family.points))
        return real(family, *rest)

    monkeypatch.setattr("mvc.porcelain.inferring.understand", watching)
    commit(workspace, [write("2/5.safetensors", runs[2][5])])
    assert seen == [6]
    assert reindexed(workspace) == workspace.index.dump()


def test_damage_that_only_inference_sees_has_the_index_built_again(
    workspace: Workspace, population: list[Path], reopened: Reopened
) -> None:
    commit(workspace, population[:-1])
    raw = sqlite3.connect(workspace.repository.layout.index)
    raw.execute("ALTER TABLE forests DROP COLUMN absent")
    raw.commit()
    raw.close()
    again = reopened(workspace)
    commit(again, population[-1:])
    assert log(again).warnings == () and reindexed(again) == again.index.dump()


def test_a_forest_that_cannot_be_used_is_built_anew(workspace: Workspace, population: list[Path]) -> None:
    commit(workspace, population[:-2])
    with workspace.index.writing() as connection:
        connection.execute(update(ForestRow.TABLE).values(edges=b"garbage"))
    commit(workspace, population[-2:-1])
    assert "could not be read" in log(workspace).warnings[0]
    commit(workspace, population[-1:])
    assert log(workspace).warnings == () and reindexed(workspace) == workspace.index.dump()


def test_kinship_is_built_anew_where_other_tensors_tell(workspace: Workspace, write: Any, walk: Any) -> None:
    """A tensor that all points share tells nothing until one differs in it."""
    shapes = {"a": (12, 10), "b": (9, 9), "still": (6, 5)}
    runs = [walk(seed, 4, shapes=shapes) for seed in (1, 2)]
    still = runs[0][0]["still"]
    for number, run in enumerate(runs):
        for i, point in enumerate(run):
            commit(workspace, [write(f"{number}/{i}.safetensors", {**point, "still": still})])
    assert [list(row.varying) for row in _rows(workspace, ForestRow)] == [[0, 1]]
    commit(workspace, [write("2/0.safetensors", walk(3, 1, shapes=shapes)[0])])
    assert [list(row.varying) for row in _rows(workspace, ForestRow)] == [[0, 1, 2]]
    assert reindexed(workspace) == workspace.index.dump()


def test_catching_up_gives_what_reindexing_gives(busy_workspace: Workspace, reopened: Reopened) -> None:
    before = busy_workspace.index.dump()
    assert all(before[table] for table in before if table not in ("mixtures", "flags", "latents"))
    result = reindex(reopened(busy_workspace))
    assert result.commits == len(before["commits"]) and result.lineages == len(before["lineages"])
    assert busy_workspace.index.dump() == before


def test_catching_up_step_by_step_gives_the_same(busy_workspace: Workspace, tmp_path: Path) -> None:
    """An index that looks after every operation and one that looks once at the end."""
    late = Workspace(Repository.open(busy_workspace.repository.root), Index(tmp_path / "late.sqlite"))
    operations = [operation.id for operation in busy_workspace.repository.operations()][::-1]
    head = late.repository.directory / "HEAD"
    for operation in operations:
        head.chmod(0o644)
        head.write_text(f"{operation}\n")
        with late.repository.lock():
            late.refresh()
    assert late.index.dump() == busy_workspace.index.dump()


def test_another_engine_infers_again(
    busy_workspace: Workspace, reopened: Reopened, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = busy_workspace.index.dump()
    for module in ("engine", "indexing", "inferred"):
        monkeypatch.setattr(f"mvc.porcelain.{module}.ENGINE", "other")
    log(reopened(busy_workspace))
    after = busy_workspace.index.dump()
    assert ("engine", "other") in after["meta"]
    assert after["inferences"] != before["inferences"] and after["placements"] == before["placements"]
    monkeypatch.undo()
    assert engine.ENGINE != "other"
    log(reopened(busy_workspace))
    assert busy_workspace.index.dump() == before


def test_what_did_not_change_is_not_inferred_again(
    busy_workspace: Workspace, monkeypatch: pytest.MonkeyPatch, write: Any, walk: Any
) -> None:
    seen: list[str] = []
    real = __import__("mvc.porcelain.inferring", fromlist=["understand"]).understand

    def watching(basis: Any, *rest: Any) -> Any:
        seen.append(basis.architecture.id)
        return real(basis, *rest)

    monkeypatch.setattr("mvc.porcelain.inferring.understand", watching)
    create_tag(busy_workspace, "now")
    assert seen == []
    row = commit(busy_workspace, [write("more.safetensors", walk(4, 1)[0])]).commits[0]
    assert seen == [row.architecture]
