"""Checkpoints of different architectures are compared on what they share, and the coverage is stated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from mvc.index import OverlapRow
from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.identify import identify
from mvc.porcelain.lineages import list_lineages
from mvc.porcelain.log import log
from mvc.porcelain.reindex import reindex
from mvc.porcelain.results.logs import LogLineage, OverlapResult
from mvc.porcelain.show import show
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Arrays = dict[str, npt.NDArray[Any]]
SHAPES = {
    "emb.weight": (40, 12),
    "fc1.weight": (16, 12),
    "fc1.bias": (16,),
    "fc2.weight": (16, 16),
    "head.weight": (5, 16),
}
BODY = 40 * 12 + 16 * 12 + 16 + 16 * 16


def _other(point: Arrays, seed: int, **shapes: tuple[int, ...]) -> Arrays:
    """The same model with new tensors of other shapes: a head, an embedding."""
    rng = np.random.default_rng(seed)
    new = {name.replace("_", "."): shape for name, shape in shapes.items()}
    return point | {name: (rng.normal(size=shape) / 4).astype(np.float32) for name, shape in new.items()}


@pytest.fixture
def runs(walk: Any) -> dict[str, list[Arrays]]:
    """A base, strangers, and what was made of the base: another head, another vocabulary, all but a head frozen."""
    base = walk(1, 8, shapes=SHAPES)
    body = {name: value for name, value in base[7].items() if name != "head.weight"}
    frozen = [_other(base[7], 30 + i, head_weight=(3, 16)) for i in range(3)]
    vocabulary = _other(base[5], 4, head_weight=(5, 16), emb_weight=(60, 12))
    assert all(frozen[2][name] is value for name, value in body.items())
    return {
        "base": base,
        "stranger": walk(2, 5, shapes=SHAPES),
        "head": walk(3, 6, start=_other(base[7], 3, head_weight=(9, 16)))[1:],
        "frozen": frozen,
        "vocabulary": walk(5, 5, start=vocabulary)[1:],
        "alone": walk(6, 4, shapes={**SHAPES, "head.weight": (7, 16)}),
    }


def _files(runs: Mapping[str, list[Arrays]], write: Callable[..., Path]) -> list[Path]:
    return [write(f"{run}/{i}.safetensors", point) for run, points in runs.items() for i, point in enumerate(points)]


def _lineage(workspace: Workspace, run: str) -> LogLineage:
    """The lineage that the first commit of a run stands in."""
    return next(row for row in log(workspace).lineages if any(f"{run}/" in one.path for one in row.commits))


def _path(workspace: Workspace, commit_id: str) -> str:
    found = next(one.path for row in log(workspace).lineages for one in row.commits if one.id == commit_id)
    return str(Path(*Path(found).parts[-2:]))


def _with(workspace: Workspace, run: str, other: str) -> OverlapResult:
    """What a run's lineage says of another run's."""
    name = _lineage(workspace, other).name
    return next(one for one in _lineage(workspace, run).overlaps if one.lineage == name)


@pytest.fixture
def committed(workspace: Workspace, runs: dict[str, list[Arrays]], write: Any) -> Workspace:
    commit(workspace, _files(runs, write))
    return workspace


def test_another_head_is_a_fork_of_the_base_on_what_both_share(committed: Workspace) -> None:
    row = _lineage(committed, "head")
    assert row.forked_from is not None and _path(committed, row.forked_from.commit) == "base/7.safetensors"
    root = row.commits[0]
    assert (root.relation, root.parent, root.distance) == ("forks", row.forked_from.commit, None)
    found = row.overlaps[0]
    assert (found.commit, found.own, found.order, found.source) == (root.parent, root.id, "after", "weights")
    assert found.tensors == 4 and found.shared == BODY and found.identical == 0
    assert found.coverage == pytest.approx(BODY / (BODY + 5 * 16))
    assert found.cosine is not None and found.cosine > 0.5 and found.sigmas is not None and found.sigmas > 6
    assert _with(committed, "base", "head").order == "before"
    assert all(
        one.forked_from is None for one in log(committed).lineages if one.name == _lineage(committed, "base").name
    )
    listed = {one.id: one.forked_from for one in list_lineages(committed).lineages}
    assert listed[row.id] == row.forked_from
    told = show(committed, f"{row.name}@0").inference
    assert told["relation"] == "forks" and told["overlaps"][0]["coverage"] == found.coverage


def test_frozen_layers_are_counted_as_equal(committed: Workspace) -> None:
    found = _with(committed, "frozen", "base")
    assert found.identical == found.shared == BODY and found.order == "after"
    assert _path(committed, found.commit) == "base/7.safetensors"


def test_another_vocabulary_leaves_the_embedding_out(committed: Workspace) -> None:
    found = _with(committed, "vocabulary", "base")
    # trained on before the first of its commits: the nearest commit may be the next but one
    assert _path(committed, found.commit) in {f"base/{i}.safetensors" for i in (4, 5, 6)} and found.order == "after"
    assert found.tensors == 4 and found.shared == BODY - 40 * 12 + 5 * 16


def test_strangers_with_equal_shapes_share_nothing(committed: Workspace) -> None:
    assert _lineage(committed, "alone").overlaps == ()
    assert _lineage(committed, "stranger").overlaps == ()
    assert _lineage(committed, "stranger").forked_from is None


def test_two_that_meet_at_their_starts_have_no_order(workspace: Workspace, runs: Any, write: Any, walk: Any) -> None:
    """Both came from a base that nobody committed."""
    left = walk(11, 5, start=runs["base"][7])[1:]
    right = walk(12, 5, start=_other(runs["base"][7], 1, head_weight=(9, 16)))[1:]
    commit(workspace, _files({"left": left, "right": right}, write))
    for run, other in (("left", "right"), ("right", "left")):
        assert _with(workspace, run, other).order == "undecided"
        assert _lineage(workspace, run).forked_from is None


def test_a_constant_buffer_is_no_kinship(workspace: Workspace, walk: Any, write: Any) -> None:
    """Two strangers with the same filters: one checkpoint each, so that nothing else shows that these never move."""
    filters = {"stft.filters": np.random.default_rng(0).normal(size=(20, 16)).astype(np.float32)}
    for seed, classes in ((1, 5), (2, 6)):
        point = walk(seed, 1, shapes={**SHAPES, "head.weight": (classes, 16)})[0]
        commit(workspace, [write(f"{seed}.safetensors", point | filters)])
    assert all(row.overlaps == () for row in log(workspace).lineages)
    # a frozen backbone is most of the model, and that is no chance
    base = walk(1, 1, shapes={**SHAPES, "head.weight": (5, 16)})[0]
    frozen = _other(base | filters, 7, head_weight=(7, 16))
    (found,) = commit(workspace, [write("frozen.safetensors", frozen)]).commits[0].overlaps
    assert _path(workspace, found.commit).endswith("1.safetensors") and found.identical == BODY + 320


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_overlaps_do_not_depend_on_order_or_batching(
    data: st.DataObject, runs: Any, write: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths, tells = _files(runs, write), []
    for order in (paths, data.draw(st.permutations(paths))):
        workspace = Workspace.of(Repository.init(tmp_path_factory.mktemp("repo")), author="x")
        size = data.draw(st.integers(1, len(paths)))
        for start in range(0, len(order), size):
            commit(workspace, order[start : start + size])
        name = {one.id: one.path for row in log(workspace).lineages for one in row.commits}
        rows = workspace.read(OverlapRow.select)
        assert rows
        tells.append(
            sorted(
                (
                    *(name[commit_id] for commit_id in (row.lineage, row.own, row.commit, row.runner_up) if commit_id),
                    *(row.order, row.coverage, row.cosine, row.sigmas, row.identical, row.confidence),
                )
                for row in rows
            )
        )
        before = workspace.index.dump()
        reindex(workspace)
        assert workspace.index.dump() == before
    assert tells[0] == tells[1]


def test_a_declared_parent_wins_over_the_weights(workspace: Workspace, runs: Any, write: Any) -> None:
    commit(workspace, _files({"base": runs["base"]}, write))
    paths = _files({"head": runs["head"]}, write)
    parent = next(one.id for one in log(workspace).lineages[0].commits if "base/2" in one.path)
    done = commit(workspace, paths[:1], parent=parent).commits[0]
    assert (done.relation, done.parent, done.confidence) == ("forks", parent, 1.0)
    assert done.evidence["source"] == "declared" and done.overlaps[0].source == "declared"
    commit(workspace, paths[1:])
    row = _lineage(workspace, "head")
    assert row.forked_from is not None and row.forked_from.commit == parent
    runner_up = row.overlaps[0].runner_up
    assert runner_up is not None and _path(workspace, runner_up) == "base/7.safetensors"
    before = workspace.index.dump()
    reindex(workspace)
    assert workspace.index.dump() == before


def _adapter(base: Arrays, seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    found: Arrays = {}
    for name in ("fc1", "fc2"):
        out, into = base[f"{name}.weight"].shape
        found[f"base_model.model.{name}.lora_A.weight"] = rng.normal(size=(2, into)).astype(np.float32)
        found[f"base_model.model.{name}.lora_B.weight"] = rng.normal(size=(out, 2)).astype(np.float32)
    return found


def test_an_adapter_needs_its_base_declared(workspace: Workspace, runs: Any, write: Any) -> None:
    base = commit(workspace, [write("base.safetensors", runs["base"][7])]).commits[0]
    undeclared = commit(workspace, [write("a.safetensors", _adapter(runs["base"][7], 1))]).commits[0]
    assert undeclared.relation == "starts" and undeclared.overlaps == ()
    row = next(row for row in log(workspace).lineages if row.commits[0].id == undeclared.id)
    assert row.adapter and row.overlaps == () and row.forked_from is None
    told = commit(workspace, [write("b.safetensors", _adapter(runs["base"][7], 2))], parent=base.id).commits[0]
    assert (told.relation, told.parent) == ("forks", base.id)
    found = told.overlaps[0]
    assert (found.kind, found.source, found.tensors) == ("adapter", "declared", 2)
    assert found.shared == 16 * 12 + 16 * 16 and found.coverage == pytest.approx(found.shared / (BODY + 80))
    file = identify(workspace, [write("c.safetensors", _adapter(runs["base"][7], 3))]).results[0]
    assert file.match is None and "adapter" in file.reason


def test_verbs_that_walk_a_trajectory_stop_at_another_architecture(committed: Workspace) -> None:
    name = _lineage(committed, "head").name
    assert blame(committed, f"{name}@0").tensors
    assert check(committed, [f"{name}@0", f"{name}@-1"]).checked == 2


def test_identify_compares_what_both_share(workspace: Workspace, runs: Any, write: Any) -> None:
    commit(workspace, _files({run: runs[run] for run in ("base", "stranger")}, write))
    head, alone = (identify(workspace, [write("x.safetensors", runs[run][0])]).results[0] for run in ("head", "alone"))
    assert alone.match is None and alone.overlap is None
    assert head.match is not None and head.match.relation == "overlaps"
    assert _path(workspace, head.match.commit) == "base/7.safetensors"
    assert head.overlap is not None and head.overlap.reshaped == ("head.weight",) and head.overlap.shared == BODY
    assert (head.overlap.added, head.overlap.removed) == ((), ())


def test_diff_states_its_coverage(committed: Workspace) -> None:
    head = _lineage(committed, "head").commits[0].id
    base = next(one.id for one in _lineage(committed, "base").commits if "base/7" in one.path)
    found = diff(committed, base, head)
    assert found.compared == BODY and found.coverage == pytest.approx(BODY / (BODY + 5 * 16))
    assert {row.name: row.status for row in found.tensors}["head.weight"] == "reshaped"
    assert diff(committed, base, base).coverage == 1.0


def test_another_dtype_and_shards_are_the_same_architecture(
    workspace: Workspace, walk: Any, write: Any, tmp_path: Path
) -> None:
    """Nothing is left out there: names and shapes are the same."""
    run = walk(1, 6, shapes=SHAPES)
    commit(workspace, _files({"run": run}, write))
    half = {name: value.astype(np.float16) for name, value in run[3].items()}
    first = commit(workspace, [write("half.safetensors", half)]).commits[0]
    shards = tmp_path / "shards"
    shards.mkdir()
    names = sorted(run[4])
    parts = {"model-00001-of-00002.safetensors": names[:2], "model-00002-of-00002.safetensors": names[2:]}
    for file, part in parts.items():
        save_file({name: run[4][name] for name in part}, shards / file)
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    (shards / "model.safetensors.index.json").write_text(json.dumps(index))
    second = commit(workspace, [shards]).commits[0]
    (row,) = log(workspace).lineages
    assert {first.id, second.id} < {one.id for one in row.commits} and row.overlaps == ()
    place = {Path(one.path).name: one for one in row.commits}
    # the same weights: one of the two stands for both
    one, other = place["shards"], place["4.safetensors"]
    assert (one.relation, one.parent) == ("copies", other.id) or (other.relation, other.parent) == ("copies", one.id)
    assert abs(place["half.safetensors"].position - place["3.safetensors"].position) == 1
    assert identify(workspace, [write("again.safetensors", half)]).results[0].match is not None


def test_an_architecture_that_cannot_be_inferred_has_no_overlaps(
    workspace: Workspace, runs: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keeping does not depend on it; with the next operation the overlap is there."""
    paths = _files({run: runs[run] for run in ("base", "head")}, write)
    commit(workspace, paths[:8])
    with monkeypatch.context() as patch:
        patch.setattr("mvc.porcelain.inferring.bring_kin", lambda *_: 1 / 0)
        commit(workspace, paths[8:-1])
    assert all(row.overlaps == () for row in log(workspace).lineages) and log(workspace).warnings
    commit(workspace, paths[-1:])
    assert _lineage(workspace, "head").forked_from is not None and not log(workspace).warnings
