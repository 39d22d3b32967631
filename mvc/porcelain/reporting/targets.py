"""Where a page or a picture may be written. Owns asking before any work is done; writes nothing."""

from __future__ import annotations

import shlex
from pathlib import Path

from mvc.errors import InputError


def require_writable(target: Path) -> None:
    """Raises InputError where a file cannot stand."""
    if not target.parent.is_dir():
        raise InputError(
            f"there is no directory {str(target.parent)!r}", hint=f"run: mkdir -p {shlex.quote(str(target.parent))}"
        )
    if target.is_dir():
        raise InputError(f"{str(target)!r} is a directory", hint="name a file in it with -o")
