"""Commits give up their tensors and stay as facts, in their places."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import GoneError, InputError, StorageError
from mvc.objects import ObjectId
from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.du import du
from mvc.porcelain.gc import gc, retention
from mvc.porcelain.giving_up import give_up, propose
from mvc.porcelain.log import log
from mvc.porcelain.operations import op_log, undo
from mvc.porcelain.reindex import reindex
from mvc.porcelain.report import gather
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.results.logs import LogResult
from mvc.porcelain.retention import parse_keep
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.testing.faults import Crash, FaultyFileSystem
from tests.porcelain.retention.runs import RULE, SHAPES, rows

Reopened = Callable[[Workspace], Workspace]


def without_marks(result: LogResult) -> LogResult:
    lineages = tuple(
        replace(row, commits=tuple(replace(one, gone=None) for one in row.commits)) for row in result.lineages
    )
    return replace(result, lineages=lineages)


def test_commits_stay_as_facts_in_their_places(filled: Workspace, reopened: Reopened) -> None:
    before = log(filled)
    told = retention(filled, RULE)
    result = gc(filled, keep=RULE, agreed=told)
    assert result.retention == replace(told, done=True)
    assert result.bytes.before - result.bytes.after >= told.freed_bytes  # also after what is remembered
    assert result.removed_bytes > told.freed_bytes
    after = log(filled)
    gone = {one.id for row in after.lineages for one in row.commits if one.gone is not None}
    assert gone == {one.id for row in told.lineages for one in row.commits} and len(gone) > 10
    assert without_marks(after) == before
    assert check_repository(filled.repository).findings == ()
    dump = filled.index.dump()
    reindex(filled)
    assert log(filled) == after and filled.index.dump() == dump
    other = reopened(filled)
    other.index.discard()
    assert log(other) == after
    assert gc(filled, keep=RULE).retention == replace(
        told, done=True, commits=0, freed_bytes=0, memory_bytes=0, lineages=()
    )


def test_what_is_gone_is_skipped_and_the_rest_is_judged(filled: Workspace) -> None:
    everyone = [row.id for row in rows(filled).values()]
    gc(filled, keep="last=2")
    result = check(filled, everyone)
    assert {one.id for one in result.commits} == set(everyone)
    unread = [one for one in result.commits if "were given up on" in one.reason]
    assert unread and all(one.verdict == "skip" and one.path and one.lacking == "tensors" for one in unread)
    assert any(one.verdict == "pass" for one in result.commits)
    assert len(gather(Stock.of(filled))[0].commits.columns["id"]) == len(everyone)  # and a report can be made


def test_whoever_needs_the_weights_is_told_when_and_why(filled: Workspace, tmp_path: Path) -> None:
    gc(filled, keep=RULE)
    lost = next(one for one in rows(filled).values() if one.gone is not None)
    kept = next(one for one in rows(filled).values() if one.gone is None)
    words = rf"tensors of commit {lost.id[:12]} were given up on \d{{4}}-\d\d-\d\d by mvc gc --keep {RULE}"
    for act in (
        lambda: checkout(filled, lost.id, directory=tmp_path, target=Path("out.safetensors")),
        lambda: diff(filled, lost.id, kept.id, directory=tmp_path),
        lambda: blame(filled, lost.id, exact=True, directory=tmp_path),
    ):
        with pytest.raises(GoneError, match=words) as caught:
            act()
        assert caught.value.code == "gone" and caught.value.hint
    assert not (tmp_path / "out.safetensors").exists()
    shown = show(filled, lost.id)
    assert shown.facts["gone"]["reason"] == f"mvc gc --keep {RULE}"
    assert {row.name: row.stored_bytes > 0 for row in shown.tensors} == {"w": False, "b": True}
    assert any(row.name == "total" for row in du(filled).rows)
    assert "gave up their tensors" in " ".join(op_log(filled).operations[0].changes)
    with pytest.raises(InputError, match=r"gc --keep\) cannot be undone: .* are no longer stored") as caught:
        undo(filled)
    assert "mvc commit --restore PATH" in str(caught.value.hint)


def test_giving_up_can_be_undone_as_long_as_all_is_stored(filled: Workspace) -> None:
    """As where the collection that follows failed: nothing is gone yet."""
    before = log(filled)
    proposal = propose(filled, parse_keep(RULE), grace=timedelta())
    with filled.repository.lock():
        give_up(filled, proposal, lambda done, total, name: None)
    lost = [row for row in rows(filled).values() if row.gone is not None]
    assert len(lost) == proposal.shown.commits > 0
    undo(filled)
    assert log(filled) == before
    gc(filled, grace=timedelta())
    assert check_repository(filled.repository).findings == ()
    for row in lost:
        assert filled.repository.checkpoint(ObjectId(row.id)).read("w") is not None
    undo(filled)  # of the undo: they are given up again, and go with the next collection
    assert {row.id for row in rows(filled).values() if row.gone is not None} == {row.id for row in lost}
    gc(filled, grace=timedelta())
    with pytest.raises(GoneError):
        filled.repository.checkpoint(ObjectId(lost[0].id)).read("w")
    with pytest.raises(InputError, match="are no longer stored"):
        undo(filled)


def test_later_commits_and_a_new_index_agree(filled: Workspace, reopened: Reopened, write: Any, walk: Any) -> None:
    gc(filled, keep=RULE)
    more = walk(7, 4, start=walk(1, 12, shapes=SHAPES)[-1], shapes=SHAPES)[1:]
    commit(filled, [write(f"d/{n}.safetensors", point) for n, point in enumerate(more)])
    after = log(filled)
    other = reopened(filled)
    other.index.discard()
    assert log(other) == after
    assert check_repository(filled.repository).findings == ()
    assert any(
        one.path.endswith("d/0.safetensors") for row in after.lineages for one in row.commits if len(row.commits) > 1
    )


def test_committing_again_brings_them_back(filled: Workspace, tmp_path: Path) -> None:
    gc(filled, keep=RULE)
    lost = next(one for one in rows(filled).values() if one.gone is not None)
    source = tmp_path / lost.path if not Path(lost.path).is_absolute() else Path(lost.path)
    head, before = filled.repository.head(), log(filled)
    told = commit(filled, [source])
    assert (told.commits[0].relation, told.commits[0].id) == ("duplicate", lost.id)
    assert "mvc commit --restore" in told.warnings[0] and filled.repository.head() == head
    (entry,) = status(filled, [source]).entries
    assert (entry.state, entry.commit) == ("committed", lost.id) and "given up" in entry.reason

    again = commit(filled, [source], restore=True).commits[0]
    assert (again.relation, again.id) == ("restores", lost.id) and again.stored_bytes > 0
    after = log(filled)
    assert without_marks(after) == without_marks(before)
    assert [one.gone for row in after.lineages for one in row.commits if one.id == lost.id] == [None]
    checkout(filled, lost.id, directory=tmp_path, target=Path("back.safetensors"))
    assert (tmp_path / "back.safetensors").read_bytes() == source.read_bytes()
    assert status(filled, [source]).entries[0].reason == ""
    assert check_repository(filled.repository).ok
    assert commit(filled, [source], restore=True).commits[0].relation == "duplicate"


def test_what_runs_every_night_comes_to_rest(workspace: Workspace, write: Any, walk: Any) -> None:
    """`mvc commit runs/ && mvc gc --keep last=2 --yes`, while a run goes on, whose old files stay where they are."""
    for n, point in enumerate(walk(1, 6, shapes=SHAPES)):
        runs = write(f"runs/{n}.safetensors", point).parent
        commit(workspace, [runs], run="a")
        gc(workspace, keep="last=2")
    head = workspace.repository.head()
    (lineage,) = log(workspace).lineages
    assert [Path(one.path).stem for one in lineage.commits] == list("012345")
    assert [one.gone is None for one in lineage.commits] == [False] * 4 + [True] * 2
    result = commit(workspace, [runs], run="a")
    assert {one.relation for one in result.commits} == {"duplicate"}
    gc(workspace, keep="last=2")
    assert workspace.repository.head() == head


def test_blame_goes_through_commits_whose_tensors_are_gone(filled: Workspace, tmp_path: Path) -> None:
    tip = next(one for one in rows(filled).values() if one.path.endswith("a/11.safetensors"))
    whole = blame(filled, tip.id, directory=tmp_path)
    gc(filled, keep=RULE)
    left = blame(filled, tip.id, directory=tmp_path)
    for before, after in zip(whole.tensors, left.tensors, strict=True):
        assert (before.name, before.commit) == (after.name, after.commit)
        shares = {part.commit: part for part in after.contributions}
        assert shares.keys() == {part.commit for part in before.contributions}
        for part in before.contributions:  # exact ones, and now from sketches
            assert abs(part.share - shares[part.commit].share) <= 6 * shares[part.commit].error + 1e-6
    assert left.cut == ()

    exact = blame(filled, tip.id, exact=True, directory=tmp_path)
    gone = [one.commit for one in left.trajectory if is_gone(filled, one.commit)]
    assert gone and list(exact.cut) == gone
    later = {one.commit for one in exact.trajectory[[one.commit for one in exact.trajectory].index(gone[-1]) + 1 :]}
    (w,) = (row for row in exact.tensors if row.name == "w")
    assert w.contributions and {part.commit for part in w.contributions} <= later
    assert sum(part.share for part in w.contributions) == pytest.approx(1)


def is_gone(workspace: Workspace, commit_id: str) -> bool:
    return any(one.id == commit_id and one.gone is not None for one in rows(workspace).values())


def test_memories_are_counted_by_themselves(filled: Workspace) -> None:
    assert not any(row.kind == "memories" for row in du(filled).rows)
    told = gc(filled, keep=RULE).retention
    assert told is not None
    (row,) = (row for row in du(filled).rows if row.kind == "memories")
    assert row.commits == told.commits and 0 < row.stored_bytes <= told.memory_bytes


def test_giving_up_stopped_or_failing_anywhere(tmp_path: Path, write: Any, walk: Any) -> None:
    """Before or after: each commit has all its tensors, or says that it gave them up."""
    paths = [write(f"{n}.safetensors", point) for n, point in enumerate(walk(1, 5, shapes=SHAPES))]

    def made(n: int) -> Path:
        workspace = Workspace.of(Repository.init(tmp_path / f"r{n}"), author="t")
        commit(workspace, paths)
        return tmp_path / f"r{n}"

    outcomes = set()
    for n in range(0, 1000, 7):
        root = made(n)
        error = 5 if n % 2 else None
        try:
            gc(Workspace.of(Repository.open(root, fs=FaultyFileSystem(n, error=error)), author="t"), keep="last=1")
            stopped = False
        except (Crash, StorageError):
            stopped = True
        repository = Repository.open(root)
        assert {finding.code for finding in check_repository(repository).findings} <= {"unreachable", "leftover"}
        gone = set(repository.state().gone)
        for one in repository.state().commits:
            if one not in gone:
                checkpoint = repository.checkpoint(one)
                assert all(checkpoint.read(name) for name in checkpoint.specs)
        outcomes.add(len(gone))
        result = gc(Workspace.of(repository, author="t"), keep="last=1")
        assert result.retention is not None and len(repository.state().gone) == 4
        if not stopped and not error:
            break
    assert outcomes == {0, 4}
