"""Objects one to a file: ``objects/ab/cdef...``. Owns the mapping of ids to storage keys; ignores content."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator

from mvc.errors import NotFoundError
from mvc.objects import ObjectId
from mvc.odb.zstd import Buffer
from mvc.storage import Storage, no_such_key

PREFIX = "objects/"
_KEY = re.compile(rf"{PREFIX}([0-9a-f]{{2}})/([0-9a-f]{{62}})")


class LooseObjects:
    """The place of objects that are put alone."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def contains(self, object_id: ObjectId) -> bool:
        return self.storage.exists(loose_key(object_id))

    def key(self, object_id: ObjectId) -> str:
        if not self.contains(object_id):
            raise no_such_key(object_id)
        return loose_key(object_id)

    def read(self, object_id: ObjectId) -> bytes:
        return self.storage.get(loose_key(object_id))

    def read_start(self, object_id: ObjectId, length: int) -> bytes:
        return self.storage.get_range(loose_key(object_id), 0, length)

    def stored_size(self, object_id: ObjectId) -> int:
        return self.storage.size(loose_key(object_id))

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        start = f"{prefix[:2]}/{prefix[2:]}" if len(prefix) >= 2 else prefix
        for key in self.storage.list(PREFIX + start):
            if match := _KEY.fullmatch(key):
                yield ObjectId(match[1] + match[2])

    def forms(self, object_id: ObjectId) -> Iterator[bytes]:
        """Its stored form, if there is one."""
        with contextlib.suppress(NotFoundError):
            yield self.read(object_id)

    def write(self, object_id: ObjectId, chunks: Iterable[Buffer]) -> bool:
        """Stores an object that is not there yet; ``chunks`` are asked for only then."""
        return self.storage.put_if_absent(loose_key(object_id), chunks)


def loose_key(object_id: ObjectId) -> str:
    """Storage key of an object."""
    return f"{PREFIX}{object_id[:2]}/{object_id[2:]}"
