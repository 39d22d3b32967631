"""Tensors and small objects by the hash of their content. Owns putting, checked reading, and deduplication.

Every read is hashed: what comes back is what its id says, or IntegrityError. Nothing is ever written twice or changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from mvc.errors import InputError, IntegrityError, MvcError, NotFoundError
from mvc.objects import Kind, ObjectId, TensorSpec, hash_object, object_header, parse_object_id
from mvc.odb.chains import Chains
from mvc.odb.codecs import RAW, Encoded, encode
from mvc.odb.consolidation import consolidate, due
from mvc.odb.copies import Copies
from mvc.odb.loose import LooseObjects, Place, loose_key
from mvc.odb.packed import PackedObjects
from mvc.odb.packs import Pack, PackWriter
from mvc.odb.stored import StoredHead, named, pack, parse_head, read_head, unpack
from mvc.odb.zstd import Buffer
from mvc.storage import Storage

Answer = TypeVar("Answer")
#: objects that may have to be read besides a tensor's own, unless a config says otherwise
KEYFRAME = 10


class ObjectDatabase:
    """Objects over a Storage. Reads need no lock; writers of a repository hold its lock.

    ``compress`` = False stores every payload as it is. ``keyframe`` is how many objects may have to be read besides a
    tensor's own; 0: none is stored as its difference from others.
    """

    def __init__(self, storage: Storage, *, compress: bool = True, keyframe: int = KEYFRAME) -> None:
        self.storage = storage
        self._compress = compress
        self.keyframe = keyframe
        self._loose = LooseObjects(storage)
        self._packed = PackedObjects(storage)
        self.chains = Chains(self.contains, self.stored_form, self._start)
        self._copies = Copies(self._all_copies, self.chains)
        self._writer: PackWriter | None = None

    @property
    def packs(self) -> Mapping[str, Pack]:
        """Every sound pack, by its storage key."""
        self._packed.refresh()
        return self._packed.packs

    @property
    def damaged_packs(self) -> Mapping[str, MvcError]:
        """Packs that cannot be used, and why."""
        return self._packed.damaged

    @property
    def _places(self) -> tuple[Place, ...]:
        writer = self._writer
        return (self._packed, self._loose) if writer is None else (writer, self._packed, self._loose)

    def put_tensor(self, spec: TensorSpec, data: Buffer, *, bases: Sequence[ObjectId] = ()) -> ObjectId:
        """Stores canonical bytes of a tensor. Raises InputError where they are not ``spec.nbytes`` many.

        ``bases`` are tensors that may be much like it, best first: its predecessor, then the one before. Whether and
        how they are used is decided by what they save; those that are missing or of another spec are passed over.
        """
        view = memoryview(data)
        view = view.cast("B") if view.nbytes else memoryview(b"")  # a view with a 0 in its shape cannot be cast
        if len(view) != spec.nbytes:
            raise InputError(f"{len(view)} bytes are no {spec.dtype} tensor of shape {list(spec.shape)}")

        def encoded() -> Encoded:
            return self.chains.encode(spec, view, bases, limit=self.keyframe)

        object_id = self._put(spec.header(), view, encoded)
        self.chains.remember(object_id, data if isinstance(data, bytes) else bytes(view))
        return object_id

    def put(self, kind: Kind, payload: bytes) -> ObjectId:
        """Stores an object other than a tensor."""
        return self._put(object_header(kind), payload, lambda: encode(payload))

    def _put(self, header: bytes, payload: Buffer, encoder: Callable[[], Encoded]) -> ObjectId:
        object_id = hash_object(header, (payload,))
        self._write(object_id, self._stored_form(header, payload, encoder))
        return object_id

    def _write(self, object_id: ObjectId, chunks: Iterable[Buffer]) -> bool:
        """Writes a stored form, whose ``chunks`` are asked for only where the object is not known in any place.

        Of one that is known it is made sure that it is durable: whoever wrote it may not have got that far.
        """
        if self.keep(object_id):
            return False
        writer = self._writer
        return self._loose.write(object_id, chunks) if writer is None else writer.append(object_id, tuple(chunks))

    def keep(self, object_id: ObjectId) -> bool:
        """Whether the object is known; then it is durable once the batch is: whoever wrote it may have died."""
        if self._writer is None:
            self._packed.refresh()  # what was known may have been collected since
        found = self._packed.locate(object_id)
        if found is not None:
            self.storage.touch(found[0].key)
        elif self._loose.contains(object_id):
            self.storage.touch(loose_key(object_id))
        else:
            return self._writer is not None and self._writer.contains(object_id)
        return True

    def _stored_form(self, header: bytes, payload: Buffer, encoder: Callable[[], Encoded]) -> Iterator[Buffer]:
        """Encodes only when the storage asks for the first chunk, which it does only for an object that it lacks."""
        encoded = encoder() if self._compress else Encoded(RAW, (payload,))
        yield from pack(header, len(payload), encoded)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """What is put within goes into one pack, which is there, durably, once the batch has been left; with an error
        there is none. Within, it can be read, and put from several threads: only appending waits. Inner ones join in.
        """
        if self._writer is not None:
            yield
            return
        with self.storage.batch():
            self._packed.refresh()
            self.chains.forget()
            self._writer = writer = PackWriter(self.storage)
            try:
                yield
                writer.finish()
            except BaseException:
                writer.abandon()
                self.chains.forget()
                raise
            finally:
                self._writer = None
        self._packed.refresh()

    def consolidate(self) -> None:
        """Makes many small packs into one, where there are many: a bounded piece of work. Needs the repository's lock.

        Raises StorageError: then all is as before.
        """
        if packs := due(self.packs.values()):
            consolidate(self.storage, packs)
            self._packed.refresh()

    def forget(self) -> None:
        """What is known of objects' forms is looked at again: they were stored anew, or taken away."""
        self._packed.refresh()
        self.chains.forget()

    def ignore(self, key: str) -> None:
        """Does without this pack from now on: what it holds is not known here, and can be put again."""
        self._packed.ignore(key)
        self.chains.forget()

    def adopt(self, object_id: ObjectId, stored: bytes) -> bool:
        """Takes over a stored form as it is, once it is proved to be that object; False where that is known already.

        Raises IntegrityError for what is damaged, or needs an object that is not here.
        """
        self.prove(object_id, stored)
        return self._write(object_id, (stored,))

    def hold(self, object_id: ObjectId, stored: bytes) -> bool:
        """Takes over a stored form that cannot be proved, as what it rests on is not here; False where it is known."""
        return self._write(object_id, (stored,))

    def prove(self, object_id: ObjectId, stored: bytes) -> None:
        """Raises IntegrityError unless this is a stored form of the object, and what it needs is here."""
        self._unpack(object_id, stored)

    def get_tensor(self, object_id: ObjectId) -> tuple[TensorSpec, Buffer]:
        """Spec and canonical bytes. Raises IntegrityError where the object is missing, damaged or no tensor."""
        head, payload = self._read(object_id)
        if head.kind != "tensor":
            raise IntegrityError(f"object {object_id} is a {head.kind}, not a tensor", hint="run: mvc fsck")
        return head.spec, payload

    def recall(self, object_id: ObjectId) -> tuple[TensorSpec, Buffer]:
        """As `get_tensor`, from memory where the tensor was stored or read, and so hashed, a short while ago, or from
        where `Chains.looking` looks."""
        data = self.chains.recall(object_id)
        if data is not None:
            return self.spec_of(object_id), data
        spec, data = self.get_tensor(object_id)
        self.chains.remember(object_id, data)
        return spec, data

    def get(self, kind: Kind, object_id: ObjectId) -> bytes:
        """Payload. Raises IntegrityError where the object is missing, damaged or of another kind."""
        head, payload = self._read(object_id)
        if head.kind != kind:
            raise IntegrityError(f"object {object_id} is a {head.kind}, not a {kind}", hint="run: mvc fsck")
        return bytes(payload)

    def contains(self, object_id: ObjectId) -> bool:
        """Whether the object is stored, as far as is known here; its content is not looked at."""
        if self._writer is not None:  # nobody else writes now, so once is enough
            parse_object_id(object_id)
            return any(place.contains(object_id) for place in self._places)
        try:
            self._look(object_id, lambda place: place.key(object_id))
        except IntegrityError:
            return False
        return True

    def stored_size(self, object_id: ObjectId) -> int:
        """Bytes that the object takes. Raises IntegrityError where it is missing."""
        return self._look(object_id, lambda place: place.stored_size(object_id))

    def key_of(self, object_id: ObjectId) -> str:
        """Storage key of the file that holds the object. Raises IntegrityError where it is missing."""
        self._packed.refresh()
        return self._look(object_id, lambda place: place.key(object_id))

    def kind_of(self, object_id: ObjectId) -> Kind:
        """As the object says; its content is not checked. Raises IntegrityError."""
        return self._head(object_id).kind

    def spec_of(self, object_id: ObjectId) -> TensorSpec:
        """A tensor's dtype and shape without its bytes; the content is not checked. Raises IntegrityError."""
        return self._head(object_id).spec

    def bases_of(self, object_id: ObjectId) -> tuple[ObjectId, ...]:
        """The objects that this one is stored as a difference from, as known here. Raises IntegrityError."""
        return self.chains.link(object_id).bases

    def stored_form(self, object_id: ObjectId) -> bytes:
        """The object as it is stored, not checked. Raises IntegrityError where it is missing."""
        return self._look(object_id, lambda place: place.read(object_id))

    def sound_form(self, object_id: ObjectId) -> bytes:
        """The object as it is stored, read and hashed; of several copies one that is sound. Raises IntegrityError."""
        return self._sound(object_id)[0]

    def rebased(self, object_id: ObjectId, staying: Container[ObjectId]) -> bytes:
        """A stored form of a tensor that rests on nothing but ``staying`` ones of those that it rests on now, nearest
        first, so that whatever rests on it still can. It may be larger. Raises IntegrityError."""
        spec, payload = self.get_tensor(object_id)
        bases = [base for base in reversed(self.chains.closure(object_id)) if base in staying]
        # the reach stays: it is above that of all that it rests on, and below that of what rests on it, in any form
        reach = self.chains.link(object_id).reach
        encoded = self.chains.encode(spec, payload, bases, limit=reach, least=reach)
        if any(base not in staying for base in encoded.bases):
            encoded = self.chains.encode(spec, payload, (), limit=0)
        return b"".join(pack(spec.header(), spec.nbytes, encoded))

    def depth(self, object_id: ObjectId) -> int:
        """How many objects must be read besides this one, as it says. Raises IntegrityError."""
        return self.chains.link(object_id).reach

    def verify(self, object_id: ObjectId) -> Kind:
        """Reads and hashes the object. Raises IntegrityError, even where reading would find another copy."""
        try:
            head, payload = self._unpack(object_id, self.stored_form(object_id))
        except IntegrityError as error:
            raise named(error, object_id) from None
        if head.bases:
            self.chains.remember(object_id, payload)
        return head.kind

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        """Every stored id that begins with ``prefix`` (hexadecimal), sorted."""
        self._packed.refresh()
        return iter(sorted({object_id for place in self._places for object_id in place.ids(prefix)}))

    def _look(self, object_id: ObjectId, action: Callable[[Place], Answer]) -> Answer:
        """What a place answers. Objects move while others read: where all say no, packs are looked for again."""
        parse_object_id(object_id)
        while True:
            generation = self._packed.generation
            for place in self._places:
                try:
                    return action(place)
                except NotFoundError:
                    continue
            if self._packed.refresh() == generation:
                raise self._packed.unread or self._missing(object_id)

    def _missing(self, object_id: ObjectId) -> IntegrityError:
        damaged = ", ".join(sorted(self._packed.damaged))
        lost = f"; it may be in what is damaged: {damaged}" if damaged else ""
        return IntegrityError(f"object {object_id} is missing{lost}", hint="run: mvc fsck", code="missing-object")

    def _read(self, object_id: ObjectId) -> tuple[StoredHead, Buffer]:
        _, head, payload = self._sound(object_id)
        if head.bases:
            self.chains.remember(object_id, payload)
        return head, payload

    def _sound(self, object_id: ObjectId) -> tuple[bytes, StoredHead, Buffer]:
        """A stored form that is sound, its head and its payload. Raises IntegrityError."""
        stored = self.stored_form(object_id)
        try:
            return stored, *self._unpack(object_id, stored)
        except IntegrityError as error:
            found = self._copies.sound(object_id)
            if found is None:
                raise named(error, object_id) from None
            return found

    def _unpack(self, object_id: ObjectId, stored: Buffer) -> tuple[StoredHead, Buffer]:
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

    def _all_copies(self, object_id: ObjectId) -> Iterator[bytes]:
        yield from self._packed.copies(object_id)
        yield from self._loose.copies(object_id)

    def _start(self, object_id: ObjectId, length: int) -> bytes:
        return self._look(object_id, lambda place: place.read_start(object_id, length))

    def _head(self, object_id: ObjectId) -> StoredHead:
        try:
            return read_head(lambda length: self._start(object_id, length))[0]
        except IntegrityError as error:
            raise named(error, object_id) from None
