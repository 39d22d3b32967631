"""Checkpoint files, read lazily and restored byte for byte. Nothing from a file is ever executed."""

from mvc.formats.base import CheckpointFile, NamedTensor
from mvc.formats.checkpoint import CheckpointKind, OpenedCheckpoint, open_checkpoint
from mvc.formats.finding import Found, checkpoint_with, find_checkpoints, may_be_grouped
from mvc.formats.lfs import LfsPointer, find_git, open_source, parse_lfs_pointer
from mvc.formats.names import canonical_names
from mvc.formats.reading import open_file, open_opaque
from mvc.formats.restore import assemble, check_skeleton, digest_of, dissect, skeleton_of
from mvc.formats.sharded import INDEX_SUFFIX
from mvc.formats.sniff import (
    LFS_MAGIC,
    MVC_POINTER_MAGIC,
    POINTER_SUFFIX,
    READABLE,
    Kind,
    sniff_path,
)
from mvc.formats.source import printable
from mvc.formats.trainer import NESTED

__all__ = [
    "INDEX_SUFFIX",
    "LFS_MAGIC",
    "MVC_POINTER_MAGIC",
    "NESTED",
    "POINTER_SUFFIX",
    "READABLE",
    "CheckpointFile",
    "CheckpointKind",
    "Found",
    "Kind",
    "LfsPointer",
    "NamedTensor",
    "OpenedCheckpoint",
    "assemble",
    "canonical_names",
    "check_skeleton",
    "checkpoint_with",
    "digest_of",
    "dissect",
    "find_checkpoints",
    "find_git",
    "may_be_grouped",
    "open_checkpoint",
    "open_file",
    "open_opaque",
    "open_source",
    "parse_lfs_pointer",
    "printable",
    "skeleton_of",
    "sniff_path",
]
