"""Every error that mvc raises on purpose. Owns the families and their stable codes; knows no exit codes.

A message says what is wrong, a hint says what to do about it, with an exact command where there is one. The command
line maps families to exit codes in one place (``mvc.cli``).
"""

from __future__ import annotations


class MvcError(Exception):
    """Base of all errors. ``code`` is stable: scripts may match on it."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code


class Interrupted(KeyboardInterrupt):
    """Somebody stopped what had gone some way. The message says what is kept of it and how to go on."""


class InputError(MvcError):
    """What the user handed over cannot be used: a bad argument, an unknown revision, a file that is no checkpoint."""

    code = "bad-input"


class FormatError(InputError):
    """A checkpoint file is damaged, hostile, incomplete or of a kind that mvc does not read."""

    code = "bad-file"


class PointerError(FormatError):
    """A pointer (Git LFS, ``.mvc``) stands where weights should be; the weights were not fetched."""

    code = "not-fetched"


class IncompleteError(FormatError):
    """A checkpoint lacks one of its files."""

    code = "incomplete"


class ChangedError(FormatError):
    """A file changed while it was read."""

    code = "changed-while-read"


class NotFoundError(InputError):
    """A revision, tag, lineage or repository that does not exist."""

    code = "not-found"


class ExistsError(InputError):
    """Something already stands where the result should go."""

    code = "exists"


class IntegrityError(MvcError):
    """Stored bytes are not what their name says: an object is missing, damaged or unreadable."""

    code = "integrity"


class GoneError(IntegrityError):
    """Tensors of a commit were given up, on purpose (`mvc gc --keep`): its facts are all that is left of it."""

    code = "gone"


class BusyError(MvcError):
    """Another process is writing to the repository."""

    code = "busy"


class StorageError(MvcError):
    """The disk (or remote) refused: full, read-only, input/output error. Nothing was acknowledged."""

    code = "storage"
