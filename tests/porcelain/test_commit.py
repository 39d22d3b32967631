"""Commits: what is recorded, and that it is whole or not there."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mvc.formats import assemble
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.tags import list_tags
from mvc.porcelain.workspace import Workspace
from mvc.repository import check_repository

Write = Callable[..., Path]


def test_a_directory_is_one_transaction(workspace: Workspace, population: list[Path]) -> None:
    result = commit(workspace, [population[0].parent], message="all")
    assert len(result.commits) == len(population)
    assert len(list(workspace.repository.operations())) == 1
    assert {row.relation for row in result.commits} <= {"starts", "extends", "forks"}
    for row in result.commits:
        stored = workspace.repository.commit(row.id)  # type: ignore[arg-type]
        assert (stored.message, stored.author) == ("all", "A Tester <t@example.org>")
        assert stored.path == row.path and row.stored_bytes > 0
        assert row.bytes == os.path.getsize(row.path)
    assert check_repository(workspace.repository).findings == ()


def test_what_was_committed_can_be_put_together_again(workspace: Workspace, population: list[Path]) -> None:
    repository = workspace.repository
    for path, row in zip(population, commit(workspace, population).commits, strict=True):
        file = repository.manifest(repository.commit(row.id).manifest).files[0]  # type: ignore[arg-type]
        pieces = assemble(repository.skeleton(file.skeleton), file.tensors, lambda i: repository.odb.get_tensor(i)[1])
        whole = b"".join(bytes(piece) for piece in pieces)
        assert hashlib.sha256(whole).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_declared_facts_are_recorded(workspace: Workspace, population: list[Path]) -> None:
    first = commit(workspace, [population[0]], step=3, run="baseline", metrics={"loss": 0.5}, tag="v1")
    second = commit(workspace, [population[1]], parent="v1", extra={"git": "abc"})
    facts = workspace.repository.commit(first.commits[0].id)  # type: ignore[arg-type]
    assert (facts.step, facts.step_source, facts.run, facts.metrics) == (3.0, "user", "baseline", {"loss": 0.5})
    then = workspace.repository.commit(second.commits[0].id)  # type: ignore[arg-type]
    assert (then.parent, then.extra, then.step) == (first.commits[0].id, {"git": "abc"}, None)
    assert [(tag.name, tag.commit) for tag in list_tags(workspace).tags] == [("v1", first.commits[0].id)]


def test_paths_are_recorded_relative_to_the_repository(workspace: Workspace, write: Write, walk: Any) -> None:
    inside = write("repo/sub/a.safetensors", walk(1, 2)[0])
    outside = write("b.safetensors", walk(1, 2)[1])
    paths = [row.path for row in commit(workspace, [inside, outside]).commits]
    assert paths == ["sub/a.safetensors", str(outside)]


def test_the_same_content_is_committed_once(workspace: Workspace, write: Write, walk: Any) -> None:
    path = walk(1, 2)
    one, again, other = (write(f"{n}.safetensors", p) for n, p in enumerate([path[0], path[0], path[1]]))
    together = commit(workspace, [one, again, other]).commits
    assert [row.relation for row in together] == ["starts", "duplicate", "extends"]
    assert together[0].id == together[1].id
    later = commit(workspace, [again], step=4)
    assert (later.commits[0].relation, later.commits[0].id) == ("duplicate", together[0].id)
    assert later.commits[0].stored_bytes == 0 and later.warnings
    assert len(list(workspace.repository.operations())) == 1
    assert len(log(workspace).lineages[0].commits) == 2


def test_the_same_path_twice_is_one(workspace: Workspace, population: list[Path]) -> None:
    rows = commit(workspace, [population[0], population[0].parent / "." / population[0].name]).commits
    assert [row.relation for row in rows] == ["starts"]


def test_the_same_weights_in_another_file_are_a_copy(workspace: Workspace, write: Write, walk: Any) -> None:
    path = walk(1, 3)
    files = [write(f"{n}.safetensors", point) for n, point in enumerate(path)]
    commit(workspace, files)
    copy = commit(workspace, [write("copy.safetensors", path[1], note="resaved")]).commits[0]
    lineage = log(workspace).lineages[0]
    assert [row.relation for row in lineage.commits] in (
        ["starts", "extends", "copies", "extends"],
        ["starts", "copies", "extends", "extends"],  # which of the two is the copy is up to their manifests
    )
    assert [row.position for row in lineage.commits] == [0, 1, 2, 3]
    pair = [row for row in lineage.commits if row.id == copy.id or row.evidence.get("same_weights") == copy.id]
    assert len(pair) in (1, 2)
    assert next(row.distance for row in lineage.commits if row.relation == "copies") == 0.0
    assert sum(row.bytes - row.stored_bytes > 0 for row in [copy]) == 1


def test_a_checkpoint_between_two_old_ones_is_inserted(workspace: Workspace, write: Write, walk: Any) -> None:
    path = walk(1, 7)
    files = [write(f"{n}.safetensors", point) for n, point in enumerate(path)]
    commit(workspace, [file for n, file in enumerate(files) if n not in (3, 6)])
    middle, last = commit(workspace, [files[3], files[6]]).commits
    assert (middle.relation, last.relation) == ("inserts", "extends")
    assert middle.position == 3


def test_models_without_weights_are_kept_and_stand_alone(workspace: Workspace, write: Write) -> None:
    counters = {"steps": np.arange(3), "mask": np.array([True, False])}
    rows = commit(
        workspace, [write("a.safetensors", counters), write("b.safetensors", {"steps": np.arange(4)})]
    ).commits
    assert len({row.lineage for row in rows}) == 2
    assert {row.architecture for row in rows} == {"none"}
    assert all("no trainable" in str(row.evidence["reason"]) for row in rows)


@pytest.mark.parametrize(
    "arrays",
    [
        {"w": np.full((3, 3), np.nan, np.float32)},
        {"w": np.full((3, 3), np.inf, np.float32)},
        {"w": np.zeros((0, 4), np.float32), "v": np.float32(2)},
        {"w": np.zeros(5, np.float32)},
        {"w": np.full(9, 3e38, np.float32)},
        {"w": np.full(9, 1e300)},
    ],
)
def test_odd_values_do_not_stop_a_commit(workspace: Workspace, write: Write, arrays: Any) -> None:
    near = {name: np.array(value) for name, value in arrays.items()}
    first = commit(workspace, [write("a.safetensors", near)]).commits[0]
    changed = {
        name: np.where(np.arange(value.size).reshape(value.shape) == 1, 7, value) for name, value in near.items()
    }
    files = [
        write(f"{n}.safetensors", {k: (v * (1 + n)).astype(near[k].dtype) for k, v in changed.items()})
        for n in range(4)
    ]
    commit(workspace, files)
    assert sum(len(lineage.commits) for lineage in log(workspace).lineages) >= 2
    bad = next(row for lineage in log(workspace).lineages for row in lineage.commits if row.id == first.id)
    assert ("MVC001" in bad.flags) == (not all(np.isfinite(value).all() for value in near.values()))


def test_a_duplicate_can_be_tagged(workspace: Workspace, population: list[Path]) -> None:
    first = commit(workspace, [population[0]]).commits[0]
    again = commit(workspace, [population[0]], tag="v1").commits[0]
    assert again.id == first.id
    assert [(tag.name, tag.commit) for tag in list_tags(workspace).tags] == [("v1", first.id)]


def test_an_index_that_cannot_be_written_does_not_undo_a_commit(
    workspace: Workspace, population: list[Path], reopened: Any
) -> None:
    commit(workspace, population[:2])
    directory = workspace.repository.layout.index.parent
    workspace.index.discard()
    shutil.rmtree(directory)
    directory.write_text("not a directory")
    result = commit(workspace, population[2:4])
    assert len(result.commits) == 2 and any("index" in warning for warning in result.warnings)
    assert sum(len(row.commits) for row in log(reopened(workspace)).lineages) == 4


def test_several_processes_commit_at_once(workspace: Workspace, population: list[Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from mvc.porcelain.workspace import Workspace;"
        "from mvc.porcelain.commits import commit;"
        "[commit(Workspace.open(sys.argv[1], author='x'), [Path(p)]) for p in sys.argv[2:]]"
    )
    root = str(workspace.repository.root)
    random.Random(0).shuffle(population)
    parts = [population[n::3] for n in range(3)]
    running = [subprocess.Popen([sys.executable, "-c", code, root, *map(str, part)]) for part in parts]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    told = log(workspace)
    assert sum(len(row.commits) for row in told.lineages) == len(population) and told.warnings == ()
    assert check_repository(workspace.repository).ok


def test_a_warning_names_commits(workspace: Workspace, write: Write, walk: Any) -> None:
    order = [3, 0, 4, 1, 5, 2]
    for n, point in zip(order, walk(1, 6), strict=True):
        commit(workspace, [write(f"{n}.safetensors", point)], step=n)
    result = log(workspace)
    ids = {row.id[:12] for lineage in result.lineages for row in lineage.commits}
    assert len(result.warnings) == 1 and any(short in result.warnings[0] for short in ids)


@pytest.mark.parametrize("wait", [0.25, 0.45, 0.6, 0.8, 1.0])
def test_a_killed_commit_is_whole_or_not_there(workspace: Workspace, population: list[Path], wait: float) -> None:
    code = (
        "import sys; from pathlib import Path; from mvc.porcelain.workspace import Workspace;"
        "from mvc.porcelain.commits import commit; commit(Workspace.open(sys.argv[1]), [Path(sys.argv[2])])"
    )
    first = commit(workspace, population[:1]).commits[0]
    process = subprocess.Popen([sys.executable, "-c", code, str(workspace.repository.root), str(population[0].parent)])
    time.sleep(wait)
    process.kill()
    process.wait(timeout=60)
    told = log(Workspace.open(workspace.repository.root))
    assert sum(len(row.commits) for row in told.lineages) in (1, len(population))
    assert check_repository(workspace.repository).ok
    after = commit(Workspace.open(workspace.repository.root), [population[0].parent]).commits
    assert len(after) == len(population) and first.id in {row.id for row in after}


def test_a_directory_s_optimizer_state_is_no_model_unless_it_is_named(
    workspace: Workspace, write: Callable[..., Path], walk: Callable[..., list[Any]]
) -> None:
    model = write("ck/net.safetensors", walk(1, 1)[0])
    state = model.with_name("adam.pt")
    torch.save({"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"optimizer": "adam"}]}, state)
    found = commit(workspace, [model.parent])
    assert [Path(item.path).name for item in found.commits] == ["net.safetensors"]
    assert any("adam.pt" in text and "no weights" in text for text in found.warnings)
    assert [Path(item.path).name for item in commit(workspace, [state]).commits] == ["adam.pt"]
