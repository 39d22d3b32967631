"""Decoded tensors that stay in memory for what rests on them. Owns how many, and for whom."""

from __future__ import annotations

import threading
from collections import OrderedDict

from mvc.objects import ObjectId
from mvc.odb.zstd import Buffer

#: part of its room that one tensor may take: larger ones would leave no room for those that are needed beside it
_PART = 4


class Held(threading.local):
    """What each thread holds, None where nobody asked for it; whether that is to be the nearest tensor, too."""

    buffers: dict[ObjectId, Buffer] | None = None
    nearest: bool = False


class Recent:
    """The tensors that came last, up to ``room`` bytes.

    Not those that were used last: checkpoints are gone through from the first tensor to the last, again and again, and
    of those that do not fit the least would be left when it is asked for.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._held: OrderedDict[ObjectId, Buffer] = OrderedDict()
        self._mutex = threading.Lock()

    def get(self, object_id: ObjectId) -> Buffer | None:
        with self._mutex:
            return self._held.get(object_id)

    def fits(self, size: int) -> bool:
        return size <= self._room // _PART

    def put(self, object_id: ObjectId, data: Buffer) -> None:
        with self._mutex:
            if object_id in self._held or not self.fits(len(data)):
                return
            self._held[object_id] = data
            self._used += len(data)
            while self._used > self._room:
                _, dropped = self._held.popitem(last=False)
                self._used -= len(dropped)
