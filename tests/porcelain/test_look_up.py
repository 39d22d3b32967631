"""What is looked up in the index as it lies on the disk is what the index says once it was opened in full, whatever
happened to the repository or to the index before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from mvc.errors import InputError
from mvc.geometry import VERSION
from mvc.index import Index, Reader, Stamp, View, set_stamp, viewing
from mvc.objects import EMBEDDER
from mvc.porcelain.commits import commit
from mvc.porcelain.declarations import PIN
from mvc.porcelain.diff import diff
from mvc.porcelain.engine import ENGINE
from mvc.porcelain.gc import gc
from mvc.porcelain.lineages import list_lineages, pin, rename, unpin
from mvc.porcelain.log import log
from mvc.porcelain.operations import as_of, op_log, undo
from mvc.porcelain.reindex import reindex
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.tags import create_tag, delete_tag, list_tags
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Reopened = Callable[[Workspace], Workspace]


@pytest.fixture
def small(workspace: Workspace, population: list[Path], write: Any, walk: Any) -> Workspace:
    commit(workspace, population[:6])
    large = walk(9, 3, shapes={"w": (300, 200)})  # tensors that gc --keep finds worth giving up
    commit(workspace, [write(f"large/{n}.safetensors", point) for n, point in enumerate(large)])
    create_tag(workspace, "one")
    return workspace


def answers(workspace: Workspace, files: Path) -> list[object]:
    """What the looking commands say, in an order in which none profits from another."""
    tip = resolve(workspace, "HEAD")
    first = log(workspace).lineages[0]
    return [
        tip,
        log(workspace),
        log(workspace, [first.name], limit=2),
        log(workspace, [first.commits[0].id[:12]]),
        list_tags(workspace),
        list_lineages(workspace),
        status(workspace, directory=files),
        show(workspace, "HEAD"),
        diff(workspace, first.commits[0].id, f"{first.name}@-1"),
    ]


def in_full(workspace: Workspace) -> Workspace:
    """The same repository, its index opened by SQLAlchemy."""
    repository = Repository.open(workspace.repository.root)
    return Workspace(repository, Index(repository.layout.index), workspace.author)


def looks(workspace: Workspace) -> type[object]:
    """What kind of reader a look-up gets."""
    kind: Callable[[Reader], type[object]] = type
    return workspace.look_up(kind)


def test_every_change_shows_at_once(
    small: Workspace, reopened: Reopened, write: Any, walk: Any, tmp_path: Path
) -> None:
    more = [write(f"more/{n}.safetensors", point) for n, point in enumerate(walk(77, 3))]
    changes: list[Callable[[Workspace], object]] = [
        lambda at: commit(at, more[:2], message="two more"),
        lambda at: create_tag(at, "v1"),
        lambda at: delete_tag(at, "v1"),
        lambda at: rename(at, "HEAD", "other"),
        _pin_a_tip_elsewhere,
        lambda at: unpin(at, next(key for key in at.repository.state().settings if key.startswith(PIN))[len(PIN) :]),
        undo,
        lambda at: undo(at, "@---"),
        lambda at: gc(at, keep="last=1"),
        lambda at: commit(at, more[2:], step=9, run="declared"),
        _declare_an_embedder,
    ]
    told = [answers(reopened(small), tmp_path)]
    for number, change in enumerate(changes):
        change(reopened(small))
        fresh = reopened(small)
        told.append(answers(fresh, tmp_path))
        assert looks(fresh) is View
        assert told[-1] == answers(in_full(small), tmp_path)
        assert told[-1] != told[-2] or change is _declare_an_embedder, number  # of which no lineage tells
    reindex(reopened(small))
    assert answers(reopened(small), tmp_path) == told[-1]


def _pin_a_tip_elsewhere(workspace: Workspace) -> None:
    first, *others = log(workspace).lineages
    pin(workspace, first.commits[-1].id, next(one.name for one in others if one.architecture == first.architecture))


def _declare_an_embedder(workspace: Workspace) -> None:
    with workspace.repository.lock():
        workspace.declare("embed train", settings={f"{EMBEDDER}{'a' * 64}:1": workspace.repository.state().commits[0]})


def test_an_index_that_is_behind_is_brought_up_before_it_is_looked_up_in(
    small: Workspace, reopened: Reopened, tmp_path: Path
) -> None:
    repository = Repository.open(small.repository.root)
    with repository.lock():
        repository.append(command="tag", author="x", tags={"late": repository.state().commits[0]})
    fresh = reopened(small)
    assert "late" in {tag.name for tag in list_tags(fresh).tags}
    assert answers(reopened(small), tmp_path) == answers(in_full(small), tmp_path)


@pytest.mark.parametrize("what", ["lost", "no database", "empty", "torn"])
def test_an_index_that_cannot_be_read_is_built_again(
    small: Workspace, reopened: Reopened, tmp_path: Path, what: str
) -> None:
    told = answers(reopened(small), tmp_path)
    file = small.repository.layout.index
    if what == "lost":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes({"no database": b"x" * 5000, "empty": b"", "torn": content[: len(content) // 3]}[what])
    fresh = reopened(small)
    assert answers(fresh, tmp_path) == told
    assert looks(reopened(small)) is View


def test_another_engine_is_not_looked_up(small: Workspace, reopened: Reopened) -> None:
    head = small.repository.head()
    with small.index.writing() as connection:
        set_stamp(connection, Stamp("older", head or ""))
    fresh = reopened(small)
    assert looks(fresh) is Connection and log(fresh) == log(in_full(small))
    assert looks(reopened(small)) is View


def test_the_engine_names_the_version_of_signatures() -> None:
    assert ENGINE.rpartition(".")[2] == str(VERSION)


def test_an_index_of_a_newer_mvc_is_refused(small: Workspace, reopened: Reopened) -> None:
    with small.index.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(InputError) as refused:
        log(reopened(small))
    assert refused.value.code == "newer-index"


def test_what_was_is_not_looked_up_in_what_is(small: Workspace, reopened: Reopened) -> None:
    now = log(reopened(small))
    then = as_of(reopened(small), "@--")
    assert looks(then) is Connection
    assert log(then) != now and log(reopened(small)) == now


def test_another_database_is_asked_in_its_own_way(small: Workspace, tmp_path: Path) -> None:
    repository = small.repository
    told = log(small)
    repository.layout.config.chmod(0o644)
    repository.layout.config.write_text(f'[index]\nurl = "sqlite:///{tmp_path}/elsewhere.sqlite"\n')
    elsewhere = Workspace.open(repository.root)
    assert looks(elsewhere) is Connection
    assert log(elsewhere) == told


def test_a_look_sees_one_moment(small: Workspace, reopened: Reopened) -> None:
    with viewing(small.repository.layout.index) as view:
        stamp = view.stamp()
        create_tag(reopened(small), "meanwhile")
        assert view.stamp() == stamp
    with viewing(small.repository.layout.index) as view:
        assert view.stamp() != stamp


def test_the_log_of_operations_needs_no_index(small: Workspace, reopened: Reopened) -> None:
    told = op_log(reopened(small))
    file = small.repository.layout.index
    file.write_bytes(b"no index")
    assert op_log(reopened(small)) == told
    assert file.read_bytes() == b"no index"
