"""Judges checkpoints that are about to leave, or to arrive. Owns what each state of one means for a push.

Whole files only: what is damaged or incomplete fails before anything is asked of its weights. How bad a finding is,
the mvc repository's policy says.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from mvc.errors import IntegrityError, MvcError
from mvc.formats import open_checkpoint
from mvc.integrations.git.extract import Extracted
from mvc.integrations.git.results import HookEntry, HookState
from mvc.objects import ObjectId
from mvc.porcelain.check import check
from mvc.porcelain.contents import find_content
from mvc.porcelain.pointers import Pointer, find_pointed, is_pointer, read_pointer
from mvc.porcelain.results.checks import CheckedCommit, CheckResult
from mvc.porcelain.workspace import Workspace


class Refused(Exception):
    """A checkpoint that needs no judgement: it cannot pass, or cannot be judged."""

    def __init__(self, state: HookState, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.state: HookState = state
        self.reason = reason
        self.hint = hint


def readable(item: Extracted) -> bool:
    """Whether an extracted file is a checkpoint that can be read whole; False for what is no checkpoint at all.

    Raises Refused for one that is damaged, incomplete or not there.
    """
    found = item.found
    if found is None:
        return False
    if found.state == "blocked":
        hint = f"fetch it, and push again: git lfs fetch --include {shlex.quote(item.path)}"
        raise Refused("skip", "a Git LFS pointer whose object is not here", hint)
    if found.state != "complete":
        raise Refused("fail", item.told(found.reason), "save or fetch it again, and amend the git commit")
    return True


def pointed(item: Extracted) -> Pointer:
    """What a pointer says. Raises Refused for a damaged one."""
    try:
        return read_pointer(item.file)
    except MvcError as error:
        raise Refused("fail", item.told(error.message), item.told(error.hint)) from None


def committed(workspace: Workspace, item: Extracted) -> ObjectId | None:
    """The mvc commit that a pushed checkpoint or pointer is; None for what is neither. Raises Refused."""
    try:
        if is_pointer(item.file):
            pointer = pointed(item)
            commit = workspace.look_up(lambda reader: find_pointed(reader, pointer, Path(item.path)))
        else:
            if not readable(item) or item.found is None:
                return None
            with open_checkpoint(item.found.path) as opened:
                found = find_content(workspace, opened)
            if found is None:
                path, then = shlex.quote(item.path), shlex.quote(f"{item.git[:12]}:{item.path}")
                hint = f"commit it: mvc commit {path} (if it is another one by now: git show {then} > FILE)"
                raise Refused("fail", "is not committed in mvc", hint)
            commit = found
        _check_stored(workspace, commit)
    except MvcError as error:
        raise Refused("fail", item.told(error.message), item.told(error.hint)) from None
    return commit


def _check_stored(workspace: Workspace, commit: ObjectId) -> None:
    """Raises IntegrityError where the repository lacks a part of a commit."""
    repository = workspace.repository
    for file in repository.manifest(repository.commit(commit).manifest).files:
        for part in (file.skeleton, *(tensor.object for tensor in file.tensors)):
            if not repository.odb.contains(part):
                raise IntegrityError(f"mvc commit {commit[:12]} lacks object {part[:12]}", hint="run: mvc fsck")


def judge(workspace: Workspace, items: Iterable[tuple[Extracted, ObjectId]]) -> Iterator[HookEntry]:
    """What `check` says of commits, each asked about once however many checkpoints hold its content."""
    known: dict[ObjectId, list[Extracted]] = {}
    for item, commit in items:
        known.setdefault(commit, []).append(item)
    if known:
        result = check(workspace, tuple(known))
        for one in result.commits:
            name = ObjectId(one.id or "")
            yield from (_entry(result, one, item, f"look at it with: mvc check {name[:12]}") for item in known[name])


def judge_file(workspace: Workspace, item: Extracted, *, alone: bool) -> HookEntry:
    """What `check` says of a checkpoint that nobody committed; ``alone``: nothing came before it that it could be
    judged by. Raises Refused for one that cannot be read."""
    place = item.file if item.found is None else item.found.path
    try:
        result = check(workspace, (str(place),))
    except MvcError as error:
        raise Refused("fail", item.told(error.message), item.told(error.hint)) from None
    entry = _entry(result, result.commits[0], item, f"look at it with: mvc check {shlex.quote(item.path)}")
    return replace(entry, state="pass") if alone and entry.state == "skip" else entry


def _entry(result: CheckResult, one: CheckedCommit, item: Extracted, hint: str) -> HookEntry:
    """The worst finding of one commit or file, with the number of the others."""
    findings = [
        found for found in result.findings if (found.commit, found.path)[one.id is None] == (one.id or one.path)
    ]
    findings.sort(key=lambda found: found.severity != "fail")
    reason = one.reason
    if findings:
        first, more = findings[0], len(findings) - 1
        tensor = f" {first.tensor}" if first.tensor else ""
        reason = f"{first.rule}{tensor}: {first.message}" + (f" (and {more} more)" if more else "")
    return HookEntry(item.path, item.git, one.id, one.verdict, item.told(reason), hint if findings else "")
