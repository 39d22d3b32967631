"""What the verbs say of Git LFS pointers: fetched ones are checkpoints, the others are never passed (row 7)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import PointerError
from mvc.formats import LFS_MAGIC
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

FETCH = "git lfs pull --include 'run/11.safetensors'"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return Workspace.of(Repository.init(tmp_path), author="A Tester <t@example.org>")


@pytest.fixture
def run(write: Callable[..., Path], walk: Any) -> list[Path]:
    return [write(f"run/{n}.safetensors", point) for n, point in enumerate(walk(1, 12))]


def swap(path: Path, *, fetched: bool) -> bytes:
    """Puts a pointer in the place of a file, whose content it gives."""
    content = path.read_bytes()
    oid = hashlib.sha256(content).hexdigest()
    if fetched:
        place = path.parents[1] / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    path.write_bytes(LFS_MAGIC + f"oid sha256:{oid}\nsize {len(content)}\n".encode())
    return content


def test_a_fetched_one_is_committed_by_its_weights(workspace: Workspace, run: list[Path], tmp_path: Path) -> None:
    content = swap(run[-1], fetched=True)
    before = run[-1].read_bytes()
    rows = commit(workspace, run).commits
    assert [row.path for row in rows] == [f"run/{n}.safetensors" for n in range(12)]
    assert rows[-1].relation == "extends" and rows[-1].bytes == len(content)
    assert {entry.state for entry in status(workspace, [tmp_path]).entries} == {"committed"}
    assert check(workspace, [str(run[-1])]).commits[0].score is not None
    found = identify(workspace, [run[-1]]).results[0].match
    assert found is not None and found.relation == "same"
    checkout(workspace, rows[-1].id, directory=tmp_path, target=Path("back.safetensors"))
    assert (tmp_path / "back.safetensors").read_bytes() == content
    assert run[-1].read_bytes() == before


def test_one_that_was_not_fetched_is_skipped_and_never_passed(workspace: Workspace, run: list[Path]) -> None:
    commit(workspace, run[:-1])
    swap(run[-1], fetched=False)
    judged = check(workspace, ["HEAD", str(run[-1])])
    assert judged.commits[0].verdict == "pass"
    skipped = judged.commits[1]
    assert (skipped.verdict, skipped.score, skipped.path) == ("skip", None, str(run[-1]))
    assert skipped.blocked and not judged.commits[0].blocked
    assert "not fetched" in skipped.reason and FETCH in skipped.reason
    assert check(workspace, [str(run[-1])]).verdict == "skip"
    entry = next(entry for entry in status(workspace, [run[-1]]).entries)
    assert entry.state == "blocked" and FETCH in entry.reason
    result = commit(workspace, [run[0].parent])
    assert len(result.commits) == 11 and any(FETCH in text for text in result.warnings)
    for refuse in (lambda: commit(workspace, [run[-1]]), lambda: identify(workspace, [run[-1]])):
        with pytest.raises(PointerError) as caught:
            refuse()
        assert FETCH in caught.value.hint
