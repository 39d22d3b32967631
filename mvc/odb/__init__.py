"""Deduplicated, encoded tensors and small objects."""

from mvc.odb.checking import Form, check_forms
from mvc.odb.codecs import encode
from mvc.odb.database import ObjectDatabase
from mvc.odb.lanes import Lanes
from mvc.odb.loose import loose_key
from mvc.odb.packs import Pack
from mvc.odb.places import Place
from mvc.odb.reencoding import Reencoder
from mvc.odb.salvage import salvage
from mvc.odb.stored import kind_of
from mvc.odb.zstd import Buffer

__all__ = [
    "Buffer",
    "Form",
    "Lanes",
    "ObjectDatabase",
    "Pack",
    "Place",
    "Reencoder",
    "check_forms",
    "encode",
    "kind_of",
    "loose_key",
    "salvage",
]
