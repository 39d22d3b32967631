"""What things cost: rows add up, and say what gc would free."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from mvc.errors import InputError
from mvc.porcelain.commits import commit
from mvc.porcelain.du import du
from mvc.porcelain.gc import gc
from mvc.porcelain.workspace import Workspace
from mvc.testing.commits import put_commit


def test_rows_add_up_and_no_byte_of_the_store_is_left_out(busy_workspace: Workspace) -> None:
    gc(busy_workspace, grace=timedelta(0))
    result = du(busy_workspace)
    *rows, total = result.rows
    assert total.kind == "total" and {row.kind for row in rows} == {"lineage", "operations"}
    assert sum(row.shared_bytes for row in rows) == pytest.approx(total.stored_bytes)
    assert total.stored_bytes == pytest.approx(total.shared_bytes) and total.own_bytes == total.stored_bytes
    assert all(row.own_bytes <= round(row.shared_bytes, 3) <= row.stored_bytes for row in rows)
    objects = len(list(busy_workspace.repository.odb.ids()))
    assert result.store_bytes == total.stored_bytes + result.files * 56 + 108 * objects
    assert result.gc_bytes == result.young_bytes == 0


def test_what_is_shared_is_divided(workspace: Workspace, write: Any) -> None:
    frozen = {"body": np.random.default_rng(0).normal(size=(80, 70)).astype(np.float32)}
    paths = [write(f"{n}.safetensors", frozen | {"head": np.full(64, n, np.float32)}) for n in range(4)]
    ids = [row.id for row in commit(workspace, paths, run="r").commits]
    rows = {row.name: row for row in du(workspace, ids).rows}
    total = rows.pop("total")
    body = workspace.repository.odb.stored_size(
        workspace.repository.checkpoint(workspace.repository.state().commits[0]).object_id("body")
    )
    for row in rows.values():
        assert row.stored_bytes - row.own_bytes >= body
        assert row.own_bytes + body / 4 <= row.shared_bytes < row.stored_bytes - body / 2
    assert sum(row.shared_bytes for row in rows.values()) == pytest.approx(total.stored_bytes)
    tensors = {row.name: row for row in du(workspace, tensor="*").rows}
    assert tensors["body"].commits == 4 and tensors["body"].stored_bytes == body
    assert tensors["body"].bytes == 4 * 80 * 70 * 4
    assert set(tensors) == {"body", "head"} and {row.name for row in du(workspace, tensor="h*").rows} == {"head"}
    with pytest.raises(InputError, match="no tensor matches"):
        du(workspace, tensor="nothing")


def test_what_gc_would_free_is_what_it_frees(workspace: Workspace, write: Any) -> None:
    commit(workspace, [write("a.safetensors", {"w": np.ones((9, 9), np.float32)})])
    with workspace.repository.lock(), workspace.repository.odb.batch():
        put_commit(workspace.repository, 7)
    told = du(workspace)
    assert told.gc_bytes == 0 and told.young_bytes > 0
    assert gc(workspace, grace=timedelta(0)).removed_bytes == told.young_bytes
    assert du(workspace).young_bytes == 0
