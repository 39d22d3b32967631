"""The git-like part: layout, config, locks, operations, revisions, fsck."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mvc.repository.checkpoint import StoredCheckpoint
from mvc.repository.config import Config
from mvc.repository.findings import INFORMATION, Finding, FsckReport
from mvc.repository.layout import Layout
from mvc.repository.locks import Holder
from mvc.repository.repository import Repository
from mvc.repository.revisions import MIN_PREFIX, check_tag, resolve
from mvc.repository.state import State
from mvc.repository.undoing import Change, inverse

if TYPE_CHECKING:
    from mvc.repository.fsck import check_repository

__all__ = [
    "INFORMATION",
    "MIN_PREFIX",
    "Change",
    "Config",
    "Finding",
    "FsckReport",
    "Holder",
    "Layout",
    "Repository",
    "State",
    "StoredCheckpoint",
    "check_repository",
    "check_tag",
    "inverse",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name != "check_repository":  # the one thing here that needs the object database at once
        raise AttributeError(f"module 'mvc.repository' has no attribute {name!r}")
    return importlib.import_module("mvc.repository.fsck").check_repository
