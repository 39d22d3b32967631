"""A small repository that stands as it was, but for one file of it: what opens repositories is given damaged ones."""

from __future__ import annotations

import contextlib
import io
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from mvc.cli.main import DEFECT, run
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import list_lineages, pin, rename
from mvc.porcelain.status import status
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

#: where the index, what operations add up to, and digests of files lie
INDEX, STATE, DIGESTS = "index/index.sqlite", "index/state", "index/digests.json"


@cache
def files() -> Mapping[str, bytes]:
    """Path below ``.mvc`` → content: two runs, one of which forks, with a tag, a name, a pin and facts."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        workspace = Workspace.of(Repository.init(root), author="me")
        rng = np.random.default_rng(0)
        for run in range(2):
            weight = rng.normal(size=(9, 8)).astype(np.float32)
            for step in range(4):
                weight = weight + 0.1 * rng.normal(size=weight.shape).astype(np.float32)
                path = root / f"{run}-{step}.safetensors"
                path.write_bytes(save({"w": weight, "b": weight[0]}))
                time = datetime(2024, 1, 1 + step, tzinfo=UTC)
                commit(workspace, [path], message="m", time=time, run=f"r{run}", step=step, metrics={"loss": 0.5})
        create_tag(workspace, "v1")
        rename(workspace, list_lineages(workspace).lineages[0].name, "first")
        pin(workspace, "HEAD", "first")
        with workspace.repository.lock():
            workspace.repository.replayed._unsaved = 10**6
            workspace.declare("tag", tags={"v2": workspace.repository.state().commits[0]})
        status(workspace, [root])
        workspace.index._engine.dispose()
        raw = sqlite3.connect(workspace.repository.layout.index)
        raw.execute("PRAGMA journal_mode=DELETE")
        raw.execute("PRAGMA page_size=512")
        raw.execute("VACUUM")
        raw.close()
        base = workspace.repository.directory
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}


def stand(scratch: Path, name: str, content: bytes) -> Path:
    """The root of such a repository, laid down anew with this content in the file of this name."""
    root = scratch / "standing"
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("objects", "quarantine", "packs", "locks", "index"):
        (root / ".mvc" / directory).mkdir(parents=True, exist_ok=True)
    for path, known in {**files(), name: content}.items():
        place = root / ".mvc" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(known)
    return root


def ask(root: Path, *args: str) -> None:
    """Runs a command line on the repository. Raises AssertionError where that ends as a defect."""
    told = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        code = run(["-C", str(root), *args])
    assert code != DEFECT, f"{args}: {told.getvalue()}"
