"""A repository's small objects: put and read as what they say. Owns which kind of object each is stored as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from mvc.objects import Commit, Manifest, Memory, ObjectId, Operation, Skeleton

if TYPE_CHECKING:
    from mvc.odb import ObjectDatabase


class Records(ABC):
    """The records in an object database. Every read is hashed, and refused where it is not what it should be."""

    @property
    @abstractmethod
    def odb(self) -> ObjectDatabase:
        """The objects."""

    def operation(self, operation_id: ObjectId) -> Operation:
        """Raises IntegrityError where it is missing or damaged."""
        return Operation.from_payload(self.odb.get("operation", operation_id))

    def put(self, record: Commit | Manifest | Skeleton | Memory) -> ObjectId:
        """Stores a small object and returns its id. It counts once an operation leads to it. Raises IntegrityError for
        a commit that could not be read again: what is declared in one comes from anywhere."""
        if isinstance(record, Commit):
            payload = record.to_payload()
            Commit.from_payload(payload)
            return self.odb.put("commit", payload)
        if isinstance(record, Manifest):
            return self.odb.put("manifest", record.to_payload())
        if isinstance(record, Memory):
            return self.odb.put("memory", record.to_payload())
        return self.odb.put("skeleton", record.to_payload())

    def commit(self, commit_id: ObjectId) -> Commit:
        """Raises IntegrityError where it is missing or damaged."""
        return Commit.from_payload(self.odb.get("commit", commit_id))

    def manifest(self, manifest_id: ObjectId) -> Manifest:
        """Raises IntegrityError where it is missing or damaged."""
        return Manifest.from_payload(self.odb.get("manifest", manifest_id))

    def skeleton(self, skeleton_id: ObjectId) -> Skeleton:
        """Raises IntegrityError where it is missing or damaged."""
        return Skeleton.from_payload(self.odb.get("skeleton", skeleton_id))

    def memory(self, memory_id: ObjectId) -> Memory:
        """Raises IntegrityError where it is missing or damaged."""
        return Memory.from_payload(self.odb.get("memory", memory_id))
