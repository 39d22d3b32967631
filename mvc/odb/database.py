"""Tensors and small objects by the hash of their content. Owns putting, checked reading, and deduplication.

Every read is hashed: what comes back is what its id says, or IntegrityError. Nothing is ever written twice or changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from mvc.errors import InputError, IntegrityError, NotFoundError
from mvc.objects import Kind, ObjectId, TensorSpec, hash_object, object_header, parse_object_id
from mvc.odb.codecs import RAW, Buffer, Encoded, encode
from mvc.odb.loose import LooseObjects, Place
from mvc.odb.stored import HEAD_BYTES, StoredHead, pack, parse_head, plane_size, unpack
from mvc.storage import Storage


class ObjectDatabase:
    """Objects over a Storage. Reads need no lock; writers of a repository hold its lock.

    ``compress`` = False stores every payload as it is.
    """

    def __init__(self, storage: Storage, *, compress: bool = True) -> None:
        self.storage = storage
        self._compress = compress
        self._loose = LooseObjects(storage)
        self._places: tuple[Place, ...] = (self._loose,)

    def put_tensor(self, spec: TensorSpec, data: Buffer) -> ObjectId:
        """Stores canonical bytes of a tensor. Raises InputError where they are not ``spec.nbytes`` many."""
        view = memoryview(data)
        view = view.cast("B") if view.nbytes else memoryview(b"")  # a view with a 0 in its shape cannot be cast
        if len(view) != spec.nbytes:
            raise InputError(f"{len(view)} bytes are no {spec.dtype} tensor of shape {list(spec.shape)}")
        return self._put(spec.header(), view, plane_size(spec))

    def put(self, kind: Kind, payload: bytes) -> ObjectId:
        """Stores an object other than a tensor."""
        return self._put(object_header(kind), payload, 1)

    def _put(self, header: bytes, payload: Buffer, itemsize: int) -> ObjectId:
        object_id = hash_object(header, (payload,))
        if not any(place.contains(object_id) for place in self._places[1:]):
            # always asked for, never done twice: the storage makes sure that whoever wrote it got as far as the disk
            self._loose.write(object_id, self._stored_form(header, payload, itemsize))
        return object_id

    def _stored_form(self, header: bytes, payload: Buffer, itemsize: int) -> Iterator[Buffer]:
        """Encodes only when the storage asks for the first chunk, which it does only for an object that it lacks."""
        encoded = encode(payload, itemsize) if self._compress else Encoded(RAW, (payload,))
        yield from pack(header, len(payload), encoded)

    def batch(self) -> AbstractContextManager[None]:
        """Puts within are durable together, and fast, once it has been left; an error leaves none that counts."""
        return self._loose.batch()

    def get_tensor(self, object_id: ObjectId) -> tuple[TensorSpec, Buffer]:
        """Spec and canonical bytes. Raises IntegrityError where the object is missing, damaged or no tensor."""
        head, payload = self._read(object_id)
        if head.kind != "tensor":
            raise IntegrityError(f"object {object_id} is a {head.kind}, not a tensor", hint="run: mvc fsck")
        return head.spec, payload

    def get(self, kind: Kind, object_id: ObjectId) -> bytes:
        """Payload. Raises IntegrityError where the object is missing, damaged or of another kind."""
        head, payload = self._read(object_id)
        if head.kind != kind:
            raise IntegrityError(f"object {object_id} is a {head.kind}, not a {kind}", hint="run: mvc fsck")
        return bytes(payload)

    def contains(self, object_id: ObjectId) -> bool:
        """Whether the object is stored; its content is not looked at."""
        parse_object_id(object_id)
        return any(place.contains(object_id) for place in self._places)

    def stored_size(self, object_id: ObjectId) -> int:
        """Bytes that the object takes. Raises IntegrityError where it is missing."""
        return self._find(object_id).stored_size(object_id)

    def kind_of(self, object_id: ObjectId) -> Kind:
        """As the object says; its content is not checked. Raises IntegrityError."""
        return self._head(object_id).kind

    def spec_of(self, object_id: ObjectId) -> TensorSpec:
        """A tensor's dtype and shape without its bytes; the content is not checked. Raises IntegrityError."""
        return self._head(object_id).spec

    def verify(self, object_id: ObjectId) -> Kind:
        """Reads and hashes the object. Raises IntegrityError."""
        head, _ = self._read(object_id)
        return head.kind

    def ids(self, prefix: str = "") -> Iterator[ObjectId]:
        """Every stored id that begins with ``prefix`` (hexadecimal), sorted."""
        if len(self._places) == 1:
            return self._places[0].ids(prefix)
        return iter(sorted({object_id for place in self._places for object_id in place.ids(prefix)}))

    def _find(self, object_id: ObjectId) -> Place:
        parse_object_id(object_id)
        for place in self._places:
            if place.contains(object_id):
                return place
        raise _missing(object_id)

    def _read(self, object_id: ObjectId) -> tuple[StoredHead, Buffer]:
        try:
            data = self._find(object_id).read(object_id)
            return unpack(object_id, data)
        except NotFoundError:
            raise IntegrityError(
                f"object {object_id} is missing", hint="run: mvc fsck", code="missing-object"
            ) from None
        except IntegrityError as error:
            raise _named(error, object_id) from None

    def _head(self, object_id: ObjectId) -> StoredHead:
        place = self._find(object_id)
        try:
            head = parse_head(place.read_start(object_id, HEAD_BYTES))
            if isinstance(head, int):
                head = parse_head(place.read_start(object_id, head))
            if isinstance(head, int):
                raise IntegrityError("a stored object is damaged: it is cut short", hint="run: mvc fsck")
            return head
        except IntegrityError as error:
            raise _named(error, object_id) from None


def _missing(object_id: ObjectId) -> IntegrityError:
    return IntegrityError(f"object {object_id} is missing", hint="run: mvc fsck", code="missing-object")


def _named(error: IntegrityError, object_id: ObjectId) -> IntegrityError:
    """The same error, with the object's id in place of "a stored object"."""
    message = error.message.replace("a stored object", f"object {object_id}", 1)
    return IntegrityError(message, hint=error.hint, code=error.code)
