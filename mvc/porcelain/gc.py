"""Takes away what nothing needs, and packs the rest. Owns the words of it; what may go is the repository's to say."""

from __future__ import annotations

import re
from datetime import timedelta

from mvc.errors import InputError
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.results.keeping import BeforeAfter, GcResult
from mvc.porcelain.workspace import Workspace
from mvc.repository.gc import GRACE, collect

_AGE = re.compile(r"(\d{1,6})\s*(s|m|min|h|d|w)?")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def gc(
    workspace: Workspace, *, dry_run: bool = False, grace: timedelta = GRACE, progress: Report | None = None
) -> GcResult:
    """What nothing needs and is older than ``grace`` goes; the rest is packed in the order of reading.

    Raises IntegrityError where something that is needed is damaged, BusyError, StorageError.
    """
    report = progress or silent
    found = collect(
        workspace.repository,
        dry_run=dry_run,
        grace=grace,
        progress=lambda done, total: report(done, total, "packing"),
    )
    return GcResult(
        dry_run=found.dry_run,
        kept=found.kept,
        resting=found.resting,
        young=found.young,
        removed=found.removed,
        removed_bytes=found.removed_bytes,
        repacked=found.repacked,
        files=BeforeAfter(*found.files),
        bytes=BeforeAfter(*found.bytes),
    )


def parse_age(text: str) -> timedelta:
    """An age such as ``14d``, ``12h`` or ``0``, in days where no unit is given. Raises InputError."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{text!r} is no length of time", hint="write it like 14d, 12h, 30min or 0", code="usage")
    return timedelta(**{_UNITS[match[2] or "d"]: int(match[1])})
