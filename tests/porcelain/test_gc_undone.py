"""gc with no grace between undo and undo of the undo: whatever counts stays whole, what it rests on included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.porcelain.commits import commit
from mvc.porcelain.gc import gc
from mvc.porcelain.operations import op_log, undo
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository

NONE = timedelta(0)
SHAPES = {"w": (80, 70), "b": (80,)}


@pytest.fixture(params=[1, 2, 5])
def workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Workspace:
    Repository.init(tmp_path / "repo")
    config = tmp_path / "repo" / ".mvc" / "config.toml"
    config.write_text(f"[storage]\nkeyframe = {request.param}\n")
    return Workspace.open(tmp_path / "repo", author="t")


def tensors_of(workspace: Workspace, one: ObjectId) -> set[ObjectId]:
    repository = workspace.repository
    return {
        entry.object
        for file in repository.manifest(repository.commit(one).manifest).files
        for entry in file.tensors
        if entry.spec.shape == SHAPES["w"]
    }


def restored(workspace: Workspace) -> dict[ObjectId, dict[str, bytes]]:
    """Every commit that counts, read by a process that knows nothing yet."""
    repository = Repository.open(workspace.repository.root)
    assert check_repository(repository).ok
    checkpoints = {one: repository.checkpoint(one) for one in repository.state().commits}
    return {one: {name: bytes(it.read(name)) for name in it.specs} for one, it in checkpoints.items()}


def test_what_others_rest_on_stays_though_its_commit_was_undone(
    workspace: Workspace, write: Any, walk: Any, reopened: Callable[[Workspace], Workspace]
) -> None:
    """Each checkpoint but the first rests on others; the ones in the middle are undone, one after another."""
    points = walk(1, 8, shapes=SHAPES)
    paths = [write(f"{n}.safetensors", point) for n, point in enumerate(points)]
    made = [commit(workspace, [path]).commits[0].id for path in paths]
    operations = [row.id for row in reversed(op_log(workspace).operations)]
    whole = restored(workspace)
    odb = workspace.repository.odb
    rests = {base for one in made for tensor in tensors_of(workspace, one) for base in odb.bases_of(tensor)}
    assert len(rests) >= 2
    for operation, one in reversed(list(zip(operations, made, strict=True))[:-1]):
        before = restored(workspace)
        taken = undo(workspace, operation).operation.id
        assert restored(workspace).keys() == before.keys() - {one}
        assert before == restored(workspace) | {one: before[one]}
        undo(workspace, taken)
        assert restored(workspace) == before
        undo(workspace)
        below = tensors_of(workspace, one)
        needed = {
            base
            for other in workspace.repository.state().commits
            for tensor in tensors_of(workspace, other)
            for base in workspace.repository.odb.chains.closure(tensor)
        }
        first = gc(workspace, grace=NONE)
        assert first.resting == len(needed - {t for c in restored(workspace) for t in tensors_of(workspace, c)})
        second = gc(workspace, grace=NONE)
        assert second.removed == 0
        assert restored(workspace) == {other: whole[other] for other in before if other != one}
        # what stays of the commit is not the commit: it cannot come back, and is put again as if it were new
        assert below & needed <= set(workspace.repository.odb.ids())
        with pytest.raises(InputError):
            undo(workspace)
        workspace = reopened(workspace)
    for number, path in enumerate(paths[:-1]):
        again = commit(workspace, [path]).commits[0].id
        assert restored(workspace)[again] == whole[made[number]]
    assert gc(workspace, grace=NONE).resting == gc(workspace, grace=NONE).resting == 0


def test_undone_collected_with_grace_and_done_again(workspace: Workspace, write: Any, walk: Any) -> None:
    """Within the grace period an undo can be undone, whatever was packed anew meanwhile."""
    points = walk(2, 6, shapes=SHAPES)
    for n, point in enumerate(points):
        commit(workspace, [write(f"{n}.safetensors", point)])
    whole = restored(workspace)
    middle = [row.id for row in reversed(op_log(workspace).operations)][3]
    undo(workspace, middle)
    for _ in range(2):
        assert gc(workspace).removed == 0
    undo(workspace)
    assert restored(workspace) == whole
    for _ in range(2):
        gc(workspace, grace=NONE)
    assert restored(workspace) == whole
    assert check_repository(workspace.repository).findings == ()
