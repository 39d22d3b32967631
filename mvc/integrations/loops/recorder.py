"""`mvc.Recorder`: commits what a training saves, beside the training. Owns what the training may rely on:

- nothing here raises into it once it was made, but Ctrl-C: what cannot be committed is warned of, once for each reason;
- it waits only while ``room`` checkpoints are on their way, for the oldest of them, and at the end; each time for
  ``patience`` at most, and not again while nothing moves;
- what it handed over may be changed or, with ``keep``, deleted afterwards.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from mvc.errors import InputError, MvcError, NotFoundError
from mvc.integrations.loops.courier import Courier
from mvc.integrations.loops.errands import Errand, Outcome
from mvc.integrations.loops.states import write_state
from mvc.integrations.loops.surroundings import numbers, tracked_runs
from mvc.porcelain.stamps import Stamp, stamp_of
from mvc.repository import Repository as Store

if TYPE_CHECKING:
    from mvc.porcelain.facade import Repository

PathLike = str | os.PathLike[str]

#: not `warnings`: where those are errors, one would break the training
_LOG = logging.getLogger("mvc")
#: checkpoints that may be on their way
_MOST = 32


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of one checkpoint: its ``commit``, or the ``error``."""

    path: str
    step: float | None
    commit: str | None
    lineage: str
    error: str


class Recorder:
    """Commits checkpoints to a repository while training goes on, as a context manager or until `close`.

    ``repository`` is an `mvc.Repository`, or a path in its working directory. ``run`` declares the run's name, which
    joins all commits of that name to one lineage: give one that no other training has, or none, and the weights tell.
    ``patience`` is how many seconds `close` and the end of the process wait for what is on its way, and `commit` where
    there is no room; ``room`` how many checkpoints may be on their way. ``author`` is who commits, unless the
    repository's config says it; '' for git's.

    Raises what opening a repository raises. It belongs to the process that made it: in a forked child it does nothing
    but warn, and it cannot be sent to another one. In distributed training make one in the process of rank 0 alone;
    where `torchrun` says that this is another one (``RANK``), it does nothing, and opens nothing.
    """

    def __init__(
        self,
        repository: Repository | PathLike = ".",
        *,
        run: str | None = None,
        message: str = "",
        author: str = "",
        patience: float = 60.0,
        room: int = 4,
    ) -> None:
        if not 1 <= room <= _MOST:
            raise InputError(f"room for {room} checkpoints", hint=f"say a number from 1 to {_MOST}")
        self.run = None if run is None else str(run).strip() or None
        self.message, self.patience = message, patience
        #: what became of the checkpoints that were handed over, as far as that is known
        self.recorded: list[Recorded] = []
        self._told: set[str] = set()
        self._numbers = itertools.count(1)
        self._handed = 0
        self._owner, self._closed = os.getpid(), False
        self._idle = os.environ.get("RANK", "0") != "0"
        if self._idle:
            return
        if isinstance(repository, str | os.PathLike):
            store = Store.discover(Path(repository))
        else:
            store = Store.discover(repository.path, trust=True)  # whoever opened it trusts it
        self._layout = store.layout
        self._scratch = store.layout.scratch / f"{socket.gethostname()}-{os.getpid()}-{id(self):x}"
        self._courier = Courier(store.root, author, self._outcome, room=room, patience=patience)
        atexit.register(self.close)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Recorder belongs to one process: make it in the one that trains, of rank 0")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def failures(self) -> Sequence[Recorded]:
        """Those that were not committed."""
        return [item for item in self.recorded if item.error]

    def commit(
        self,
        checkpoint: PathLike | Mapping[str, Any],
        *,
        step: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        extra: Mapping[str, object] | None = None,
        message: str | None = None,
        keep: bool = False,
    ) -> None:
        """Hands over a checkpoint: the path of a file or directory that is whole, or a state dict, which is written
        down at once. Metrics may be tensors of one value. With ``keep`` the files may be deleted before they are
        committed, as by a limit on how many are saved: they are linked to where the file system can do that.
        """
        if not self._mine():
            if not self._idle:
                self._warn("fork", f"this recorder is of process {self._owner}: nothing is committed in forks of it")
            return
        shown = "a state dict" if isinstance(checkpoint, Mapping) else str(checkpoint)
        self._handed = number = next(self._numbers)
        slot, sent = self._scratch / f"{number}", False
        try:
            if self._closed:
                raise InputError("the recorder is closed", hint="make a new one")
            if not self._layout.format.exists():
                root = str(self._layout.directory.parent)
                raise NotFoundError(f"the repository in {root!r} is gone", hint="restore .mvc, or run: mvc init")
            self._courier.make_room()
            finite, odd = numbers(metrics or {})
            place = (
                self._write(checkpoint, None if step is None else float(step), number, slot)
                if isinstance(checkpoint, Mapping)
                else self._find(Path(os.path.abspath(checkpoint)), slot if keep else None)
            )
            errand = Errand(
                **place,
                time=datetime.now(UTC).isoformat(timespec="microseconds"),
                run=self.run,
                step=None if step is None else float(step),
                message=str(self.message if message is None else message),
                metrics=finite,
                extra={**tracked_runs(), **odd, **{str(key): str(value) for key, value in (extra or {}).items()}},
            )
            self._courier.send(errand)
            sent = True
        except MvcError as error:
            self._failed(shown, step, error.message, error.hint, error.code)
        except Exception as error:  # whatever it is, the training goes on
            self._failed(shown, step, f"{type(error).__name__}: {error}", "", type(error).__name__)
        finally:
            if not sent:
                shutil.rmtree(slot, ignore_errors=True)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until all that was handed over is dealt with, or ``timeout`` seconds (``patience``); whether it is."""
        if not self._mine():
            return True
        return self._courier.wait(self.patience if timeout is None else timeout)

    def close(self) -> None:
        """Waits as `flush` does, and takes nothing more. What is on its way then is committed all the same, by a
        process that goes on until that is done."""
        if self._closed or not self._mine():
            return
        self._closed = True
        atexit.unregister(self.close)
        try:
            self._courier.wait(0 if self._courier.stuck else self.patience)
        finally:  # Ctrl-C ends the wait, not the commits
            process = self._courier.close()
            if process is not None:
                _LOG.warning("mvc: checkpoints are still being committed, by process %d", process)
            if failures := self.failures:
                count = f"{len(failures):,} of {self._handed:,}"
                _LOG.warning("mvc: %s checkpoints were not committed; see recorder.failures", count)

    def _find(self, path: Path, slot: Path | None) -> dict[str, Any]:
        """Where a checkpoint is, and how it looks now; linked to from ``slot`` if that can be."""
        try:
            stamp = stamp_of(path)
        except OSError as error:
            raise NotFoundError(f"there is no checkpoint {str(path)!r}: {error.strerror}") from None
        if slot is not None:
            try:
                kept = {"path": str(_link(path, stamp, slot)), "recorded": str(path), "scratch": str(slot)}
                return {**kept, "shown": str(path), "stamp": stamp}
            except OSError:  # another file system, or one without links: it is read where it lies
                shutil.rmtree(slot, ignore_errors=True)
        return {"path": str(path), "shown": str(path), "stamp": stamp}

    def _write(self, state: Mapping[str, Any], step: float | None, number: int, slot: Path) -> dict[str, Any]:
        name = f"step-{step:.15g}" if step is not None else f"save-{number}"
        path = slot / f"{name}.safetensors"
        self._layout.scratch.mkdir(exist_ok=True)  # not above it: a repository that goes away is not half there again
        slot.mkdir(parents=True)
        write_state(state, path)
        recorded = f"{self.run or 'recorder'}/{path.name}".replace("\0", "").lstrip("/")
        kept = {"path": str(path), "recorded": recorded, "scratch": str(slot)}
        return {**kept, "shown": recorded, "stamp": stamp_of(path)}

    def _outcome(self, errand: Errand, outcome: Outcome) -> None:
        """Called in the courier's thread."""
        if errand.scratch is not None:  # the process takes it away, unless it died
            shutil.rmtree(errand.scratch, ignore_errors=True)
        if outcome.commit is None:
            self._failed(errand.shown, errand.step, outcome.error, outcome.hint, outcome.code)
        else:
            self.recorded.append(Recorded(errand.shown, errand.step, outcome.commit, outcome.lineage, ""))

    def _failed(self, shown: str, step: float | None, error: str, hint: str, code: str) -> None:
        self.recorded.append(Recorded(shown, step, None, "", error))
        more = f" ({hint})" if hint else ""
        self._warn(code, f"{shown!a} was not committed: {error}{more}. Training goes on.")

    def _warn(self, code: str, words: str) -> None:
        """Once for each ``code``."""
        if code not in self._told:
            self._told.add(code)
            _LOG.warning("mvc: %s", words)

    def _mine(self) -> bool:
        """Whether it is for this process to commit."""
        return os.getpid() == self._owner and not self._idle


def _link(path: Path, stamp: Stamp, slot: Path) -> Path:
    """The same checkpoint under another name, that lasts when the first one goes."""
    target = slot / path.name
    for name in stamp:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(os.path.realpath(path / name), target / name)
    return target
