"""Tensors and small objects by the hash of their content. Owns putting, checked reading, and deduplication.

Every read is hashed: what comes back is what its id says, or IntegrityError. Nothing is ever written twice or changed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from mvc.errors import InputError, IntegrityError, MvcError
from mvc.objects import KEYFRAME, Kind, ObjectId, TensorSpec, hash_object, object_header
from mvc.odb.codecs import RAW, Encoded, encode
from mvc.odb.consolidation import consolidate, due
from mvc.odb.forms import Forms
from mvc.odb.packing import PackWriter
from mvc.odb.packs import Pack
from mvc.odb.places import Places
from mvc.odb.stored import pack
from mvc.odb.zstd import Buffer
from mvc.storage import Storage


class ObjectDatabase:
    """Objects over a Storage. Reads need no lock; writers of a repository hold its lock.

    ``compress`` = False stores every payload as it is. ``keyframe`` is how many objects may have to be read besides a
    tensor's own; 0: none is stored as its difference from others.
    """

    def __init__(self, storage: Storage, *, compress: bool = True, keyframe: int = KEYFRAME) -> None:
        self.storage = storage
        self._compress = compress
        self.keyframe = keyframe
        self._places = places = Places(storage)
        self._forms = Forms(places)
        self.chains = self._forms.chains

    @property
    def packs(self) -> Mapping[str, Pack]:
        """Every sound pack, by its storage key."""
        self._places.packed.refresh()
        return self._places.packed.packs

    @property
    def damaged_packs(self) -> Mapping[str, MvcError]:
        """Packs that cannot be used, and why."""
        return self._places.packed.damaged

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
        if self.chains.remembers(len(view)):
            self.chains.remember(object_id, data if isinstance(data, bytes) else bytes(view))
        return object_id

    def put(self, kind: Kind, payload: bytes) -> ObjectId:
        """Stores an object other than a tensor."""
        return self._put(object_header(kind), payload, lambda: encode(payload))

    def _put(self, header: bytes, payload: Buffer, encoder: Callable[[], Encoded]) -> ObjectId:
        object_id = hash_object(header, (payload,))
        self._write(object_id, self._stored_form(header, payload, encoder))
        return object_id

    def _write(self, object_id: ObjectId, chunks: Iterable[Buffer], *, proved: bool = True) -> bool:
        """Writes a stored form, whose ``chunks`` are asked for only where the object is not known in any place.

        Of one that is known it is made sure that it is durable: whoever wrote it may not have got that far.
        """
        if self.keep(object_id):
            return False
        writer = self._places.writer
        if writer is None:
            return self._places.loose.write(object_id, chunks)
        return writer.append(object_id, tuple(chunks), proved=proved)

    def keep(self, object_id: ObjectId) -> bool:
        """Whether the object is known; then it is durable once the batch is: whoever wrote it may have died."""
        return self._places.keep(object_id)

    def _stored_form(self, header: bytes, payload: Buffer, encoder: Callable[[], Encoded]) -> Iterator[Buffer]:
        """Encodes only when the storage asks for the first chunk, which it does only for an object that it lacks."""
        encoded = encoder() if self._compress else Encoded(RAW, (payload,))
        yield from pack(header, len(payload), encoded)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """What is put within goes into one pack, which is there, durably, once the batch has been left; with an error
        there is none. Within, it can be read, and put from several threads: only appending waits. Inner ones join in.
        """
        places = self._places
        if places.writer is not None:
            yield
            return
        with self.storage.batch():
            places.packed.refresh()
            self.chains.forget()
            places.writer = writer = PackWriter(self.storage)
            try:
                yield
                writer.finish()
            except BaseException:
                writer.abandon()
                self.chains.forget()
                raise
            finally:
                places.writer = None
        places.packed.refresh()

    def consolidate(self) -> None:
        """Makes many small packs into one, where there are many: a bounded piece of work. Needs the repository's lock.

        Raises StorageError: then all is as before.
        """
        if packs := due(self.packs.values()):
            consolidate(self.storage, packs)
            self._places.packed.refresh()

    def forget(self) -> None:
        """What is known of objects' forms is looked at again: they were stored anew, or taken away."""
        self._places.packed.refresh()
        self.chains.forget()

    def ignore(self, *keys: str) -> None:
        """Does without these packs from now on: what they hold is not known here, and can be put again."""
        self._places.packed.ignore(*keys)
        self.chains.forget()

    def adopt(self, object_id: ObjectId, stored: bytes) -> bool:
        """Takes over a stored form as it is, once it is proved to be that object; False where that is known already.

        Raises IntegrityError for what is damaged, or needs an object that is not here.
        """
        self.prove(object_id, stored)
        return self._write(object_id, (stored,))

    def hold(self, object_id: ObjectId, stored: bytes) -> bool:
        """Takes over a stored form that cannot be proved, as what it rests on is not here; False where it is known."""
        return self._write(object_id, (stored,), proved=False)

    def prove(self, object_id: ObjectId, stored: bytes) -> None:
        """Raises IntegrityError unless this is a stored form of the object, and what it needs is here."""
        self._forms.unpack(object_id, stored)

    def get_tensor(self, object_id: ObjectId) -> tuple[TensorSpec, Buffer]:
        """Spec and canonical bytes. Raises IntegrityError where the object is missing, damaged or no tensor."""
        head, payload = self._forms.read(object_id)
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
        head, payload = self._forms.read(object_id)
        if head.kind != kind:
            raise IntegrityError(f"object {object_id} is a {head.kind}, not a {kind}", hint="run: mvc fsck")
        return bytes(payload)

    def contains(self, object_id: ObjectId) -> bool:
        """Whether the object is stored, as far as is known here; its content is not looked at."""
        return self._places.contains(object_id)

    def stored_size(self, object_id: ObjectId) -> int:
        """Bytes that the object takes. Raises IntegrityError where it is missing."""
        return self._places.stored_size(object_id)

    def key_of(self, object_id: ObjectId) -> str:
        """Storage key of the file that holds the object. Raises IntegrityError where it is missing."""
        return self._places.key(object_id)

    def kind_of(self, object_id: ObjectId) -> Kind:
        """As the object says; its content is not checked. Raises IntegrityError."""
        return self._forms.head(object_id).kind

    def spec_of(self, object_id: ObjectId) -> TensorSpec:
        """A tensor's dtype and shape without its bytes; the content is not checked. Raises IntegrityError."""
        return self._forms.head(object_id).spec

    def bases_of(self, object_id: ObjectId) -> tuple[ObjectId, ...]:
        """The objects that this one is stored as a difference from, as known here; where it is stored in several
        forms, all that any of them rests on, if it is here. Raises IntegrityError."""
        return self._forms.bases(object_id)

    def doubled(self, object_id: ObjectId) -> bool:
        """Whether the object lies in several packs, in forms that may rest on different ones."""
        return self._places.doubled(object_id)

    def stored_form(self, object_id: ObjectId) -> bytes:
        """The object as it is stored, not checked. Raises IntegrityError where it is missing."""
        return self._places.read(object_id)

    def sound_form(self, object_id: ObjectId) -> bytes:
        """The object as it is stored, read and hashed; of several copies one that is sound. Raises IntegrityError."""
        return self._forms.sound(object_id)[0]

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

    def verify(self, object_id: ObjectId, *, key: str | None = None) -> Kind:
        """Reads, decodes and hashes the object, the form that is in the file ``key`` if one is given. Raises
        IntegrityError, even where reading would find another copy."""
        return self._forms.verify(object_id, key)

    def loose_ids(self) -> Iterator[ObjectId]:
        """Ids of objects that are in files of their own."""
        return self._places.loose.ids()

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        """Every stored id that begins with ``prefix`` (hexadecimal), sorted."""
        return self._places.ids(prefix)
