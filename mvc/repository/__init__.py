"""The git-like part: layout, config, locks, operations, revisions, fsck."""

from mvc.repository.checkpoint import StoredCheckpoint
from mvc.repository.config import Config
from mvc.repository.findings import INFORMATION, Finding, FsckReport
from mvc.repository.fsck import check_repository
from mvc.repository.layout import Layout
from mvc.repository.locks import Holder
from mvc.repository.repository import Repository
from mvc.repository.revisions import MIN_PREFIX, check_tag, resolve
from mvc.repository.state import State
from mvc.repository.undoing import Change, inverse

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
