"""Deduplicated, encoded tensors and small objects."""

from mvc.odb.codecs import encode
from mvc.odb.database import KEYFRAME, ObjectDatabase
from mvc.odb.deltas import MAX_BASES
from mvc.odb.lanes import Lanes
from mvc.odb.loose import Place, loose_key
from mvc.odb.packs import Pack
from mvc.odb.reencoding import Reencoder
from mvc.odb.salvage import salvage
from mvc.odb.zstd import Buffer

__all__ = [
    "KEYFRAME",
    "MAX_BASES",
    "Buffer",
    "Lanes",
    "ObjectDatabase",
    "Pack",
    "Place",
    "Reencoder",
    "encode",
    "loose_key",
    "salvage",
]
