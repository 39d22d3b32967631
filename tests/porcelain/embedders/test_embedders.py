"""Embedders in a repository: kept as objects, versioned, sound whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvc.testing.embedder as standin
from mvc.errors import InputError, NotFoundError
from mvc.porcelain.commits import commit
from mvc.porcelain.embed import apply, list_embedders, remove
from mvc.porcelain.embedders import Trained, keep_embedder, kept_embedders, load_embedder, newest_embedder
from mvc.porcelain.learning import train_embedder
from mvc.porcelain.log import log
from mvc.porcelain.reindex import reindex
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.storage import FileSystem
from mvc.testing.commits import loosen
from mvc.testing.faults import Crash, FaultyFileSystem
from tests.porcelain.embedders.points import POINTS, RUNS


def test_a_trained_embedder_is_kept_and_comes_back(filled: Workspace, reopened: Callable[..., Workspace]) -> None:
    before = filled.repository.state().commits
    row = train_embedder(filled, minutes=0.5).embedder
    assert (row.version, row.in_use, row.recipe, row.seed, row.minutes) == (1, True, "invariant", 7, 0.5)
    assert (row.lineages, row.checkpoints, row.commits) == (RUNS, RUNS * POINTS, None)
    [known] = list_embedders(filled, row.name).embedders
    assert known.commits is not None and known == replace(row, commits=known.commits)
    assert set(known.commits) == set(before) == set(filled.repository.state().commits)
    assert row.figures["loss"] == 1.0
    other = reopened(filled)
    kept = newest_embedder(other, row.architecture)
    assert kept is not None and kept.commit == row.id
    assert load_embedder(other, kept) == standin.StandIn(
        {"fc1.bias": (12,), "fc1.weight": (12, 20), "fc2.weight": (5, 12)}, 7
    )
    assert not list(filled.repository.layout.training.glob("*"))


def test_every_training_is_a_version_and_the_newest_is_used(filled: Workspace) -> None:
    first, second = train_embedder(filled).embedder, train_embedder(filled).embedder
    assert [(row.id, row.version, row.in_use) for row in list_embedders(filled).embedders] == [
        (first.id, 1, False),
        (second.id, 2, True),
    ]
    assert filled.repository.commit(second.id).parent == first.id  # type: ignore[arg-type]
    remove(filled, f"{second.architecture[:6]}@2")
    assert [(row.id, row.in_use) for row in list_embedders(filled).embedders] == [(first.id, True)]
    assert check_repository(filled.repository).findings == ()
    with pytest.raises(NotFoundError, match="names no embedder"):
        remove(filled, "ffff@9")
    with pytest.raises(NotFoundError, match="names no embedder"):
        remove(filled, f"{second.architecture[:3]}@1")
    with pytest.raises(NotFoundError, match="does not say which version"):
        remove(filled, second.architecture)
    assert train_embedder(filled).embedder.version == 3  # a name means one embedder forever
    with pytest.raises(InputError, match="no checkpoint is meant"):
        apply(filled, ["HEAD..HEAD"], directory=Path())


def test_fsck_follows_embedders(filled: Workspace) -> None:
    row = train_embedder(filled).embedder
    assert check_repository(filled.repository).findings == ()
    manifest = filled.repository.manifest(filled.repository.commit(row.id).manifest)  # type: ignore[arg-type]
    [entry] = manifest.files[0].tensors
    loosen(filled.repository)
    path = filled.repository.directory / "objects" / entry.object[:2] / entry.object[2:]
    path.chmod(0o600)
    path.unlink()
    [finding] = check_repository(filled.repository).findings
    assert finding.code == "missing" and f"commit {row.id[:12]}" in finding.message


def test_nothing_else_changes_with_an_embedder(filled: Workspace) -> None:
    told, dump = log(filled), filled.index.dump()
    train_embedder(filled)
    with_it = filled.index.dump()
    assert log(filled) == told
    changed = {name for name in dump if dump[name] != with_it[name]}
    assert changed == {"settings", "latents", "meta"}


def test_the_index_can_be_built_again(filled: Workspace) -> None:
    row = train_embedder(filled).embedder
    before = filled.index.dump()
    places = apply(filled, directory=Path()).latents
    reindex(filled)
    after = filled.index.dump()
    assert {name for name in before if before[name] != after[name]} <= {"latents"}
    assert list_embedders(filled).embedders == (row,)
    assert apply(filled, directory=Path()).latents == places
    assert filled.index.dump()["latents"] == before["latents"]


def test_a_stopped_training_goes_on_with_what_it_began_with(
    filled: Workspace, write: Callable[..., Path], walk: Callable[..., Any], reopened: Callable[..., Workspace]
) -> None:
    with pytest.raises(KeyboardInterrupt, match="what was learnt is kept; the same command goes on with it"):
        train_embedder(filled, recipe="stop")
    assert kept_embedders(filled) == ()
    assert len(list(filled.repository.layout.training.glob("*.state"))) == 1
    assert check_repository(filled.repository).findings == ()
    assert not train_embedder(filled).resumed
    commit(filled, [write(f"late/{place}.safetensors", point) for place, point in enumerate(walk(70, POINTS))])
    other = reopened(filled)
    result = train_embedder(other, recipe="stop")
    assert (result.resumed, result.grown, result.embedder.lineages) == (True, True, RUNS)
    assert other.warnings == [] and not list(filled.repository.layout.training.glob("*"))
    again = train_embedder(filled)
    assert (again.resumed, again.grown, again.embedder.lineages) == (False, False, RUNS + 1)


@pytest.mark.parametrize("damage", ["a line", "no JSON", "another name", "commits that are gone", "an older version's"])
def test_a_state_that_no_command_goes_on_with_is_removed(filled: Workspace, damage: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_embedder(filled, recipe="stop")
    [state] = filled.repository.layout.training.glob("*.state")
    line, _, rest = state.read_bytes().partition(b"\n")
    first = re.search(rb"lineages.*?([0-9a-f]{64})", line)
    assert first is not None
    path, content = {
        "a line": (state, line[:50]),
        "no JSON": (state, b"{}\n" + rest),
        "another name": (state.with_name("another.state"), line + b"\n" + rest),
        "commits that are gone": (state, line.replace(first.group(1), b"0" * 64) + b"\n" + rest),
        "an older version's": (state, rest),
    }[damage]
    state.unlink()
    path.write_bytes(content)
    train_embedder(filled)
    assert not path.exists() and "what it learnt from is gone" in filled.warnings[0]


def test_a_damaged_state_is_removed(filled: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_embedder(filled, recipe="stop")
    [state] = filled.repository.layout.training.glob("*.state")
    state.write_bytes(state.read_bytes()[:-1])
    with pytest.raises(InputError, match="cannot go on") as caught:
        train_embedder(filled, recipe="stop")
    assert "run the command again" in caught.value.hint
    assert not state.exists() and kept_embedders(filled) == ()


def test_what_cannot_be_read_back_is_not_kept(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for method, value in {
        "to_bytes": lambda _: b"damaged",
        "embed": lambda _, weights: np.full((len(weights), 16), np.nan, np.float32),
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(standin.StandIn, method, value)
            with pytest.raises(InputError, match="no embedder came of the training") as caught:
                train_embedder(filled)
        assert caught.value.code == "useless-embedder" and "--from" in caught.value.hint
        assert kept_embedders(filled) == () and not list(filled.repository.layout.training.glob("*"))


def test_too_little_is_refused(workspace: Workspace, write: Callable[..., Path], walk: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match="too little to learn from: 0 checkpoints in 0 lineages"):
        train_embedder(workspace)
    commit(workspace, [write(f"{i}.safetensors", point) for i, point in enumerate(walk(1, 20))])
    with pytest.raises(InputError, match=r"too little to learn from: 20 checkpoints in 1 lineage$") as caught:
        train_embedder(workspace)
    assert "commit at least 32 in 4 lineages" in caught.value.hint
    with pytest.raises(InputError, match="positive"):
        train_embedder(workspace, minutes=0)
    assert not workspace.repository.layout.training.exists()


def test_an_embedder_is_for_one_architecture(filled: Workspace, write: Callable[..., Path], walk: Any) -> None:
    shapes = {"fc1.weight": (9, 20), "fc2.weight": (5, 9)}
    commit(
        filled,
        [write(f"n/{i}-{j}.safetensors", point) for i in range(6) for j, point in enumerate(walk(i, 6, shapes=shapes))],
    )
    rows = log(filled).lineages
    with pytest.raises(InputError, match="2 architectures"):
        train_embedder(filled)
    with pytest.raises(InputError, match="several architectures"):
        train_embedder(filled, [rows[0].name, rows[-1].name])
    small = [row.name for row in rows if row.architecture != rows[0].architecture]
    assert train_embedder(filled, small).embedder.lineages == 6
    assert {row.embedder for row in apply(filled, directory=Path()).latents} == {kept_embedders(filled)[0].commit}
    with pytest.raises(NotFoundError, match="no embedder for architecture"):
        apply(filled, [rows[0].name], directory=Path())
    with pytest.raises(InputError, match="of several architectures"):
        apply(filled, [rows[0].name, small[0]], directory=Path())


def test_lineages_give_equally_many_points(filled: Workspace, write: Callable[..., Path], walk: Any) -> None:
    commit(filled, [write(f"long/{j}.safetensors", point) for j, point in enumerate(walk(50, 14))])
    row = train_embedder(filled).embedder
    assert (row.lineages, row.checkpoints) == (RUNS + 1, (RUNS + 1) * POINTS)


def _kept_at(root: Path, fs: FileSystem) -> None:
    workspace = Workspace.of(Repository.open(root, fs=fs), author="T")
    embedder = standin.StandIn({"fc1.weight": (3, 2)}, 1)
    keep_embedder(workspace, embedder.to_bytes(), Trained("a" * 64, "invariant", 1, 0.0, 4, ["b" * 64]))


def test_a_process_that_stops_anywhere_while_it_keeps_an_embedder(tmp_path: Path) -> None:
    Repository.init(tmp_path / "count")
    counting = FaultyFileSystem()
    _kept_at(tmp_path / "count", counting)
    outcomes = []
    for n in range(0, len(counting.operations), 3):
        root = tmp_path / str(n)
        Repository.init(root)
        with pytest.raises(Crash):
            _kept_at(root, FaultyFileSystem(n))
        workspace = Workspace.open(root)
        assert check_repository(workspace.repository).ok
        kept = kept_embedders(workspace)
        outcomes.append(bool(kept))
        if kept:
            assert load_embedder(workspace, kept[0]) == standin.StandIn({"fc1.weight": (3, 2)}, 1)
        else:
            _kept_at(root, FileSystem())
            assert len(kept_embedders(Workspace.open(root))) == 1
    assert outcomes == sorted(outcomes) and True in outcomes and False in outcomes
