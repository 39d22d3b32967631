"""What is whole in a damaged pack, put into a new one. Owns finding it; takes nothing away."""

from __future__ import annotations

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.database import ObjectDatabase
from mvc.odb.packs import Span, scan
from mvc.odb.stored import MAGIC


def salvage(database: ObjectDatabase, key: str) -> frozenset[ObjectId]:
    """Ids of the objects in the pack that are whole; all of them are stored, durably, without it on return.

    Objects are found by the heads of their entries, so that the pack's trailer may be lost. From here on the database
    does without the pack. Needs the repository's lock. Raises StorageError.
    """
    database.ignore(key)
    storage = database.storage
    pending = {item: None for item in scan(storage, key) if storage.get_range(key, item[1].offset, 4) == MAGIC}
    found: set[ObjectId] = set()
    with database.batch():
        progress = True
        while progress:  # an object may need another that lies behind it
            left: dict[tuple[ObjectId, Span], None] = {}
            for object_id, span in pending:
                try:
                    database.adopt(object_id, storage.get_range(key, span.offset, span.length))
                except IntegrityError:
                    left[object_id, span] = None
                else:
                    found.add(object_id)
            progress, pending = len(left) < len(pending), left
    return frozenset(found)
