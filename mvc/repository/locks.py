"""One writer at a time. Owns the lock and the record of who holds it; readers take none.

The lock itself is the operating system's (``locks/write.lock``): it vanishes with its process, however that ends.
Beside it the holder leaves a record (``locks/holder.json``: process, host, start time, command), for two reasons:
"busy" can say who, and on a network file system whose locks do not reach other hosts the record is all that protects.
So whoever gets the operating system's lock and finds a record left behind

- takes over where the record's process was on this host and is gone, or its pid now belongs to a later process;
- refuses where it was on another host, as nothing here can tell whether it still runs: a person removes the record;
- refuses where that very process is alive: its lock file must have been deleted under it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mvc.errors import BusyError
from mvc.storage import FileSystem, atomic_write, disk_errors

#: seconds after which a waiting process looks who holds the lock now
_LOOK = 1.0

#: tokens of the locks that this process holds: its own pid in a record proves nothing
_held: set[str] = set()


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds, or held, the lock. ``start`` tells two processes with one pid apart; '' where the system does not."""

    pid: int
    host: str
    start: str
    command: str
    token: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command})"

    @property
    def alive(self) -> bool:
        """Whether this very process runs on this host."""
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            pass
        if self.pid == os.getpid() and self.token not in _held:
            return False  # this process, but an earlier lock that it failed to clear away
        return self.start in ("", process_start(self.pid))


#: told who holds the lock, if that is known, and how many seconds are waited for it
Waiting = Callable[[Holder | None, float], None]


def process_start(pid: int) -> str:
    """When a process began: boot id and clock ticks since boot, untouched by clock jumps; '' where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return f"{boot}:{int(fields[19])}"
    except (OSError, ValueError, IndexError):
        return ""


class WriteLock:
    """The lock of the repository whose locks directory is ``directory``."""

    def __init__(self, fs: FileSystem, directory: Path) -> None:
        self._fs = fs
        self._directory = directory
        self._lock = FileLock(directory / "write.lock", thread_local=False)
        self._record = directory / "holder.json"

    def holder(self) -> Holder | None:
        """Whom the record names; None where there is none. A torn record names nobody and hinders nobody."""
        with disk_errors(self._record, "read"):
            try:
                value = json.loads(self._fs.read(self._record))
                return Holder(**value) if type(value["pid"]) is int and value["pid"] > 0 else None
            except FileNotFoundError:
                return None
            except (ValueError, TypeError, KeyError, RecursionError):
                return None

    @contextlib.contextmanager
    def hold(
        self, command: str, timeout: float, *, each: bool = False, waiting: Waiting | None = None
    ) -> Iterator[None]:
        """Holds the lock. Waits ``timeout`` seconds for other holders, or with ``each`` for each one of them, then
        raises BusyError that names the last. ``waiting`` is told for whom and how long, before every wait."""
        with disk_errors(self._directory, "lock"):
            self._acquire(timeout, each, waiting or (lambda _holder, _timeout: None))
        try:
            self._check_leftover()
            token = secrets.token_hex(8)
            pid = os.getpid()
            holder = Holder(pid, socket.gethostname(), process_start(pid), command[:200], token)
            record = json.dumps(asdict(holder)).encode()
            atomic_write(self._fs, self._record, (record,), overwrite=True)
            _held.add(token)
            try:
                yield
            finally:
                _held.discard(token)
                self._clear()
        finally:
            self._lock.release()

    def _acquire(self, timeout: float, each: bool, waiting: Waiting) -> None:
        holder, end, wait = None, time.monotonic(), 0.0
        while True:
            try:
                self._lock.acquire(timeout=wait)
            except Timeout:  # an OSError as well, so it is caught in here
                now = self.holder()
                if wait == 0 or (each and now is not None and now != holder):
                    holder, end = now, time.monotonic() + timeout
                    if timeout > 0:
                        waiting(holder, timeout)
                wait = min(_LOOK, end - time.monotonic())
                if wait <= 0:
                    raise self._busy() from None
            else:
                return

    def _check_leftover(self) -> None:
        holder = self.holder()
        if holder is None:
            return
        if holder.host != socket.gethostname():
            raise BusyError(
                f"the repository is locked by {holder}, and whether that still runs cannot be seen from here",
                hint=f"if it does not, run: rm {str(self._record)!r}",
            )
        if holder.alive:
            raise BusyError(f"the repository is locked by {holder}", hint="wait until it has finished")

    def _busy(self) -> BusyError:
        holder = self.holder()
        who = str(holder) if holder else "another process"
        return BusyError(f"the repository is locked by {who}", hint="wait until it has finished, then try again")

    def _clear(self) -> None:
        """Removes the record. One that cannot be removed is taken over by the next writer on this host."""
        with contextlib.suppress(OSError):
            self._fs.unlink(self._record)


def running_command() -> str:
    """The command line of this process, for the record."""
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]) or "python"
