"""Deduplicated, encoded tensors and small objects."""

from mvc.odb.codecs import Buffer
from mvc.odb.database import ObjectDatabase
from mvc.odb.lanes import Lanes
from mvc.odb.loose import Place, loose_key
from mvc.odb.packs import Pack
from mvc.odb.salvage import salvage

__all__ = ["Buffer", "Lanes", "ObjectDatabase", "Pack", "Place", "loose_key", "salvage"]
