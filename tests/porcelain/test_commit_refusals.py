"""Commits that are refused or fail: one clear error, and nothing happened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import BusyError, ChangedError, ExistsError, FormatError, InputError, NotFoundError, StorageError
from mvc.porcelain import intake
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import check_repository

Write = Callable[..., Path]


def _nothing_happened(workspace: Workspace) -> bool:
    state = workspace.repository.state()
    return state.head is None and log(workspace).lineages == () and check_repository(workspace.repository).ok


def test_one_bad_path_fails_the_whole_command(workspace: Workspace, population: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "ck" / "zz.safetensors"
    bad.write_bytes(population[0].read_bytes()[:-1])
    with pytest.raises(FormatError, match=r"zz\.safetensors"):
        commit(workspace, [population[0].parent])
    with pytest.raises(FormatError):
        commit(workspace, [*population, bad])
    with pytest.raises(NotFoundError):
        commit(workspace, [*population, tmp_path / "nowhere.pt"])
    assert _nothing_happened(workspace)
    bad.unlink()
    assert len(commit(workspace, [population[0].parent]).commits) == len(population)


def test_what_is_not_complete_is_left_out_of_a_search_but_an_error_by_name(
    workspace: Workspace, population: list[Path]
) -> None:
    pointer = population[0].parent / "big.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n")
    with pytest.raises(FormatError):
        commit(workspace, [pointer])
    assert _nothing_happened(workspace)
    result = commit(workspace, [population[0].parent])
    assert len(result.commits) == len(population)
    assert len(result.warnings) == 1 and "big.safetensors" in result.warnings[0]


def test_a_directory_without_checkpoints_is_an_error(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        commit(workspace, [tmp_path / "empty"])
    with pytest.raises(InputError):
        commit(workspace, [])


@pytest.mark.parametrize(
    "declared",
    [
        {"step": float("nan")},
        {"metrics": {"loss": float("inf")}},
        {"tag": "a b"},
        {"tag": "deadbeef"},
        {"run": " "},
        {"parent": "nothing"},
        {"message": "x" * 100_000},
        {"extra": {"seed": 7}},
    ],
)
def test_bad_declarations_change_nothing(workspace: Workspace, population: list[Path], declared: Any) -> None:
    with pytest.raises(InputError):
        commit(workspace, [population[0]], **declared)
    assert _nothing_happened(workspace)


def test_a_step_or_tag_is_for_one_checkpoint(workspace: Workspace, population: list[Path]) -> None:
    for declared in ({"step": 1.0}, {"tag": "v1"}):
        with pytest.raises(InputError, match="is for one checkpoint"):
            commit(workspace, population, **declared)  # type: ignore[arg-type]
    commit(workspace, [population[0]], tag="v1")
    with pytest.raises(ExistsError):
        commit(workspace, [population[1]], tag="v1")
    assert len(workspace.repository.state().commits) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_changes_while_it_is_read_is_tried_again_once(
    workspace: Workspace, population: list[Path], monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    left = [times]
    real = intake.dissect

    def touching(file: Any, take: Any) -> Any:
        if left[0]:
            left[0] -= 1
            os.utime(file.path, ns=(left[0], left[0]))
        return real(file, take)

    monkeypatch.setattr(intake, "dissect", touching)
    if times == 1:
        assert len(commit(workspace, population[:3]).commits) == 3
    else:
        with pytest.raises(ChangedError):
            commit(workspace, population[:3])
        assert _nothing_happened(workspace)


def test_a_skeleton_that_does_not_restore_its_file_is_never_acknowledged(
    workspace: Workspace, population: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = intake.dissect

    def reversing(file: Any, take: Any) -> Any:
        skeleton, digest = real(file, take)
        return type(skeleton)(skeleton.size, skeleton.holes, skeleton.literal[::-1]), digest

    monkeypatch.setattr(intake, "dissect", reversing)
    with pytest.raises(Exception, match="byte for byte"):
        commit(workspace, population[:1])
    assert _nothing_happened(workspace)


def test_a_disk_that_refuses_leaves_nothing(
    workspace: Workspace, population: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(workspace.repository.storage, "compare_and_swap", full)
    with pytest.raises(StorageError):
        commit(workspace, population)
    monkeypatch.undo()
    assert _nothing_happened(workspace)


def test_a_second_writer_hears_who_is_busy(
    workspace: Workspace, population: list[Path], locked: Any, reopened: Any
) -> None:
    workspace.repository.layout.config.write_text("[lock]\ntimeout = 0.1\n")
    with locked(workspace), pytest.raises(BusyError, match="locked by process"):
        commit(reopened(workspace), population)
    assert _nothing_happened(workspace)


def test_a_directory_that_is_an_incomplete_checkpoint_is_an_error(
    workspace: Workspace, write: Write, walk: Any, tmp_path: Path
) -> None:
    write("sharded/older/a.safetensors", walk(1, 1)[0])
    index = {"metadata": {}, "weight_map": {"w": "model-00001-of-00001.safetensors"}}
    (tmp_path / "sharded" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(FormatError, match="model-00001-of-00001"):
        commit(workspace, [tmp_path / "sharded"])
    assert _nothing_happened(workspace)
    assert [row.relation for row in commit(workspace, [tmp_path / "sharded" / "older"]).commits] == ["starts"]
