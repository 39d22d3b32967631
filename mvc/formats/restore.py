"""A file taken apart and put together again. Owns cutting a skeleton and joining it with its tensors.

Refuses tensors that do not fit their holes (IntegrityError); never writes a file itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import blake3

from mvc.deferred import Deferred
from mvc.errors import IntegrityError
from mvc.formats.base import CheckpointFile
from mvc.formats.source import CHUNK, printable
from mvc.objects import DTYPES, Hole, ObjectId, Skeleton, TensorEntry, TensorSpec, as_array

if TYPE_CHECKING:
    import numpy as np
else:
    np = Deferred("numpy")

Buffer = bytes | memoryview
Read = Callable[[ObjectId], Buffer]
#: bytes that are compared at once: they stay in the cache
_PIECE = 1 << 17


def dissect(file: CheckpointFile, take: Callable[[int, Buffer], None]) -> tuple[Skeleton, str]:
    """Skeleton and digest of a file, in one pass, on which ``take`` gets each tensor's number and canonical bytes once.

    The proof that tensors and skeleton give the file again is made on the way: what `assemble` would put into each hole
    is compared with what the file has there, as it is hashed. Raises IntegrityError where these differ.
    """
    hasher = blake3.blake3()
    pieces = []
    taken = set()
    at = 0
    for hole in file.holes:
        pieces.append(file.read_raw(at, hole.offset - at))
        hasher.update(pieces[-1])
        data = file.read(hole.tensor)
        spec = file.tensors[hole.tensor].spec
        inside = memoryview(data) if hole.axes is None else _as_in_file(spec, hole, memoryview(data))
        if inside.nbytes != hole.length or not _lies_there(file, hole.offset, inside, hasher):
            raise not_restorable(file)
        del inside
        if hole.tensor not in taken:
            take(hole.tensor, data)
            taken.add(hole.tensor)
        at = hole.offset + hole.length
    pieces.append(file.read_raw(at, file.size - at))
    hasher.update(pieces[-1])
    for index in range(len(file.tensors)):
        if index not in taken:
            take(index, file.read(index))
    return Skeleton(size=file.size, holes=file.holes, literal=b"".join(pieces)), hasher.hexdigest()


def check_skeleton(file: CheckpointFile, skeleton: Skeleton) -> None:
    """Raises IntegrityError unless a skeleton's bytes are those of the file, and its holes those that were compared."""
    literal = memoryview(skeleton.literal)
    taken = at = 0
    for offset, length in (*((hole.offset, hole.length) for hole in file.holes), (file.size, 0)):
        between = offset - at
        if literal[taken : taken + between] != file.read_raw(at, between):
            raise not_restorable(file)
        taken += between
        at = offset + length
    if (skeleton.size, skeleton.holes, taken) != (file.size, file.holes, len(literal)):
        raise not_restorable(file)


def not_restorable(file: CheckpointFile) -> IntegrityError:
    """Raises ChangedError where that is because the file is no longer what it was."""
    file.verify_unchanged()
    return IntegrityError(
        f"{str(file.path)!r} cannot be restored byte for byte, so it was not committed",
        hint="report this as a defect of mvc, with the file if you can",
        code="not-restorable",
    )


def _lies_there(file: CheckpointFile, offset: int, data: memoryview, hasher: blake3.blake3) -> bool:
    """Whether the file has these bytes at ``offset``; its own are hashed."""
    flat = np.frombuffer(data, dtype=np.uint8)
    same = True
    for start in range(0, flat.size, _PIECE):
        raw = file.read_raw(offset + start, min(_PIECE, flat.size - start))
        hasher.update(raw)
        same = same and np.array_equal(np.frombuffer(raw, dtype=np.uint8), flat[start : start + _PIECE])
    return same


def skeleton_of(file: CheckpointFile) -> Skeleton:
    """The file's bytes with its holes cut out. Reads only what lies between them."""
    pieces = []
    at = 0
    for hole in file.holes:
        pieces.append(file.read_raw(at, hole.offset - at))
        at = hole.offset + hole.length
    pieces.append(file.read_raw(at, file.size - at))
    return Skeleton(size=file.size, holes=file.holes, literal=b"".join(pieces))


def digest_of(file: CheckpointFile) -> str:
    """BLAKE3 of the whole file, hex; reads it once in small pieces."""
    hasher = blake3.blake3()
    for start in range(0, file.size, CHUNK):
        hasher.update(file.read_raw(start, min(CHUNK, file.size - start)))
    return hasher.hexdigest()


def assemble(skeleton: Skeleton, tensors: Sequence[TensorEntry], read: Read) -> Iterator[bytes | memoryview]:
    """The original file, piece by piece in order; at most one tensor is held at a time.

    ``tensors`` are those of the file's manifest entry, ``read`` gives a tensor object's canonical bytes. Raises
    IntegrityError where a hole names no tensor or one of another length.
    """
    literal = memoryview(skeleton.literal)
    taken = 0
    at = 0
    for hole in skeleton.holes:
        between = hole.offset - at
        if between:
            yield literal[taken : taken + between]
            taken += between
        if hole.tensor >= len(tensors):
            raise IntegrityError("a skeleton names a tensor that its file does not have", hint="run: mvc fsck")
        entry = tensors[hole.tensor]
        data = memoryview(read(entry.object))
        if data.nbytes != entry.spec.nbytes or data.nbytes != hole.length:
            raise IntegrityError(f"tensor {printable(entry.name)} does not fit its place", hint="run: mvc fsck")
        yield data if hole.axes is None else _as_in_file(entry.spec, hole, data)
        at = hole.offset + hole.length
    if taken < len(literal):
        yield literal[taken:]


def _as_in_file(spec: TensorSpec, hole: Hole, data: memoryview) -> memoryview:
    axes = hole.axes or ()
    if sorted(axes) != list(range(len(spec.shape))) or DTYPES[spec.dtype].numpy is None:
        raise IntegrityError("a skeleton's axes do not fit its tensor", hint="run: mvc fsck")
    array = as_array(spec, data)
    assert array.size == math.prod(spec.shape)
    return np.ascontiguousarray(array.transpose(axes)).reshape(-1).view(np.uint8).data.toreadonly()
