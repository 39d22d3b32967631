"""Bytes by key, and the one door to the disk."""

from mvc.storage.base import Chunks, Storage, Stream, check_key, no_such_key
from mvc.storage.files import (
    TEMPORARY,
    atomic_write,
    discard,
    disk_errors,
    exists,
    make_directories,
    replace_unsynced,
    temporary_name,
)
from mvc.storage.filesystem import REAL, FileSystem
from mvc.storage.local import LocalStorage
from mvc.storage.memory import MemoryStorage

__all__ = [
    "REAL",
    "TEMPORARY",
    "Chunks",
    "FileSystem",
    "LocalStorage",
    "MemoryStorage",
    "Storage",
    "Stream",
    "atomic_write",
    "check_key",
    "discard",
    "disk_errors",
    "exists",
    "make_directories",
    "no_such_key",
    "replace_unsynced",
    "temporary_name",
]
