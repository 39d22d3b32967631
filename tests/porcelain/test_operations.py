"""The log of operations, undo, and seeing things as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import ExistsError, InputError, NotFoundError
from mvc.odb import loose_key
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import list_lineages, pin, rename, unpin
from mvc.porcelain.log import log
from mvc.porcelain.operations import as_of, op_log, undo
from mvc.porcelain.reindex import reindex
from mvc.porcelain.tags import create_tag, delete_tag, list_tags
from mvc.porcelain.workspace import Workspace
from mvc.repository import check_repository
from mvc.testing.commits import loosen

Write, Walk = Callable[..., Path], Any


@pytest.fixture
def files(write: Write, walk: Walk) -> list[Path]:
    points = [*walk(1, 4), *walk(2, 4)]
    return [write(f"{n}.safetensors", point) for n, point in enumerate(points)]


def picture(workspace: Workspace) -> object:
    """All that a user sees, but for warnings."""
    return log(workspace).lineages, list_tags(workspace), list_lineages(workspace)


def test_every_step_of_a_day_is_undone_and_done_again(
    workspace: Workspace, files: list[Path], reopened: Callable[[Workspace], Workspace]
) -> None:
    def renamed() -> None:
        rename(workspace, log(workspace).lineages[0].name, "mine")

    def pinned() -> None:
        lineages = log(workspace).lineages
        pin(workspace, lineages[0].commits[-1].id, lineages[1].name)

    pictures = []
    for step in (
        lambda: commit(workspace, files[:6]),
        lambda: commit(workspace, files[6:], message="late"),
        lambda: create_tag(workspace, "v1"),
        renamed,
        pinned,
        lambda: delete_tag(workspace, "v1"),
    ):
        step()
        pictures.append(picture(workspace))
        undo(workspace)
        if len(pictures) > 1:
            assert picture(workspace) == pictures[-2]
        else:
            assert log(workspace).lineages == ()
        undo(workspace)
        assert picture(workspace) == pictures[-1]
    other = reopened(workspace)
    reindex(other)
    assert picture(other) == pictures[-1]
    assert check_repository(workspace.repository).findings == ()


def test_the_log_says_what_was_done_in_words(workspace: Workspace, files: list[Path]) -> None:
    commit(workspace, files[:5], message="x")
    commit(workspace, files[5:6], tag="v1")
    rename(workspace, "HEAD", "mine")
    lineages = log(workspace).lineages
    pinned = lineages[0].commits[-1].id
    pin(workspace, pinned, lineages[1].name)
    unpin(workspace, pinned)
    delete_tag(workspace, "v1")
    undo(workspace)
    rows = op_log(workspace).operations
    told = [(row.command, row.changes) for row in rows]
    head = workspace.repository.state().commits[-1][:12]
    assert [command for command, _ in told] == [
        f"undo {rows[1].id[:12]}",
        "tag --delete",
        "lineage unpin",
        "lineage pin",
        "lineage rename",
        "commit",
        "commit",
    ]
    assert told[0][1] == (f"tag 'v1' set on {head}",)
    assert told[1][1] == (f"tag 'v1' removed from {head}",)
    assert told[2][1] == (f"commit {pinned[:12]} no longer pinned",)
    assert told[3][1][0].startswith(f"commit {pinned[:12]} pinned to the lineage of")
    assert told[4][1][0].endswith("named 'mine'")
    assert told[5][1] == (f"commit added: {head}", f"tag 'v1' set on {head}")
    assert told[6][1][0].startswith("5 commits added: ") and told[6][1][0].endswith(" and 1 more")
    assert op_log(workspace, limit=2).operations == rows[:2]
    assert all(row.author == workspace.author and row.time for row in rows)


def test_an_operation_is_named_as_in_jj(workspace: Workspace, files: list[Path]) -> None:
    with pytest.raises(NotFoundError, match="nothing was done"):
        undo(workspace)
    for n in range(3):
        commit(workspace, files[n : n + 1])
    ids = [row.id for row in op_log(workspace).operations]
    for name, expected in {"@": 0, "@-": 1, "@--": 2, ids[2][:10]: 2, f"{ids[0][:8]}-": 1, ids[1]: 1}.items():
        assert as_of(workspace, name).at == ids[expected]
    for name in ("@---", "@3", "beef", "v1", "", "-", ids[0][:3], ids[0] + "0"):
        with pytest.raises(NotFoundError):
            as_of(workspace, name)


def test_things_as_they_were(
    workspace: Workspace, files: list[Path], reopened: Callable[[Workspace], Workspace]
) -> None:
    pictures = []
    commit(workspace, files[:3])
    pictures.append(picture(workspace))
    create_tag(workspace, "v1")
    pictures.append(picture(workspace))
    commit(workspace, files[3:])
    rename(workspace, "HEAD", "mine")
    now = picture(workspace)
    for view in (workspace, reopened(workspace)):
        assert picture(as_of(view, "@---")) == pictures[0]
        assert picture(as_of(view, "@--")) == pictures[1]
        assert picture(as_of(view, "@")) == now
        assert picture(view) == now
    # also without an index to begin with, and with one that cannot be read
    workspace.index.discard()
    assert picture(as_of(reopened(workspace), "@--")) == pictures[1]
    workspace.repository.layout.index.write_bytes(b"garbage" * 1000)
    assert picture(as_of(reopened(workspace), "@--")) == pictures[1]


def test_undo_is_refused_where_something_stands_on_it(workspace: Workspace, files: list[Path]) -> None:
    commit(workspace, files[:2])
    first = op_log(workspace).operations[0].id
    parent = log(workspace).lineages[0].commits[0].id
    commit(workspace, files[2:3], parent=parent)
    with pytest.raises(InputError, match="names one of its commits as its parent"):
        undo(workspace, first)
    undo(workspace)
    create_tag(workspace, "v1", parent)
    with pytest.raises(InputError, match="named commit") as caught:
        undo(workspace, first)
    undo(workspace, caught.value.hint.split()[-1])
    undo(workspace, first)
    assert log(workspace).lineages == ()


def test_what_is_no_longer_stored_does_not_come_back(
    workspace: Workspace, files: list[Path], reopened: Callable[[Workspace], Workspace]
) -> None:
    commit(workspace, files[:2])
    undo(workspace)
    repository = workspace.repository
    loosen(repository)
    gone = repository.operation(op_log(workspace).operations[1].id).commits[0]  # type: ignore[arg-type]
    tensor = repository.manifest(repository.commit(gone).manifest).files[0].tensors[0].object
    repository.storage.delete(loose_key(tensor))
    workspace = reopened(workspace)
    with pytest.raises(InputError, match="no longer stored") as caught:
        undo(workspace)
    assert caught.value.code == "cannot-undo"
    # the same content can be committed again
    commit(workspace, files[:2])
    assert len(log(workspace).lineages[0].commits) == 2
    assert check_repository(workspace.repository).ok


def test_a_name_that_was_given_away_meanwhile_is_not_taken_back(workspace: Workspace, files: list[Path]) -> None:
    commit(workspace, files[:4])
    create_tag(workspace, "v1")
    delete_tag(workspace, "v1")
    deleted = op_log(workspace).operations[0].id
    rename(workspace, "HEAD", "v1")
    with pytest.raises(ExistsError, match="a lineage is called 'v1'"):
        undo(workspace, deleted)
    undo(workspace)
    renamed = op_log(workspace).operations[0].id
    create_tag(workspace, "v1")
    with pytest.raises(ExistsError, match="a tag is called 'v1'"):
        undo(workspace, renamed)


@pytest.mark.parametrize("name", ["a", "abc", "12-"])
def test_too_few_digits_are_said_to_be_too_few(workspace: Workspace, population: list[Path], name: str) -> None:
    commit(workspace, population[:1])
    with pytest.raises(NotFoundError, match="too short: name an operation by 4 or more"):
        as_of(workspace, name)
