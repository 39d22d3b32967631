"""One input to one reader, and what came of it. Owns what counts as a defect: another error than mvc's own, more than
a second of processor time, more memory than the cap.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from mvc.errors import MvcError
from mvc.testing.readers import Reader

#: seconds of processor time after which a reader hangs
PATIENCE = 1.0
#: bytes that a reader of samples of this size may allocate on top of what the process holds
CAP = 1 << 29


class Hang(BaseException):
    """Not an Exception, so that no reader makes an error of its own of it."""


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Within, `outcome` notices hangs, and what needs more memory than the cap finds none. Main thread only."""
    before = signal.signal(signal.SIGPROF, _on_time)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + CAP, limits[1]))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _on_time(_number: int, _frame: FrameType | None) -> None:
    raise Hang


def outcome(reader: Reader, data: bytes, scratch: Path) -> str | None:
    """None where the input was taken or refused as it should be; else what is wrong, with the place, in one line."""
    try:
        signal.setitimer(signal.ITIMER_PROF, PATIENCE)
        try:
            reader.read(data, scratch)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except MvcError as error:
        return None if error.message else "an error without a message"
    except (Exception, Hang) as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/mvc/" in frame.filename and "/testing/" not in frame.filename]
        at = (ours or frames)[-1]
        place = f"{at.filename.rpartition('/mvc/')[2]}:{at.lineno} in {at.name}"
        return f"{type(error).__name__} at {place}: {str(error)[:100]}"
    return None
