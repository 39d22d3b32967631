"""`mvc zoo train`: into files, into arrays, into a repository."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mvc.errors import ExistsError, InputError, Interrupted, NotFoundError
from mvc.index import CommitRow
from mvc.porcelain import population as porcelain
from mvc.porcelain.facade import Repository
from mvc.porcelain.init import init
from mvc.porcelain.population import train_card
from mvc.porcelain.workspace import Workspace
from mvc.porcelain.zoo import list_cards
from mvc.zoo import export
from mvc.zoo.populations import Zoo, read

SIZE = {"seeds": 1, "models": 3, "epochs": 2}  # of tetris-hyp: 9 checkpoints, some of the same first weights


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    init(tmp_path / "repository")
    return Workspace.open(tmp_path / "repository")


def flat(tensors: dict[str, np.ndarray], zoo: Zoo) -> np.ndarray:
    return np.concatenate([tensors[name].ravel() for name in zoo.shapes])


def test_one_training_goes_to_three_places(tmp_path: Path, workspace: Workspace) -> None:
    result = train_card("tetris-hyp", tmp_path / "out", population=tmp_path / "arrays", into=workspace, **SIZE)
    zoo = read(tmp_path / "arrays")
    assert zoo.weights.shape == (3, 3, 100) and (result.runs, result.checkpoints) == (3, 9)
    truth = json.loads((tmp_path / "out-truth.json").read_text())
    repository = Repository.open(workspace.repository.root)
    rows = {(row.run, row.step): row for row in workspace.read(CommitRow.select)}
    assert len(rows) == result.committed
    for number, member in enumerate(zoo.members):
        run = f"tetris-hyp-{number:03d}"
        assert truth["runs"][run]["hyperparameters"] == member.hyperparameters()
        for checkpoint in (1, 2):
            name = f"{run}/checkpoint-{checkpoint:03d}.safetensors"
            weights = zoo.weights[number, checkpoint]
            assert np.array_equal(flat(load_file(tmp_path / "out" / name), zoo), weights)
            row = rows[run, checkpoint]
            assert np.array_equal(flat(dict(repository.load(row.id)), zoo), weights)
            assert row.path == f"tetris-hyp/{name}"
            said = truth["files"][name]
            for key in ("train_accuracy", "test_accuracy", "gap"):
                value = zoo.facts[key][number, checkpoint]
                assert row.metrics[key] == pytest.approx(value, abs=1e-6) and said[key] == pytest.approx(
                    value, abs=1e-4
                )
            f1 = [row.metrics[f"f1_{label}"] for label in range(4)]
            assert f1 == pytest.approx(zoo.facts["f1"][number, checkpoint], abs=1e-6)
            assert row.extra == {
                "card": "tetris-hyp", **{key: str(value) for key, value in member.hyperparameters().items()}
            }  # fmt: skip
    assert not list(tmp_path.glob(".*")) and not list(workspace.repository.layout.training.glob("*"))


def test_a_training_gone_on_with_commits_what_is_missing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(porcelain, "_TOGETHER", 3)
    commit, left = porcelain.commit, 1

    def interrupted(*given: object, **named: object) -> object:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return commit(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(porcelain, "commit", interrupted)
    with pytest.raises(Interrupted, match=r"what was trained is kept in '.*\.zoo'; the same command goes on with it"):
        train_card("tetris-seed", into=workspace, seeds=3, epochs=2)
    left = 9
    told: list[tuple[int, int | None, str]] = []
    result = train_card("tetris-seed", into=workspace, seeds=3, epochs=2, progress=lambda *what: told.append(what))
    assert (result.checkpoints, result.committed) == (9, 6)
    assert told[0][:2] == (2, 2)  # nothing was trained again
    assert train_card("tetris-seed", into=workspace, seeds=3, epochs=2).committed == 0


@pytest.mark.parametrize(
    ("where", "left", "told"),
    [("write_whole", 5, "what was trained"), ("rmtree", 1, "what was trained"), ("rmtree", 2, "what was written")],
)
def test_an_export_is_gone_on_with(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, where: str, left: int, told: str
) -> None:
    module = {"write_whole": export, "rmtree": porcelain.shutil}[where]
    function = getattr(module, where)

    def interrupted(*given: object, **named: object) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        function(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, where, interrupted)
        with pytest.raises(Interrupted, match=told):
            train_card("tetris-hyp", tmp_path / "out", into=workspace, **SIZE)
    result = train_card("tetris-hyp", tmp_path / "out", into=workspace, **SIZE)
    assert (result.checkpoints, result.committed) == (9, 0)
    assert len(list((tmp_path / "out").rglob("*.safetensors"))) == 9
    assert not [*tmp_path.glob(".*"), *(tmp_path / "out").glob(".*")]
    with pytest.raises(ExistsError, match="not empty"):
        train_card("tetris-hyp", tmp_path / "out", into=workspace, **SIZE)


def test_another_training_says_what_to_do_about_the_one_interrupted(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(porcelain, "runs_of_zoo", interrupted)
        for places in ({"out": tmp_path / "out"}, {"into": workspace}):
            with pytest.raises(KeyboardInterrupt):
                train_card("tetris-seed", **places, seeds=2, epochs=1)
    state = tmp_path / ".out.training"
    for epochs, seeds in ((1, 3), (2, 2)):
        with pytest.raises(InputError, match=r"kept in .*\.out\.training") as found:
            train_card("tetris-seed", tmp_path / "out", seeds=seeds, epochs=epochs)
        assert found.value.hint.endswith(f"rm -r {state}")
    shutil.rmtree(state)
    assert train_card("tetris-seed", tmp_path / "out", seeds=3, epochs=1).checkpoints == 6
    assert train_card("tetris-seed", into=workspace, seeds=3, epochs=1).committed == 6
    assert len([*workspace.repository.layout.training.iterdir()]) == 1  # the interrupted one's
    assert {path.name for path in workspace.repository.root.iterdir()} == {".mvc"}


def test_an_unknown_card_is_told_all_names() -> None:
    with pytest.raises(NotFoundError) as found:
        train_card("nope", Path("nowhere"))
    assert found.value.hint == "one of: " + ", ".join(row.name for row in list_cards().cards)


def test_what_cannot_be_is_refused_before_training(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(InputError, match="nothing would be kept"):
        train_card("tetris-seed")
    with pytest.raises(InputError, match="for checkpoint files"):
        train_card("tetris-seed", population=tmp_path / "arrays", anonymous=True)
    with pytest.raises(InputError, match="one size"):
        train_card("demo", into=workspace)
    with pytest.raises(InputError, match="mvc's own images"):
        train_card("tetris-seed", tmp_path / "out", data=tmp_path)
    with pytest.raises(InputError, match="among the checkpoints"):
        train_card("tetris-seed", tmp_path / "out", truth=tmp_path / "out" / "truth.json")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(ExistsError, match="not empty"):
        train_card("tetris-seed", tmp_path / "out")
    assert not (tmp_path / "arrays").exists()
