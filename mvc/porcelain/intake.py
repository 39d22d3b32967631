"""Takes checkpoints into the object database. Owns what is verified before a checkpoint may be committed.

Each tensor is read once and alone. What was stored is read back and joined: its digest must be that of the file, so a
checkpoint that could not be restored byte for byte is never acknowledged. What was put and is not committed afterwards
is garbage that nothing leads to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import blake3

from mvc.errors import ChangedError, IntegrityError
from mvc.formats import CheckpointFile, OpenedCheckpoint, assemble, digest_of, open_checkpoint, skeleton_of
from mvc.geometry import Signature, sign_tensor
from mvc.objects import FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, as_array, tensor_id
from mvc.porcelain.digests import Digests
from mvc.porcelain.facts import points_of
from mvc.porcelain.pointers import Content
from mvc.repository import Repository

#: bytes of signatures that are kept for the index; those beyond are computed again from what is stored
_MEMORY = 1 << 28


@dataclass(frozen=True)
class Taken:
    """One checkpoint. ``added`` are the objects that were not stored before; ``facts`` what the file says itself."""

    path: Path
    recorded: str
    content: Content
    manifest: Manifest | None
    facts: Mapping[str, float]
    added: frozenset[ObjectId]


class Intake:
    """Takes in one command's checkpoints. Needs the repository's lock. ``signatures`` are those of new weights."""

    def __init__(self, repository: Repository, digests: Digests) -> None:
        self.signatures: dict[ObjectId, Signature] = {}
        self._repository, self._digests = repository, digests
        self._room = _MEMORY

    def take(self, path: Path, known: Mapping[Content, object]) -> Taken:
        """Stores a checkpoint; one whose content is ``known`` is only hashed, if at all, and its ``manifest`` is None.

        Raises FormatError and its kin for what is no sound checkpoint, ChangedError where it changed twice.
        """
        content = self._digests.content(path)
        if content is not None and content in known:
            return Taken(path, recorded_path(self._repository, path), content, None, {}, frozenset())
        try:
            return self._take(path, known)
        except ChangedError:
            return self._take(path, known)

    def _take(self, path: Path, known: Mapping[Content, object]) -> Taken:
        with open_checkpoint(path) as opened:
            content = self._content(opened, known)
            recorded = recorded_path(self._repository, path)
            if content in known:
                return Taken(path, recorded, content, None, opened.facts, frozenset())
            points = points_of(opened.specs)
            added: set[ObjectId] = set()
            files = [
                self._take_file(name, file, digest, points, added)
                for (name, file), (_, _, digest) in zip(opened.files, content, strict=True)
            ]
            manifest = Manifest(tuple(files))
            facts = opened.facts
        # only now is it known that nothing changed while it was read
        self._put_record(manifest, added)
        return Taken(path, recorded, content, manifest, facts, frozenset(added))

    def _content(self, opened: OpenedCheckpoint, known: Mapping[Content, object]) -> Content:
        """Files with their digests; what is remembered of them counts only where it is of a ``known`` checkpoint."""
        remembered = [(name, self._digests.known(file.path)) for name, file in opened.files]
        content = tuple((name, *found) for name, found in remembered if found is not None)
        if len(content) == len(opened.files) and content in known:
            return content
        return tuple(
            (name, file.size, self._digests.read(file.path, partial(digest_of, file))) for name, file in opened.files
        )

    def _take_file(
        self, name: str, file: CheckpointFile, digest: str, points: Mapping[str, object], added: set[ObjectId]
    ) -> FileEntry:
        odb = self._repository.odb
        entries = []
        for index, tensor in enumerate(file.tensors):
            data = file.read(index)
            object_id = tensor_id(tensor.spec, data)
            if not odb.contains(object_id):
                added.add(object_id)
                if tensor.role == "weight" and tensor.name in points:
                    self._sign(object_id, sign_tensor(as_array(tensor.spec, data)))
            # put also where it is stored: whoever stored it may not have made it durable yet
            odb.put_tensor(tensor.spec, data)
            entries.append(TensorEntry(tensor.name, object_id, tensor.spec, tensor.role))
        skeleton = skeleton_of(file)
        self._put_record(skeleton, added)
        hasher = blake3.blake3()
        for chunk in assemble(skeleton, entries, lambda object_id: odb.get_tensor(object_id)[1]):
            hasher.update(chunk)
        if hasher.hexdigest() != digest:
            file.verify_unchanged()
            raise IntegrityError(
                f"{str(file.path)!r} cannot be restored byte for byte, so it was not committed",
                hint="report this as a defect of mvc, with the file if you can",
                code="not-restorable",
            )
        return FileEntry(name, file.format, file.size, digest, skeleton.id, tuple(entries))

    def _put_record(self, record: Manifest | Skeleton, added: set[ObjectId]) -> None:
        if not self._repository.odb.contains(record.id):
            added.add(record.id)
        self._repository.put(record)

    def _sign(self, object_id: ObjectId, signature: Signature) -> None:
        if signature.values.nbytes <= self._room:
            self._room -= signature.values.nbytes
            self.signatures[object_id] = signature


def recorded_path(repository: Repository, path: Path) -> str:
    """A path as commits record it: relative to the working directory where it is inside."""
    absolute = Path(os.path.abspath(path))
    root = Path(os.path.abspath(repository.root))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)
