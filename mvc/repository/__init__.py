"""The git-like part: layout, config, locks, operations, revisions."""

from mvc.repository.checkpoint import StoredCheckpoint
from mvc.repository.config import Config
from mvc.repository.layout import Layout
from mvc.repository.locks import Holder
from mvc.repository.repository import Repository
from mvc.repository.revisions import MIN_PREFIX, check_tag, resolve
from mvc.repository.state import State

__all__ = [
    "MIN_PREFIX",
    "Config",
    "Holder",
    "Layout",
    "Repository",
    "State",
    "StoredCheckpoint",
    "check_tag",
    "resolve",
]
