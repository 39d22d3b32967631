"""An index that is lost, damaged, behind, too new or held by a writer: what is told then, and how it comes back."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mvc.cli.main import exit_code, run
from mvc.errors import InputError
from mvc.index import IndexDamaged
from mvc.porcelain.commits import commit
from mvc.porcelain.fsck import fsck
from mvc.porcelain.log import log
from mvc.porcelain.reindex import reindex
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.testing.commits import loosen

Reopened = Callable[[Workspace], Workspace]


def test_an_index_that_reflects_what_is_no_more_is_built_again(busy_workspace: Workspace, reopened: Reopened) -> None:
    """As after restoring a repository from a backup: the index knows later operations than the repository."""
    operations = [operation.id for operation in busy_workspace.repository.operations()]
    head = busy_workspace.repository.directory / "HEAD"
    head.chmod(0o644)
    head.write_text(f"{operations[-1]}\n")
    assert sum(len(row.commits) for row in log(reopened(busy_workspace)).lineages) == 5
    early = busy_workspace.index.dump()
    reindex(reopened(busy_workspace))
    assert busy_workspace.index.dump() == early


@pytest.mark.parametrize("damage", ["deleted", "garbage", "empty", "a table lost", "half"])
def test_a_lost_or_damaged_index_is_built_again(busy_workspace: Workspace, reopened: Reopened, damage: str) -> None:
    before, told = busy_workspace.index.dump(), log(busy_workspace)
    file = busy_workspace.repository.layout.index
    raw = sqlite3.connect(file)
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if damage == "a table lost":
        raw.execute("DROP TABLE placements")
        raw.commit()
    raw.close()
    if damage == "deleted":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"garbage" * 1000)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "half":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert log(reopened(busy_workspace)) == told
    assert busy_workspace.index.dump() == before


NEVER_WRITTEN = [
    ("commits", "path", 5),
    ("commits", "metrics", "[1]"),
    ("commits", "extra", "{"),
    ("commits", "step", 99.0),
    ("commits", "manifest", "ab"),
    ("placements", "lineage", "x"),
    ("placements", "position", 77),
    ("placements", "evidence", "[" * 5000),
    ("placements", "parent", "ff" * 32),
    ("architectures", "names", "[1]"),
    ("points", "tensors", '["' + "ab" * 32 + '"]'),
    ("signatures", "sketch", b"abc"),
    ("signatures", "sketch", b"abcd"),
    ("signatures", "tensor", "ab" * 32),
    ("walks", "figures", b"12345678"),
    ("walks", "path", "[{}, 5]"),
    ("lineages", "fork_commit", "ff"),
    ("forests", "varying", '["a"]'),
    ("tags", "name", "another"),
]


@pytest.mark.parametrize(("table", "column", "value"), NEVER_WRITTEN)
def test_values_that_mvc_never_wrote_are_noticed(
    busy_workspace: Workspace, reopened: Reopened, table: str, column: str, value: Any
) -> None:
    """By whoever stumbles over them, and else by fsck; no command ends as a defect."""
    before, root = busy_workspace.index.dump(), str(busy_workspace.repository.root)
    with contextlib.closing(sqlite3.connect(busy_workspace.repository.layout.index, isolation_level=None)) as raw:
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT max(rowid) FROM {table})", (value,))
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for args in (["log"], ["check", "--all", "--exit-zero"]):
        assert run(["-C", root, *args]) in (0, exit_code(IndexDamaged("")))
    report = fsck(reopened(busy_workspace), repair=True)
    assert report.ok and {finding.code for finding in report.findings} <= {"index-stale"}
    assert busy_workspace.index.dump() == before
    assert fsck(reopened(busy_workspace)).findings == ()


def test_a_defect_is_no_reason_to_build_a_sound_index_again(busy_workspace: Workspace) -> None:
    file = busy_workspace.repository.layout.index
    inode = file.stat().st_ino

    def defective(_reader: object) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        busy_workspace.look_up(defective)
    assert busy_workspace.suspect() is None and file.stat().st_ino == inode


def test_a_newer_index_is_refused_and_left_alone(busy_workspace: Workspace, reopened: Reopened) -> None:
    raw = sqlite3.connect(busy_workspace.repository.layout.index)
    raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.commit()
    raw.close()
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            log(reopened(busy_workspace))
        assert caught.value.code == "newer-index"
    assert reindex(reopened(busy_workspace)).commits > 0
    assert log(reopened(busy_workspace)).lineages


def test_readers_do_not_wait_for_a_writer(busy_workspace: Workspace, reopened: Reopened, locked: Any) -> None:
    told = log(busy_workspace)
    with locked(busy_workspace):
        assert log(reopened(busy_workspace)) == told
        busy_workspace.repository.layout.index.unlink()
        assert replace(log(reopened(busy_workspace)), warnings=()) == replace(told, warnings=())


def test_an_index_that_is_behind_is_shown_with_a_warning_while_another_writes(
    workspace: Workspace, population: list[Path], reopened: Reopened, locked: Any
) -> None:
    commit(workspace, population[:3])
    content = workspace.repository.layout.index.read_bytes()
    wal = workspace.repository.layout.index.with_name("index.sqlite-wal")
    before = wal.read_bytes() if wal.exists() else None
    commit(workspace, population[3:6])
    workspace.repository.layout.index.write_bytes(content)
    wal.unlink(missing_ok=True)
    if before is not None:
        wal.write_bytes(before)
    with locked(workspace):
        behind = log(reopened(workspace))
    assert sum(len(row.commits) for row in behind.lineages) == 3
    assert any("older than the newest commit" in text for text in behind.warnings)
    assert sum(len(row.commits) for row in log(reopened(workspace)).lineages) == 6


def test_damaged_objects_do_not_hide_the_others(
    workspace: Workspace, population: list[Path], reopened: Reopened
) -> None:
    rows = commit(workspace, population).commits
    repository = workspace.repository
    manifest = repository.manifest(repository.commit(rows[0].id).manifest)  # type: ignore[arg-type]
    lost = next(iter(manifest.weights.values())).object
    loosen(repository)
    objects = repository.directory / "objects"
    (objects / lost[:2] / lost[2:]).unlink()
    (objects / rows[1].id[:2] / rows[1].id[2:]).unlink()
    workspace.repository.layout.index.unlink()
    told = log(reopened(workspace))
    assert sum(len(row.commits) for row in told.lineages) == len(population)
    assert {row.id for lineage in told.lineages for row in lineage.commits if lineage.architecture == "damaged"} == {
        rows[0].id,
        rows[1].id,
    }


@pytest.mark.parametrize("where", ["mvc.porcelain.understand.infer_family", "mvc.porcelain.inferring.bring_kin"])
def test_an_inference_that_fails_hides_no_commit_and_is_tried_again(
    workspace: Workspace, population: list[Path], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def failing(*_: Any) -> Any:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(where, failing)
    rows = commit(workspace, population[:4]).commits
    assert len({row.lineage for row in rows}) == 4 and all("a defect" in str(row.evidence) for row in rows)
    assert any("a defect" in text for text in log(workspace).warnings)
    monkeypatch.undo()
    create_tag(workspace, "again")
    commit(workspace, population[4:])
    assert log(workspace).warnings == () and len(log(workspace).lineages) < 6


def test_the_log_imports_nothing_heavy(busy_workspace: Workspace) -> None:
    code = (
        "import sys; from mvc.porcelain.workspace import Workspace; from mvc.porcelain.log import log;"
        "assert log(Workspace.open(sys.argv[1])).lineages;"
        "print([m for m in ('torch', 'scipy', 'sklearn', 'alembic', 'mvc.trajectory') if m in sys.modules])"
    )
    root = str(busy_workspace.repository.root)
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
