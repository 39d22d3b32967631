"""Carries errands to the committing process and brings back what became of them. Owns that process and its end.

At most ``room`` errands are on their way; whoever hands over one more waits until there is room. A process that died
takes its errands along, each of which is told; the next errand starts another one.
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
from typing import IO

from mvc.integrations.loops.errands import END, Errand, Outcome

#: where this mvc is imported from: the other process is to run the same one
_HOME = str(Path(__file__).parents[3])
#: variables that keep its numerical libraries from taking the training's cores
_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Courier:
    """``tell`` is called in a thread of its own with each errand and its outcome."""

    def __init__(self, root: Path, author: str, room: int, tell: Callable[[Errand, Outcome], None]) -> None:
        self._root, self._author, self._room, self._tell = root, author, room, tell
        self._changed = threading.Condition()
        #: in the order in which they were sent, each with the process that has it
        self._away: deque[tuple[subprocess.Popen[bytes], Errand]] = deque()
        self._process: subprocess.Popen[bytes] | None = None

    def send(self, errand: Errand) -> None:
        """Hands an errand over, once there is room. Raises OSError where no process can be started."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._away) < self._room)
            process = self._process or self._start()
            self._away.append((process, errand))
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it died, which its reader tells
                process.stdin.write(errand.to_line())
                process.stdin.flush()

    def wait(self, timeout: float) -> bool:
        """Waits until no errand is on its way, at most ``timeout`` seconds; whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._away, timeout)

    def close(self) -> int | None:
        """Lets the process end after what it was handed; its id, if there is still something of that."""
        with self._changed:
            process, self._process = self._process, None
            if process is None:
                return None
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # forks of the training may hold the pipe open
                process.stdin.write(END)
                process.stdin.close()
            return process.pid if self._away else None

    def _start(self) -> subprocess.Popen[bytes]:
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
        self._process = process
        threading.Thread(target=self._read, args=(process, errors), name="mvc-recorder", daemon=True).start()
        return process

    def _read(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        with errors, process.stdout:
            for line in process.stdout:
                self._done(process, Outcome.from_line(line))
            code = process.wait()
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
            words = errors.read().decode("utf-8", "replace").strip().splitlines()
        with self._changed:
            if self._process is process:
                self._process = None
        with contextlib.suppress(OSError):  # what could not be written is still in its buffer
            process.stdin.close()
        died = Outcome(
            error=f"the process that commits ended with {code}{f': {words[-1]}' if words else ''}", code="died"
        )
        while self._done(process, died):
            pass

    def _done(self, process: subprocess.Popen[bytes], outcome: Outcome) -> bool:
        """Tells what became of the first errand that a process has; False where it has none."""
        with self._changed:
            found = next((item for item in self._away if item[0] is process), None)
        if found is None:
            return False
        try:
            self._tell(found[1], outcome)
        finally:
            with self._changed:
                self._away.remove(found)
                self._changed.notify_all()
        return True
