"""A file taken apart and put together again. Owns cutting a skeleton and joining it with its tensors.

Refuses tensors that do not fit their holes (IntegrityError); never writes a file itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import blake3
import numpy as np

from mvc.errors import IntegrityError
from mvc.formats.base import CheckpointFile
from mvc.formats.source import CHUNK, printable
from mvc.objects import DTYPES, Hole, ObjectId, Skeleton, TensorEntry, TensorSpec, as_array

Read = Callable[[ObjectId], bytes | memoryview]


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
