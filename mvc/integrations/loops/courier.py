"""Carries errands to the committing process and brings back what became of them. Owns that process and its end.

At most ``room`` errands are on their way; whoever hands over one more waits until there is room, at most ``patience``
seconds, and not at all while nothing has moved since somebody waited in vain. A process that died takes its errands
along, each of which is told; the next errand starts another one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from mvc.errors import BusyError
from mvc.integrations.loops.errands import END, Errand, Outcome

#: where this mvc is imported from: the other process is to run the same one
_HOME = str(Path(__file__).parents[3])
#: variables that keep its numerical libraries from taking the training's cores
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
#: seconds in which a line is written to a process that takes any
_WRITTEN = 1.0


class _Child:
    """A committing process, and a thread that writes to it: where it takes nothing, only that thread waits."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: SimpleQueue[tuple[bytes, threading.Event]] = SimpleQueue()
        threading.Thread(target=self._write, name="mvc-recorder-out", daemon=True).start()

    def hand(self, line: bytes) -> None:
        """A line for it to read, in the pipe on return, whatever becomes of this process, if the pipe has room."""
        written = threading.Event()
        self._lines.put((line, written))
        written.wait(_WRITTEN)

    def _write(self) -> None:
        assert self.process.stdin is not None
        line = b""
        with contextlib.suppress(OSError), self.process.stdin as pipe:  # it died, which its reader tells
            while line != END:
                line, written = self._lines.get()
                rest = line
                while rest:
                    rest = rest[os.write(pipe.fileno(), rest) :]
                written.set()


class Courier:
    """``tell`` is called in a thread of its own with each errand and its outcome."""

    def __init__(
        self, root: Path, author: str, tell: Callable[[Errand, Outcome], None], *, room: int, patience: float
    ) -> None:
        self._root, self._author, self._tell = root, author, tell
        self._room, self._patience = room, patience
        self._changed = threading.Condition()
        #: in the order in which they were sent, each with the process that has it
        self._away: deque[tuple[_Child, Errand]] = deque()
        self._child: _Child | None = None
        #: somebody waited in vain, and nothing was dealt with since
        self.stuck = False

    def make_room(self) -> None:
        """Waits until an errand can be handed over. Raises BusyError where that takes too long."""
        with self._changed:
            self.stuck = not self._changed.wait_for(self._has_room, 0 if self.stuck else self._patience)
            if self.stuck:
                process = self._away[0][0].process.pid
                raise BusyError(
                    f"there is no room: process {process}, which commits, is done with none of the last {self._room}",
                    hint="look at what it waits for, or give it more time with Recorder(patience=SECONDS)",
                    code="stuck",
                )

    def send(self, errand: Errand) -> None:
        """Hands an errand over, once there is room. Raises as `make_room`, OSError where no process can be started."""
        with self._changed:
            self.make_room()
            child = self._child or self._start()
            self._away.append((child, errand))
            child.hand(errand.to_line())

    def wait(self, timeout: float) -> bool:
        """Waits until no errand is on its way, at most ``timeout`` seconds; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._away, timeout)

    def close(self) -> int | None:
        """Lets the process end after what it was handed; its id, if there is still something of that."""
        with self._changed:
            child, self._child = self._child, None
            busy = bool(self._away)
        if child is None:
            return None
        child.hand(END)  # forks of the training may hold the pipe open
        return child.process.pid if busy else None

    def _has_room(self) -> bool:
        return len(self._away) < self._room

    def _start(self) -> _Child:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  (the reader's, which closes it)
        path = os.pathsep.join([_HOME, *filter(None, [os.environ.get("PYTHONPATH")])])
        # -P: the training's directory may hold files that are named like modules
        command = [sys.executable, "-P", "-m", "mvc.integrations.loops.committer", str(self._root), self._author]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **_THREADS, "PYTHONPATH": path},
                process_group=0,  # Ctrl-C is for the training
            )
        except BaseException:
            errors.close()
            raise
        self._child = child = _Child(process)
        threading.Thread(target=self._read, args=(child, errors), name="mvc-recorder", daemon=True).start()
        return child

    def _read(self, child: _Child, errors: IO[bytes]) -> None:
        process = child.process
        assert process.stdout is not None
        with errors, process.stdout:
            for line in process.stdout:
                self._done(child, Outcome.from_line(line))
            code = process.wait()
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
            words = errors.read().decode("utf-8", "replace").strip().splitlines()
        with self._changed:
            if self._child is child:
                self._child = None
        child.hand(END)
        died = Outcome(
            error=f"the process that commits ended with {code}{f': {words[-1]}' if words else ''}", code="died"
        )
        while self._done(child, died):
            pass

    def _done(self, child: _Child, outcome: Outcome) -> bool:
        """Tells what became of the first errand that a process has; False where it has none."""
        with self._changed:
            found = next((item for item in self._away if item[0] is child), None)
        if found is None:
            return False
        try:
            self._tell(found[1], outcome)
        finally:
            with self._changed:
                self._away.remove(found)
                self.stuck = False
                self._changed.notify_all()
        return True
