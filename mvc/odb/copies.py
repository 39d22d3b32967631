"""Objects that lie in several places, of which one is damaged. Owns finding a copy that is sound.

That is for when reading the usual one failed, and looks only where anything that has to be read has another copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.chains import Chains
from mvc.odb.links import Link, link_of
from mvc.odb.stored import StoredHead, unpack
from mvc.odb.zstd import Buffer

#: a stored form, its head, and the payload, which hashes to the object's name
Sound = tuple[bytes, StoredHead, Buffer]


class Copies:
    """``copies`` gives the stored form of an object in every place that has it, unchecked."""

    def __init__(self, copies: Callable[[ObjectId], Iterator[bytes]], chains: Chains) -> None:
        self._copies = copies
        self._chains = chains

    def sound(self, object_id: ObjectId) -> Sound | None:
        """A copy that is sound, as are those that it rests on; None where there is none, or never was a second one."""
        return self._search(object_id, None, set()) if self._has_doubles((object_id,)) else None

    def bases(self, stored: Buffer) -> tuple[Buffer, ...] | None:
        """Payloads of what this stored form rests on; None as in `sound`."""
        link = link_of(stored)
        if link is None or not self._has_doubles(link.bases):
            return None
        return self._payloads(link, set())

    def _has_doubles(self, objects: tuple[ObjectId, ...]) -> bool:
        """Whether of these or of what they rest on, in any form, something is there twice."""
        seen: set[ObjectId] = set()
        pending = list(objects)
        while pending:
            object_id = pending.pop()
            if object_id not in seen:
                seen.add(object_id)
                forms = list(self._copies(object_id))
                if len(forms) > 1:
                    return True
                pending += [base for stored in forms if (link := link_of(stored)) is not None for base in link.bases]
        return False

    def _search(self, object_id: ObjectId, above: Link | None, hopeless: set[ObjectId]) -> Sound | None:
        """A sound copy that may be a base of what is ``above``. None of ``hopeless`` has one, as far as is known."""
        if object_id in hopeless:
            return None
        all_tried = True
        for stored in self._copies(object_id):
            link = link_of(stored)
            if link is None or (above is not None and not (link.reach < above.reach and link.header == above.header)):
                all_tried = all_tried and link is None
                continue
            payloads = self._payloads(link, hopeless)
            if payloads is not None:
                try:
                    return stored, *unpack(object_id, stored, payloads)
                except IntegrityError:
                    continue
        if all_tried:
            hopeless.add(object_id)
        return None

    def _payloads(self, link: Link, hopeless: set[ObjectId]) -> tuple[Buffer, ...] | None:
        found = []
        for base in link.bases:
            payload = self._chains.recall(base)
            if payload is None:
                sound = self._search(base, link, hopeless)
                if sound is None:
                    return None
                payload = sound[2]
                self._chains.remember(base, payload)
            found.append(payload)
        return tuple(found)
