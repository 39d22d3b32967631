"""Deduplicated, encoded tensors and small objects."""

from mvc.odb.codecs import Buffer
from mvc.odb.database import ObjectDatabase
from mvc.odb.loose import Place, loose_key

__all__ = ["Buffer", "ObjectDatabase", "Place", "loose_key"]
