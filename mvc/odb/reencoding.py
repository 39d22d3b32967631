"""Smaller forms of tensors that are stored already, for who has more time than a commit. Owns the search for them, and
that what rests on a tensor can still do so.

A form may be read together with old and new forms of others until those that it replaces are gone. So a tensor's reach
stays below that of everything that rests on it in any form, and above that of its bases in any form.
"""

from __future__ import annotations

from collections.abc import Sequence

from mvc.errors import IntegrityError
from mvc.objects import MAX_BASES, ObjectId
from mvc.odb.codecs import RESIDUALS, Encoded
from mvc.odb.database import ObjectDatabase
from mvc.odb.deltas import read_plan
from mvc.odb.stored import pack


class Reencoder:
    """The forms of one repacking of a database, in which nothing else is written meanwhile."""

    def __init__(self, database: ObjectDatabase) -> None:
        self._database = database
        #: least reach of what rests on a tensor; largest reach that a tensor has in any form
        self._above: dict[ObjectId, int] = {}
        self._reach: dict[ObjectId, int] = {}
        for object_id in database.ids():
            try:
                link = database.chains.link(object_id)
            except IntegrityError:  # a damaged object is no base
                continue
            if link.header.startswith(b"tensor "):
                self._rests(object_id, link.reach, link.bases)

    def reencode(self, object_id: ObjectId, candidates: Sequence[ObjectId] = ()) -> bytes | None:
        """A stored form of a tensor that is smaller than the present one; None where none was found, or it is none.

        ``candidates`` are tensors that it may be much like, best first; its present bases are tried, too, each with
        every predictor, and with more effort than at a commit. The form is sound if it is used before anything else is
        stored, or not at all. Raises IntegrityError where the object itself cannot be read.
        """
        database = self._database
        if object_id not in self._reach:
            return None
        spec, payload = database.get_tensor(object_id)
        limit = min(database.keyframe, self._above.get(object_id, MAX_BASES + 1) - 1)
        options = (tuple(candidates), tuple(candidates[1:]), database.bases_of(object_id), ())
        best: Encoded | None = None
        size = database.stored_size(object_id)
        for hints in dict.fromkeys(tuple(one for one in some if self._fits(one, object_id, limit)) for some in options):
            least = 1 + max((self._reach[base] for base in hints[:2]), default=0)
            encoded = database.chains.encode(spec, payload, hints[:2], limit=limit, effort="best", least=least)
            length = sum(map(len, pack(spec.header(), spec.nbytes, encoded)))
            if length < size:
                best, size = encoded, length
        if best is None:
            return None
        reach = read_plan(best.chunks[0]).reach if best.codec == RESIDUALS else 0
        self._rests(object_id, reach, best.bases)
        return b"".join(pack(spec.header(), spec.nbytes, best))

    def _fits(self, base: ObjectId, object_id: ObjectId, limit: int) -> bool:
        return base != object_id and self._reach.get(base, limit) < limit

    def _rests(self, object_id: ObjectId, reach: int, bases: Sequence[ObjectId]) -> None:
        self._reach[object_id] = max(reach, self._reach.get(object_id, 0))
        for base in bases:
            self._above[base] = min(reach, self._above.get(base, reach))
