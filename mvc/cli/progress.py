"""Progress on a terminal's stderr, shown from the first moment; nothing at all anywhere else."""

from __future__ import annotations

import importlib
import sys
from contextlib import AbstractContextManager, nullcontext

from mvc.porcelain.progress import Report, silent


def progress(title: str) -> AbstractContextManager[Report]:
    """A context that gives the function to report to: a bar where somebody looks, else nobody."""
    if not sys.stderr.isatty():
        return nullcontext(silent)
    shown: AbstractContextManager[Report] = importlib.import_module("mvc.cli.bars").bar(title)
    return shown
