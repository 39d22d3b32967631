"""The list of all readers."""

from __future__ import annotations

from mvc.testing.readers.checkpoints import checkpoint_readers
from mvc.testing.readers.kept import kept_readers
from mvc.testing.readers.reader import Reader
from mvc.testing.readers.records import record_readers
from mvc.testing.readers.stored import stored_readers


def readers() -> tuple[Reader, ...]:
    """All of them. Samples are made anew with each call; none is larger than some 100 kB."""
    return (*checkpoint_readers(), *stored_readers(), *record_readers(), *kept_readers())
