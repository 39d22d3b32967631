"""Tensors that are stored as differences from others. Owns which bases one may have, and putting together what is
read.

A tensor's *reach* is the number of objects that must be read besides its own, as far as was known when it was written:
a base that was lost since, and stored again, may have another one. So a reader counts for itself: nothing rests on
itself, nor on more than MAX_BASES, whatever an object claims. Where a chain has grown as long as it may, the next
tensor rests on the chain's root; the measured gain says how long that pays.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from mvc.errors import IntegrityError
from mvc.objects import MAX_BASES, ObjectId, TensorSpec, hash_object
from mvc.odb.codecs import RAW, RESIDUALS, Encoded, encode
from mvc.odb.deltas import ONE_BASE, encode_residuals, make_plan
from mvc.odb.links import Link, circular, read_link, unfit
from mvc.odb.numbers import number_form
from mvc.odb.recent import Held, Recent
from mvc.odb.stored import named, unpack
from mvc.odb.zstd import Buffer, Effort, undecodable

#: bytes of decoded tensors that are remembered; what does not fit is read from the files that it came from, if those
#: are there, or decoded
_MEMORY = 24 << 20
#: what may have a tensor's canonical bytes without decoding them; may be asked by several threads at once
Elsewhere = Callable[[ObjectId], Buffer | None]
#: part of the size that must be saved before decoding is worth its time
_MIN_GAIN = 0.02
#: bytes below which a tensor has no base: a base's id alone takes 32
_MIN_SIZE = 1 << 10
#: bytes below which floats stay as they are
_MIN_FLOATS = 1 << 8


class Chains:
    """The tensors of one database. ``contains``, ``read`` and ``links`` (one for each stored form of an object) are how
    it finds stored forms; the last two raise IntegrityError. ``intact`` tells cheaply whether one is as it was written,
    as far as that is known. May be used by several threads at once.
    """

    def __init__(
        self,
        contains: Callable[[ObjectId], bool],
        read: Callable[[ObjectId], bytes],
        links: Callable[[ObjectId], Sequence[Link]],
        intact: Callable[[ObjectId], bool],
    ) -> None:
        self._contains = contains
        self._stored = read
        self._links_of = links
        self._intact = intact
        self._links: dict[ObjectId, Link] = {}
        self._recent = Recent(_MEMORY)
        self._elsewhere: Elsewhere | None = None
        self._held = Held()

    @contextlib.contextmanager
    def looking(self, elsewhere: Elsewhere) -> Iterator[None]:
        """Within, tensors are asked for there before they are decoded. What it gives is hashed, and what is not the
        tensor is as good as nothing; of the stored forms that are not decoded for it only the heads are read."""
        self._elsewhere = elsewhere
        try:
            yield
        finally:
            self._elsewhere = None

    @contextlib.contextmanager
    def holding(self, *, nearest: bool = False) -> Iterator[Mapping[ObjectId, Buffer]]:
        """Within, and on this thread, the bases that `encode` decoded stay in memory, however large, for who reads back
        what it put; by their ids. ``nearest``: the best of its hints, too, where a chain is as long as it may be and
        only its root is a base: both are decoded at once."""
        held = self._held.buffers = {}
        self._held.nearest = nearest
        try:
            yield held
        finally:
            self._held.buffers, self._held.nearest = None, False

    def link(self, object_id: ObjectId) -> Link:
        """Of several stored forms, the shallowest of which all bases are here. Raises IntegrityError where the object
        is missing or its head is damaged."""
        found = self._links.get(object_id)
        if found is None:
            try:
                forms = self._links_of(object_id)
            except IntegrityError as error:
                raise named(error, object_id) from None
            if len(forms) > 1:
                forms = [form for form in forms if all(map(self._contains, form.bases))] or forms
            found = self._links[object_id] = min(forms, key=lambda form: form.reach)
        return found

    def grouped(self, ids: Iterable[ObjectId]) -> list[list[ObjectId]]:
        """These objects by what they rest on in the end, within a group the nearest to that first: read in this order,
        what each rests on was read just before. Objects that cannot be read stand alone."""
        found: dict[ObjectId, list[tuple[int, ObjectId]]] = {}
        for object_id in ids:
            root, reach = object_id, 0
            try:
                reach = self.link(object_id).reach
                if reach:
                    root = self.closure(object_id)[0]
            except IntegrityError:
                root = object_id
            found.setdefault(root, []).append((reach, object_id))
        return [[object_id for _, object_id in sorted(group)] for group in found.values()]

    def awaited(self, ids: Iterable[ObjectId]) -> frozenset[ObjectId]:
        """What these rest on and is not here. If it is stored again, then without bases: what waits for it would need
        more than it says."""
        found: set[ObjectId] = set()
        for object_id in ids:
            with contextlib.suppress(IntegrityError):
                found.update(self.link(object_id).bases)
        return frozenset(base for base in found if not self._contains(base))

    def closure(self, object_id: ObjectId) -> tuple[ObjectId, ...]:
        """Every object that must be read besides this one, farthest first. Raises IntegrityError."""
        return self._order((object_id,))[:-1]

    def bases(self, object_id: ObjectId, stored: Buffer) -> tuple[Buffer, ...]:
        """Bytes of what this stored form of an object rests on. Raises IntegrityError that names what is wrong."""
        link = read_link(lambda length: bytes(stored[:length]))
        try:
            return self._bases(object_id, link)
        except IntegrityError:
            self.forget()  # another process may have stored them in other forms since
            return self._bases(object_id, link)

    def _bases(self, object_id: ObjectId, link: Link) -> tuple[Buffer, ...]:
        for base in link.bases:
            self._check_below(object_id, link, base)
        return self._resolve(link.bases)

    def remember(self, object_id: ObjectId, data: Buffer) -> None:
        """Bytes of a tensor that the next one may rest on. They must be its own, and stay as they are."""
        self._recent.put(object_id, data)

    def remembers(self, size: int) -> bool:
        """Whether a tensor of so many bytes is not too large to be remembered."""
        return self._recent.fits(size)

    def recall(self, object_id: ObjectId) -> Buffer | None:
        """What `remember` was told, if it still is, or what there is elsewhere. Raises IntegrityError."""
        data = self._recent.get(object_id)
        if data is None and (data := self._found(object_id)) is not None:
            self._recent.put(object_id, data)
        return data

    def _found(self, object_id: ObjectId) -> Buffer | None:
        """A tensor's bytes from elsewhere, if it is that tensor."""
        if self._elsewhere is None:
            return None
        header = self.link(object_id).header  # first, for what is not stored is not to be found
        data = self._elsewhere(object_id)
        return data if data is not None and hash_object(header, (data,)) == object_id else None

    def forget(self) -> None:
        """How tensors are stored is looked at again: another process may have taken them away, or repacked them."""
        self._links.clear()

    def encode(
        self,
        spec: TensorSpec,
        data: Buffer,
        hints: Sequence[ObjectId],
        *,
        limit: int,
        effort: Effort = "symbols",
        least: int = 1,
    ) -> Encoded:
        """The smallest form of a tensor that a sample promises; ``hints`` are other tensors, best first.

        At most ``limit`` objects will have to be read besides it. What cannot be a base is passed over. ``least`` is
        the least reach of a form with bases.
        """
        form = number_form(spec)
        try:
            bases = self._usable(spec, hints, limit) if len(data) >= _MIN_SIZE else ()
            payloads = self._resolve_beside(bases, hints[:1])
        except IntegrityError:  # a damaged base is none
            bases = payloads = ()
        if (held := self._held.buffers) is not None:
            held |= zip(bases[:1], payloads[:1], strict=True)
        if len(data) < _MIN_FLOATS or (form.mantissa is None and not bases):
            return encode(data, form.width)
        plan, share = make_plan(data, form, payloads)
        used = plan.bases
        if not used and form.mantissa is None:
            return encode(data, form.width)
        if share <= 1 - _MIN_GAIN:
            bases = tuple(bases[:used])
            if held is not None:
                held |= zip(bases, payloads[:used], strict=True)
            plan = replace(plan, reach=max(least, self._reach(bases)) if bases else 0)
            chunks = tuple(encode_residuals(data, form, payloads[:used], plan, effort))
            if sum(map(len, chunks)) <= len(data) * (1 - _MIN_GAIN):
                return Encoded(RESIDUALS, chunks, bases)
        return Encoded(RAW, (data,))

    def _usable(self, spec: TensorSpec, hints: Sequence[ObjectId], limit: int) -> tuple[ObjectId, ...]:
        """At most two bases among the hints, of the same spec, within reach."""
        if limit < 1:
            return ()
        known = tuple(islice((hint for hint in dict.fromkeys(hints) if self._fits(hint, spec)), 2))
        if not known:
            return ()
        if self.link(known[0]).reach >= limit:
            root = self.closure(known[0])[0]
            return (root,) if self._intact(root) else ()
        if len(known) == 2 and spec.nbytes <= ONE_BASE and self._reach(known) <= limit:
            return known
        return known[:1]

    def _reach(self, bases: Sequence[ObjectId]) -> int:
        """Of what rests on these."""
        links = [self.link(base) for base in bases]
        least = 1 + max(link.reach for link in links)
        if len(bases) == 1 or bases[1] in links[0].bases:
            return least
        return max(least, len(self._order(bases)))

    def _fits(self, object_id: ObjectId, spec: TensorSpec) -> bool:
        try:
            # one that is known may be gone by now; and its bytes may be at hand though what is stored has rotted
            here = self._contains(object_id) and self.link(object_id).header == spec.header()
            return here and self._intact(object_id)
        except IntegrityError:
            return False

    def _resolve_beside(self, bases: Sequence[ObjectId], nearest: Sequence[ObjectId]) -> tuple[Buffer, ...]:
        """Bytes of these bases; where they are the root of the nearest tensor, that one's too, if it is to be held."""
        held = self._held.buffers
        if held is not None and self._held.nearest and len(bases) == 1 and nearest[0] not in bases:
            with contextlib.suppress(IntegrityError):
                if self._order(nearest)[0] == bases[0]:
                    root, held[nearest[0]] = self._resolve((*bases, *nearest))
                    return (root,)
        return self._resolve(bases)

    def _resolve(self, wanted: Sequence[ObjectId]) -> tuple[Buffer, ...]:
        """Bytes of these tensors, each of their bases decoded once, and few held at a time. Raises IntegrityError."""
        order = self._order(wanted)
        users = Counter(wanted)
        live = {}
        for object_id in reversed(order):
            if not users[object_id]:  # all that rests on it is there already
                continue
            known = (self._held.buffers or {}).get(object_id) or self._recent.get(object_id)
            if known is None:
                known = self._found(object_id)
            if known is None:
                users.update(self.link(object_id).bases)
            else:
                live[object_id] = known
        for object_id in order:
            if object_id in live or not users[object_id]:
                continue
            under = self.link(object_id).bases
            live[object_id] = self._read(object_id, tuple(live[base] for base in under))
            users.subtract(under)
            for base in under:
                if not users[base]:
                    live.pop(base, None)
        for object_id in wanted[:1]:  # the second one is hardly ever asked for again, and would push out what is
            self._recent.put(object_id, live[object_id])
        return tuple(live[object_id] for object_id in wanted)

    def _read(self, object_id: ObjectId, bases: Sequence[Buffer]) -> Buffer:
        try:
            return unpack(object_id, self._stored(object_id), bases)[1]
        except IntegrityError as error:
            raise named(error, object_id) from None

    def _order(self, wanted: Iterable[ObjectId]) -> tuple[ObjectId, ...]:
        """These and all that they rest on, what rests on nothing first."""
        order: dict[ObjectId, None] = {}
        above: set[ObjectId] = set()  # what is not in order yet, and rests on what is being looked at
        pending = list(wanted)
        while pending:
            object_id = pending[-1]
            if object_id in above or object_id in order:
                order[pending.pop()] = None
                above.discard(object_id)
                continue
            above.add(object_id)
            link = self.link(object_id)
            for base in link.bases:
                self._check_below(object_id, link, base)
                if base in above:
                    raise circular(object_id)
            pending += link.bases
            if len(order) + len(above) > MAX_BASES + 1:
                raise named(undecodable(f"it needs more than {MAX_BASES} others"), object_id)
        return tuple(order)

    def _check_below(self, object_id: ObjectId, link: Link, base: ObjectId) -> None:
        if self.link(base).header != link.header:
            raise unfit(object_id, base)
