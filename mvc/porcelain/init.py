"""Lays down a repository. Owns nothing but the report: an existing one is no error, as for git."""

from __future__ import annotations

from pathlib import Path

from mvc.errors import ExistsError
from mvc.porcelain.results.states import InitResult
from mvc.repository import Repository


def init(directory: Path, *, template: Path | None = None) -> InitResult:
    """A repository in ``directory``; one that is there already is left as it is. Raises InputError, StorageError."""
    try:
        return InitResult(str(Repository.init(directory, template=template).directory), created=True)
    except ExistsError:
        return InitResult(str(Repository.open(directory).directory), created=False)
