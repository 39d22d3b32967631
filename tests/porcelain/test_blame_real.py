"""A published fine-tune of a published model, eight of its tensors left as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.formats import open_checkpoint
from mvc.porcelain.blame import blame
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.workspace import Workspace

pytestmark = pytest.mark.realdata


def test_a_fine_tune_of_chgnet(real_checkpoints: Callable[[str], Path], workspace: Workspace) -> None:
    root = real_checkpoints("chgnet")
    paths = [next(root.glob(f"chgnet/pretrained/{version}/*.tar")) for version in ("0.3.0", "r2scan")]
    with open_checkpoint(paths[0]) as base, open_checkpoint(paths[1]) as tuned:
        same = {name for name in base.specs if base.object_id(name) == tuned.object_id(name)}
        trained = set(base.specs) - same
    assert len(same) == 8
    first, second = (commit(workspace, [path], step=step).commits[0].id for step, path in enumerate(paths))
    told = {row.name: row for row in blame(workspace, second).tensors}
    assert {name for name, row in told.items() if row.commit == first} == same
    assert {name for name, row in told.items() if row.commit == second} == trained
    assert all(not row.contributions for name, row in told.items() if name in same)
    found = diff(workspace, first, second)
    assert {row.name for row in found.tensors if row.status == "identical"} == same
    assert found.course is not None and found.course.apart == 1
    assert found.moved is None
