"""Embedders in a repository: kept as objects, versioned, sound whatever happens; and what is embedded with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvc
import mvc.testing.embedder as standin
from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.geometry import derive, permute
from mvc.index import LatentRow
from mvc.porcelain.commits import commit
from mvc.porcelain.embed import apply, list_embedders, remove
from mvc.porcelain.embedders import Trained, keep_embedder, kept_embedders, load_embedder, newest_embedder
from mvc.porcelain.identify import identify
from mvc.porcelain.latents import LatentSpace
from mvc.porcelain.learning import train_embedder
from mvc.porcelain.log import log
from mvc.porcelain.permuted import UnitSearch
from mvc.porcelain.reindex import reindex
from mvc.porcelain.shuffled import shuffled_runs
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.storage import FileSystem
from mvc.testing.commits import loosen
from mvc.testing.faults import Crash, FaultyFileSystem

Arrays = dict[str, Any]
RUNS, POINTS = 7, 6


@pytest.fixture(autouse=True)
def embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in in the place of what imports torch."""
    for name in ("embedder", "train", "recipes"):
        monkeypatch.setitem(sys.modules, f"mvc.embedding.{name}", standin)


@pytest.fixture
def runs(walk: Callable[..., list[Arrays]]) -> list[list[Arrays]]:
    return [walk(seed, POINTS) for seed in range(RUNS)]


@pytest.fixture
def filled(workspace: Workspace, write: Callable[..., Path], runs: list[list[Arrays]]) -> Workspace:
    files = [write(f"ck/{i}-{j}.safetensors", point) for i, run in enumerate(runs) for j, point in enumerate(run)]
    commit(workspace, files)
    return workspace


def _shuffled(model: Arrays) -> Arrays:
    spec = derive({name: value.shape for name, value in model.items()})
    assert spec is not None
    for units in spec.units:
        model = permute(model, units, np.random.default_rng(0).permutation(units.size))
    return model


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


def test_latents_of_commits_and_files(
    filled: Workspace, write: Callable[..., Path], runs: list[list[Arrays]], tmp_path: Path
) -> None:
    kept = train_embedder(filled).embedder
    model = runs[2][3]
    original, copy = write("a.safetensors", model), write("b.safetensors", _shuffled(model))
    tip = log(filled).lineages[0].commits[-1].id
    result = apply(filled, [str(original), str(copy), tip], directory=Path(), output=tmp_path / "out.npz")
    assert [(row.path, row.commit) for row in result.latents] == [(str(original), None), (str(copy), None), (None, tip)]
    assert np.allclose(result.latents[0].latent, result.latents[1].latent, atol=1e-5)
    assert {row.embedder for row in result.latents} == {kept.id}
    with np.load(tmp_path / "out.npz") as file:
        assert file["latents"].shape == (3, 16) and file["names"].tolist() == [str(original), str(copy), tip]
    with pytest.raises(ExistsError):
        apply(filled, [tip], directory=Path(), output=tmp_path / "out.npz")
    broken = write("c.safetensors", {**model, "fc1.bias": np.full(12, np.nan, np.float32)})
    with pytest.raises(InputError, match="not finite"):
        apply(filled, [str(broken)], directory=Path())


def test_a_script_can_do_the_same(filled: Workspace) -> None:
    repository = mvc.Repository.open(filled.repository.root)
    row = repository.train_embedder(minutes=1).embedder
    assert repository.embedders() == (row,)
    assert repository.embed("HEAD")[0].embedder == row.id


def test_what_was_embedded_is_not_embedded_again(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = newest_embedder(filled, train_embedder(filled).embedder.architecture)
    assert kept is not None
    commits = list(filled.repository.state().commits)
    before = LatentSpace(filled, kept).places(commits)
    monkeypatch.setattr(standin.StandIn, "embed", None)
    assert np.array_equal(LatentSpace(filled, kept).places(commits), before)
    with filled.index.reading() as connection:
        assert len(LatentRow.select(connection)) == len(commits)


def test_where_the_index_cannot_be_written_latents_are_told_all_the_same(
    filled: Workspace, reopened: Callable[..., Workspace], locked: Callable[..., Any]
) -> None:
    kept = newest_embedder(filled, train_embedder(filled).embedder.architecture)
    assert kept is not None
    commits = list(filled.repository.state().commits)
    before = LatentSpace(filled, kept).places(commits)
    with filled.index.writing() as connection:
        LatentRow.clear(connection)
    with locked(filled):
        assert np.allclose(LatentSpace(reopened(filled), kept).places(commits), before)


def test_without_an_embedder_there_is_one_hint(filled: Workspace) -> None:
    assert list_embedders(filled).embedders == ()
    with pytest.raises(NotFoundError) as caught:
        apply(filled, directory=Path())
    assert caught.value.hint == "train one with: mvc embed train"


@pytest.fixture
def many(workspace: Workspace, write: Callable[..., Path], walk: Callable[..., list[Arrays]]) -> Workspace:
    """More commits than are matched: 72."""
    files = [write(f"ck/{i}-{j}.safetensors", point) for i in range(9) for j, point in enumerate(walk(i, 8))]
    commit(workspace, files)
    return workspace


def test_the_source_of_a_permuted_copy_is_a_neighbour(
    many: Workspace, write: Callable[..., Path], walk: Callable[..., list[Arrays]], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = next(row.id for line in log(many).lineages for row in line.commits if row.path.endswith("4-5.safetensors"))
    copy = write("copy.safetensors", _shuffled(walk(4, 8)[5]))
    [without] = identify(many, [copy]).results
    name = train_embedder(many).embedder.name
    [found] = identify(many, [copy]).results
    assert without.match is not None and found.match is not None
    assert replace(found.match, evidence={}) == without.match
    assert (found.match.commit, found.match.evidence) == (source, {"embedder": name, "neighbour": 1})
    # what is explained by a neighbour is not searched for any more
    monkeypatch.setattr(UnitSearch, "nearest", None)
    assert identify(many, [copy]).results == (found,)


def test_a_bad_embedder_takes_nothing_away(
    many: Workspace, write: Callable[..., Path], walk: Callable[..., list[Arrays]], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = write("copy.safetensors", _shuffled(walk(4, 8)[5]))
    without = identify(many, [copy])
    train_embedder(many)
    with monkeypatch.context() as patched:
        # the farthest commits are called the nearest
        patched.setattr(LatentSpace, "place", lambda self, checkpoint: np.full(16, 1e6, np.float32))
        assert identify(many, [copy]) == without
    row = list_embedders(many).embedders[0]
    manifest = many.repository.manifest(many.repository.commit(row.id).manifest)  # type: ignore[arg-type]
    [entry] = manifest.files[0].tensors
    loosen(many.repository)
    (many.repository.directory / "objects" / entry.object[:2] / entry.object[2:]).unlink()
    assert identify(many, [copy]) == without
    assert any("embedder could not be used" in text for text in many.warnings)


def test_runs_whose_units_were_shuffled_come_together(
    workspace: Workspace, write: Callable[..., Path], walk: Callable[..., list[Arrays]]
) -> None:
    runs = [walk(seed, 12) for seed in range(4)]
    # the last third of the first run has its units in another order, and nothing was done to the others
    shuffled = [_shuffled(point) for point in runs[0][8:]]
    files = [write(f"0/{j}.safetensors", point) for j, point in enumerate([*runs[0][:8], *shuffled])]
    files += [write(f"{i}/{j}.safetensors", point) for i in (1, 2, 3) for j, point in enumerate(runs[i])]
    commit(workspace, files)
    train_embedder(workspace)
    before = log(workspace)
    path = {row.id: Path(row.path) for line in before.lineages for row in line.commits}
    assert len(before.lineages) == 5
    [run] = shuffled_runs(workspace).runs
    assert len(run.lineages) == 2 and {path[link.a].parent.name for link in run.links} == {"0"}
    assert {path[run.links[0].a].parent, path[run.links[0].b].parent} == {path[run.links[0].a].parent}
    assert log(workspace) == before


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
