"""Takes away what nothing needs or a rule gives up, and packs the rest. Owns the order; what may go say others."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import cache

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.odb import Reencoder
from mvc.porcelain.bases import LateBases
from mvc.porcelain.giving_up import give_up, propose
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.results.keeping import GcResult, Retention
from mvc.porcelain.retention import parse_keep
from mvc.porcelain.workspace import Workspace
from mvc.repository.gc import GRACE, GcReport, collect

_AGE = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)?")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def retention(workspace: Workspace, keep: str, *, grace: timedelta = GRACE) -> Retention:
    """Which commits would give up their tensors by a rule such as ``last=3,every=10,best=loss``, and what that frees.

    Changes nothing. Raises InputError for what is no rule, IntegrityError.
    """
    return propose(workspace, parse_keep(keep), grace=grace).shown


def gc(
    workspace: Workspace,
    *,
    dry_run: bool = False,
    grace: timedelta = GRACE,
    keep: str | None = None,
    agreed: Retention | None = None,
    progress: Report | None = None,
) -> GcResult:
    """What nothing needs and is older than ``grace`` goes; the rest is packed in the order of reading.

    With ``keep``, commits that this rule does not keep give up their tensors first, which no grace delays; they stay as
    facts. ``agreed`` is what somebody was shown of that, and must be what it still comes to.

    Raises IntegrityError where something that is needed is damaged, InputError, BusyError, StorageError.
    """
    report = progress or silent
    with repository_lock(workspace, dry_run=dry_run):
        given_up = _retain(workspace, keep, agreed, grace, report, dry_run=dry_run) if keep is not None else None
        found = _collect(workspace, grace, report, dry_run=dry_run)
    return GcResult(**vars(found), retention=given_up)


def repository_lock(workspace: Workspace, *, dry_run: bool) -> AbstractContextManager[None]:
    """The lock, for what changes anything."""
    return nullcontext() if dry_run else workspace.repository.lock(command="gc")


def _retain(
    workspace: Workspace, keep: str, agreed: Retention | None, grace: timedelta, report: Report, *, dry_run: bool
) -> Retention:
    rule = parse_keep(keep)
    if not dry_run:
        workspace.refresh()
    proposal = propose(workspace, rule, grace=grace)
    if agreed is not None and agreed != proposal.shown:
        raise InputError("the repository is not what it was when this was proposed", hint="run the command again")
    if dry_run:
        return proposal.shown
    if proposal.tensors:
        give_up(workspace, proposal, report)
    return replace(proposal.shown, done=True)


def _collect(workspace: Workspace, grace: timedelta, report: Report, *, dry_run: bool) -> GcReport:
    repository = workspace.repository

    @cache
    def search() -> tuple[LateBases, Reencoder]:
        return LateBases(workspace), Reencoder(repository.odb)

    def better(object_id: ObjectId) -> bytes | None:
        late, reencoder = search()
        return reencoder.reencode(object_id, late.of(object_id))

    return collect(
        repository,
        better=better,
        dry_run=dry_run,
        grace=grace,
        progress=lambda done, total: report(done, total, "packing"),
    )


def parse_age(text: str) -> timedelta:
    """An age such as ``14d``, ``12h`` or ``0``, in days where no unit is given. Raises InputError."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} is no length of time", hint="write it like 14d, 12h, 30min or 0", code="usage")
    return timedelta(**{_UNITS[match[2] or "d"]: int(match[1])})
