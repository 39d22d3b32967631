"""What is embedded, where it is kept, and what looks at its neighbours: identify, and runs with shuffled units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mvc
import mvc.testing.embedder as standin
from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.index import LatentRow
from mvc.porcelain.commits import commit
from mvc.porcelain.embed import apply, list_embedders
from mvc.porcelain.embedders import newest_embedder
from mvc.porcelain.identify import identify
from mvc.porcelain.latents import LatentSpace
from mvc.porcelain.learning import train_embedder
from mvc.porcelain.log import log
from mvc.porcelain.permuted import UnitSearch
from mvc.porcelain.shuffled import shuffled_runs
from mvc.porcelain.workspace import Workspace
from mvc.testing.commits import loosen
from tests.porcelain.embedders.points import Arrays, shuffled


def test_latents_of_commits_and_files(
    filled: Workspace, write: Callable[..., Path], runs: list[list[Arrays]], tmp_path: Path
) -> None:
    kept = train_embedder(filled).embedder
    model = runs[2][3]
    original, copy = write("a.safetensors", model), write("b.safetensors", shuffled(model))
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
    copy = write("copy.safetensors", shuffled(walk(4, 8)[5]))
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
    copy = write("copy.safetensors", shuffled(walk(4, 8)[5]))
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
    turned = [shuffled(point) for point in runs[0][8:]]
    files = [write(f"0/{j}.safetensors", point) for j, point in enumerate([*runs[0][:8], *turned])]
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
