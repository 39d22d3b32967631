"""Stored forms of objects: what they say, what they rest on, and what they hold. Owns reading an object out of them.

Of several forms of one object any that is sound will do. Every payload is hashed: it is what its id says, or
IntegrityError. Writes nothing.
"""

from __future__ import annotations

from mvc.errors import IntegrityError
from mvc.objects import Kind, ObjectId
from mvc.odb.chains import Chains
from mvc.odb.copies import Copies, Sound
from mvc.odb.links import Link, link_of, read_link
from mvc.odb.places import Places
from mvc.odb.stored import StoredHead, named, parse_head, read_head, unpack
from mvc.odb.zstd import Buffer


class Forms:
    """The forms that lie in ``places``. ``chains`` knows which of them rest on others, and what is decoded already."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.chains = Chains(places.contains, self._linked, self._links, places.packed.intact)
        self._copies = Copies(places.forms, self.chains)

    def head(self, object_id: ObjectId) -> StoredHead:
        """What the object says of itself; its content is not checked. Raises IntegrityError."""
        try:
            return read_head(lambda length: self._places.read_start(object_id, length))[0]
        except IntegrityError as error:
            raise named(error, object_id) from None

    def read(self, object_id: ObjectId) -> tuple[StoredHead, Buffer]:
        """Head and payload. Raises IntegrityError."""
        _, head, payload = self.sound(object_id)
        if head.bases:
            self.chains.remember(object_id, payload)
        return head, payload

    def sound(self, object_id: ObjectId) -> Sound:
        """A stored form that is sound, its head and its payload. Raises IntegrityError."""
        stored = self._places.read(object_id)
        try:
            return stored, *self.unpack(object_id, stored)
        except IntegrityError as error:
            found = self._copies.sound(object_id)
            if found is None:
                raise named(error, object_id) from None
            return found

    def unpack(self, object_id: ObjectId, stored: Buffer) -> tuple[StoredHead, Buffer]:
        """Head and payload of this stored form of an object, with the bases that it needs. Raises IntegrityError."""
        head = parse_head(stored)
        if isinstance(head, int) or not head.bases:
            return unpack(object_id, stored)
        try:
            bases = self.chains.bases(object_id, stored)
        except IntegrityError:
            found = self._copies.bases(stored)
            if found is None:
                raise
            bases = found
        return unpack(object_id, stored, bases)

    def verify(self, object_id: ObjectId, key: str | None = None) -> Kind:
        """Reads, decodes and hashes one form of the object, the one in the file ``key`` if that is given. Raises
        IntegrityError, even where reading would find another copy."""
        stored = self._places.read(object_id) if key is None else self._places.read_at(object_id, key)
        try:
            head, payload = self.unpack(object_id, stored)
        except IntegrityError as error:
            raise named(error, object_id) from None
        if head.bases:
            self.chains.remember(object_id, payload)
        return head.kind

    def bases(self, object_id: ObjectId) -> tuple[ObjectId, ...]:
        """All that any form of the object rests on whose bases are here; what the shallowest one does where there is
        none. Raises IntegrityError."""
        if not self._places.doubled(object_id):
            return self.chains.link(object_id).bases
        whole = [link.bases for link in self._links(object_id) if all(map(self._places.contains, link.bases))]
        return tuple(dict.fromkeys(base for bases in whole or [self.chains.link(object_id).bases] for base in bases))

    def _links(self, object_id: ObjectId) -> tuple[Link, ...]:
        """What each stored form of an object rests on. Raises IntegrityError where none tells."""
        if self._places.doubled(object_id):
            found = tuple(link for stored in self._places.forms(object_id) if (link := link_of(stored)) is not None)
            if found:
                return found
        return (read_link(lambda length: self._places.read_start(object_id, length)),)

    def _linked(self, object_id: ObjectId) -> bytes:
        """The stored form that `Chains.link` tells of."""
        if self._places.doubled(object_id):
            link = self.chains.link(object_id)
            for stored in self._places.forms(object_id):
                if link_of(stored) == link:
                    return stored
        return self._places.read(object_id)
