"""Revisions: every form of the syntax, what is ambiguous, what is unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import InputError, NotFoundError
from mvc.porcelain.commits import commit
from mvc.porcelain.lineages import rename
from mvc.porcelain.log import log
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.revisions import resolve, resolve_lineage
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace


@pytest.fixture
def forked(workspace: Workspace, write: Callable[..., Path], walk: Any) -> tuple[Workspace, LogLineage, LogLineage]:
    """A declared run of six, and a declared fork of three off its fourth."""
    main = walk(1, 6)
    files = [write(f"m{n}.safetensors", point) for n, point in enumerate(main)]
    for n, file in enumerate(files):
        commit(workspace, [file], run="main", step=n)
    parent = log(workspace).lineages[0].commits[3].id
    for n, point in enumerate(walk(3, 4, start=main[3])[1:]):
        commit(workspace, [write(f"f{n}.safetensors", point)], run="side/fork", step=10 + n, parent=parent)
    by_name = {lineage.name: lineage for lineage in log(workspace).lineages}
    assert by_name["side/fork"].forked_from is not None and by_name["side/fork"].forked_from.commit == parent
    return workspace, by_name["main"], by_name["side/fork"]


def test_every_form_names_its_commit(forked: tuple[Workspace, LogLineage, LogLineage]) -> None:
    workspace, main, fork = forked
    ids = [row.id for row in main.commits]
    side = [row.id for row in fork.commits]
    create_tag(workspace, "best", ids[2])
    expected = {
        "HEAD": side[2],
        "HEAD~": side[1],
        "HEAD~1": side[1],
        "HEAD~2": side[0],
        "HEAD~3": ids[3],
        "HEAD~~~~": ids[2],
        "HEAD~1~5": ids[0],
        "HEAD~0": side[2],
        "best": ids[2],
        "best~2": ids[0],
        "main": ids[5],
        "main@0": ids[0],
        "main@-1": ids[5],
        "main@4~1": ids[3],
        "main~5": ids[0],
        "side/fork": side[2],
        "side/fork@0": side[0],
        "side/fork@0~1": ids[3],
        ids[1]: ids[1],
        ids[1][:12]: ids[1],
        ids[1][:12].upper(): ids[1],
        f"{ids[1][:12]}~1": ids[0],
    }
    assert {text: resolve(workspace, text) for text in expected} == expected
    assert resolve_lineage(workspace, "best").name == "main"
    assert resolve_lineage(workspace, "side/fork").id == side[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("HEAD~9", "beyond the root"),
        ("main~99999999", "beyond the root"),
        ("main@6", "has 6 commits"),
        ("main@-7", "has 6 commits"),
        ("mian", "did you mean: main"),
        ("nothing-like-it", "mvc log"),
        ("", "mvc log"),
        ("~", "mvc log"),
        ("@1", "mvc log"),
        ("0", "mvc log"),
        ("\x1b[31m\0\udcff", "mvc log"),
        ("~" * 5000, "mvc log"),
        ("main~" + "9" * 5000, "mvc log"),
    ],
)
def test_what_names_nothing_is_said_so(forked: tuple[Workspace, LogLineage, LogLineage], text: str, words: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(forked[0], text)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_nothing_is_committed_yet(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(workspace, "HEAD")
    assert caught.value.code == "no-commits"
    assert log(workspace).lineages == ()


def test_what_could_be_two_commits_is_refused(workspace: Workspace, write: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    files = [write(f"{n}.safetensors", {"n": rng.integers(0, 99, 4)}) for n in range(3)]
    rows = commit(workspace, files).commits
    short = rows[0].id[:4]
    commit(workspace, [write("named.safetensors", {"w": rng.normal(size=5).astype(np.float32)})], run=short)
    with pytest.raises(InputError) as caught:
        resolve(workspace, short)
    assert caught.value.code == "ambiguous" and rows[0].id[:12] in caught.value.message
    assert resolve(workspace, f"{short}@0") != rows[0].id
    assert resolve(workspace, rows[0].id[:10]) == rows[0].id


def test_the_log_of_what_is_named(forked: tuple[Workspace, LogLineage, LogLineage]) -> None:
    workspace, main, fork = forked
    assert log(workspace, ["main"]).lineages == (main,)
    assert log(workspace, ["HEAD", "side/fork"]).lineages == (fork,)
    assert [len(row.commits) for row in log(workspace, ["main"], limit=2).lineages] == [2]
    assert log(workspace, ["main"], limit=2).lineages[0].commits == main.commits[-2:]
    with pytest.raises(NotFoundError):
        log(workspace, ["unknown"])


def test_a_renamed_lineage_is_found_by_its_new_name(forked: tuple[Workspace, LogLineage, LogLineage]) -> None:
    workspace, main, _ = forked
    rename(workspace, "main", "trunk")
    assert resolve(workspace, "trunk@0") == main.commits[0].id
    with pytest.raises(NotFoundError):
        resolve(workspace, "main")
