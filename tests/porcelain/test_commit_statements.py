"""What one more checkpoint of a run costs does not grow with the run where it need not: statements, counted."""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import save_file
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.testing.trajectories import Walk, synthetic_run, tensors_of


def _statements(workspace: Workspace, path: Path) -> list[str]:
    told: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        told.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        commit(workspace, [path])
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    return told


def _written(directory: Path, count: int) -> list[Path]:
    files = [directory / f"{step:02}.safetensors" for step in range(count)]
    for file, weights in zip(files, synthetic_run(3, Walk(points=count)), strict=True):
        save_file(tensors_of(weights), file)
    return files


def test_one_more_commit_of_a_longer_run_takes_no_more_statements(tmp_path: Path) -> None:
    workspace = Workspace.of(Repository.init(tmp_path))
    files = _written(tmp_path, 42)
    commit(workspace, files[:20])
    commit(workspace, [files[20]])
    early = _statements(workspace, files[21])
    commit(workspace, files[22:41])
    late = _statements(workspace, files[41])
    assert sum("INSERT INTO placements" in one for one in late) == 1  # the run was read again
    assert len(late) <= len(early)


def test_a_commit_opens_the_index_once_and_once_more_to_tell(tmp_path: Path) -> None:
    workspace = Workspace.of(Repository.init(tmp_path))
    files = _written(tmp_path, 3)
    commit(workspace, files[:-1])
    opened: list[object] = []

    def count(connection: object, _record: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", count)
    try:
        commit(workspace, files[-1:])
    finally:
        event.remove(Pool, "connect", count)
    assert len(opened) <= 3  # what is told is looked up when the lock is free again
