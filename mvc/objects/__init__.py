"""Vocabulary: pure values, each with one canonical byte form. Imports nothing of mvc but its errors and what defers
NumPy."""

from mvc.objects.checkpoint import Checkpoint, read_array
from mvc.objects.commits import EMBEDDER, GONE, Commit, Memory, Operation
from mvc.objects.ids import KINDS, Kind, ObjectId, hash_object, object_header, parse_object_id
from mvc.objects.manifest import ROLES, FileEntry, Manifest, Role, TensorEntry
from mvc.objects.reach import KEYFRAME, MAX_BASES
from mvc.objects.skeleton import Hole, Skeleton
from mvc.objects.tensors import DTYPES, DType, TensorSpec, as_array, tensor_id

__all__ = [
    "DTYPES",
    "EMBEDDER",
    "GONE",
    "KEYFRAME",
    "KINDS",
    "MAX_BASES",
    "ROLES",
    "Checkpoint",
    "Commit",
    "DType",
    "FileEntry",
    "Hole",
    "Kind",
    "Manifest",
    "Memory",
    "ObjectId",
    "Operation",
    "Role",
    "Skeleton",
    "TensorEntry",
    "TensorSpec",
    "as_array",
    "hash_object",
    "object_header",
    "parse_object_id",
    "read_array",
    "tensor_id",
]
