"""What `import mvc` offers to scripts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import mvc
from mvc.errors import NotFoundError


def test_a_script_can_do_what_the_command_line_does(tmp_path: Path, population: list[Path], write: Any) -> None:
    repo = mvc.Repository.init(tmp_path / "repo", author="A Script")
    assert repo.path == tmp_path / "repo"
    assert mvc.Repository.init(tmp_path / "repo").log() == ()
    rows = repo.commit(*population, message="all", metrics={"loss": 0.41}).commits
    assert {row.id for lineage in repo.log() for row in lineage.commits} == {row.id for row in rows}
    repo.tag("v1", rows[0].id)
    assert [tag.name for tag in repo.tags()] == ["v1"]
    assert repo.resolve("v1") == rows[0].id
    assert repo.show("v1").id == rows[0].id
    assert repo.diff("v1", rows[1].id).distance > 0
    assert repo.blame("v1").commit == rows[0].id
    assert repo.check("v1").checked == 1
    assert repo.identify(population[0]).results[0].match is not None
    assert repo.status(population[0]).entries[0].state == "committed"
    restored = repo.checkout("v1", tmp_path / "again.safetensors")
    assert Path(restored.paths[0]).read_bytes() == population[0].read_bytes()
    lineage = repo.lineages()[0]
    assert repo.rename(lineage.name, "first").lineages[0].id == lineage.id
    assert repo.du().rows and repo.fsck().ok and repo.reindex().commits == len(rows)
    assert mvc.Repository.open(tmp_path / "repo").resolve("v1") == rows[0].id


def test_weights_load_one_at_a_time(tmp_path: Path, write: Callable[..., Path]) -> None:
    arrays = {
        "half": np.arange(6).reshape(2, 3).astype(ml_dtypes.bfloat16),
        "ids": np.arange(4),
        "empty": np.zeros((0, 3), np.float32),
    }
    repo = mvc.Repository.init(tmp_path)
    repo.commit(write("a.safetensors", arrays))
    state = repo.load()
    assert set(state) == set(arrays) and len(state) == 3 and "nothing" not in state
    for name, value in state.items():
        assert value.dtype == arrays[name].dtype and (value == arrays[name]).all()
        assert state.specs[name].shape == value.shape
    tensors = repo.load(torch=True)
    assert tensors["half"].dtype == torch.bfloat16 and tensors["half"].shape == (2, 3)
    assert torch.equal(tensors["ids"], torch.arange(4)) and tensors["empty"].shape == (0, 3)
    with pytest.raises(KeyError):
        state["nothing"]
    with pytest.raises(NotFoundError):
        repo.load("nothing")


def test_importing_mvc_imports_next_to_nothing() -> None:
    code = "import sys, mvc; assert mvc.__version__; print(sorted(m for m in sys.modules if m in ('numpy', 'click')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"Repository", "errors"} <= set(dir(mvc))
    with pytest.raises(AttributeError):
        getattr(mvc, "nothing")  # noqa: B009
