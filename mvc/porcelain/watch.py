"""Commits checkpoints below a directory as they become complete and come to rest. Owns what happens to each; when one
is at rest is `mvc.porcelain.settling`'s.

Polls: a library that listens to the kernel (watchdog, watchfiles) hears nothing of what other machines write to a
network file system, where checkpoints usually lie, and would still have to wait for rest and to sniff. Where looking
costs a second in a minute, listening would gain nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mvc.errors import BusyError, InputError, MvcError, StorageError
from mvc.porcelain.commits import commit
from mvc.porcelain.finding import holds_weights
from mvc.porcelain.results.commits import Committed
from mvc.porcelain.results.watching import LeftOut, WatchResult
from mvc.porcelain.settling import Candidate, Settling
from mvc.porcelain.workspace import Workspace


def watch(
    workspace: Workspace,
    directory: Path,
    *,
    interval: float = 5.0,
    settle: float = 10.0,
    once: bool = False,
    run: str | None = None,
    message: str = "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[WatchResult]:
    """Looks every ``interval`` seconds, and tells of each look that has news, for ever; with ``once``, until what was
    there at the start had ``settle`` seconds to rest, and then tells what is still waiting.

    A checkpoint is committed when its files did not change for ``settle`` seconds, and again when they did after that.
    What cannot be committed because the repository is busy or the disk is full is tried again at every look.
    Raises InputError for a directory that is not there at the start.
    """
    if not directory.is_dir():
        raise InputError(f"{str(directory)!r} is no directory", hint="name the directory that training saves to")
    if not (0 < interval < 1e6 and 0 <= settle < 1e6):
        raise InputError("an interval must be more than 0 seconds, and settle 0 or more")
    watching = _Watching(workspace, Settling(directory, settle, writing=not once), run, message)
    end = clock() + settle
    while True:
        now = clock()
        last = once and now >= end
        result = watching.look(now, last=last)
        if last:
            yield result
            return
        if result.commits or result.failed or result.warnings:
            yield replace(result, waiting=())
        sleep(min(interval, max(0.0, end - now)) if once else interval)


class _Watching:
    """One watch, look by look."""

    def __init__(self, workspace: Workspace, settling: Settling, run: str | None, message: str) -> None:
        self._workspace, self._settling, self._run, self._message = workspace, settling, run, message
        self._warned: set[str] = set()

    def look(self, now: float, *, last: bool = False) -> WatchResult:
        """After the ``last`` look nothing is tried again: what a later one would have committed has failed."""
        try:
            candidates = self._settling.look(now)
        except OSError as error:
            return WatchResult(warnings=self._new([f"cannot look: {error.strerror}"]))
        ready = [item for item in candidates if not item.reason and self._is_model(item)]
        waiting = tuple(LeftOut(str(item.path), item.reason) for item in candidates if item.reason)
        commits: list[Committed] = []
        failed: list[LeftOut] = []
        warnings: list[str] = []
        try:
            for found in self._commit(ready, failed):
                commits += found
        except (BusyError, StorageError) as error:
            if last:
                failed += [LeftOut(str(item.path), error.message) for item in ready if not self._settling.is_done(item)]
            warnings.append(f"nothing is committed for now: {error.message}")
        else:
            self._warned.clear()
        return WatchResult(tuple(commits), tuple(failed), waiting, self._new(warnings))

    def _is_model(self, item: Candidate) -> bool:
        """An optimizer's state alone is none, and done with."""
        if item.path.is_dir() or holds_weights(item.path):
            return True
        self._settling.done(item)
        return False

    def _commit(self, ready: list[Candidate], failed: list[LeftOut]) -> Iterator[list[Committed]]:
        """In one transaction; where one of them cannot be committed, each in its own."""
        if not ready:
            return
        paths = [item.path for item in ready]
        try:
            result = commit(self._workspace, paths, run=self._run, message=self._message, search=False)
        except (BusyError, StorageError):
            raise
        except MvcError as error:
            if len(ready) > 1:
                for item in ready:
                    yield from self._commit([item], failed)
            elif ready[0].path.exists():  # else it was rotated away, as it may be
                failed.append(LeftOut(str(ready[0].path), error.message))
                self._settling.done(ready[0])
            return
        for item in ready:
            self._settling.done(item)
        yield [row for row in result.commits if row.relation not in ("duplicate", "restores")]

    def _new(self, warnings: list[str]) -> tuple[str, ...]:
        """Those that were not told of this trouble yet."""
        new = tuple(text for text in warnings if text not in self._warned)
        self._warned.update(new)
        return new
