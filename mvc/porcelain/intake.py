"""Takes checkpoints into the object database. Owns what is verified before a checkpoint may be committed.

A file is read in one pass, a few tensors in memory. A checkpoint that could not be restored byte for byte is never
acknowledged: `mvc.formats.dissect` compares what skeleton and tensors put together with the file's own bytes while it
hashes them, every tensor that is stored is read back and hashed to its id, and the skeleton is held against the file.
A tensor that is stored already was read back when it was: neither it nor what others are to rest on is decoded again
where its bytes are at hand, in memory or in the file that it came from (`mvc.porcelain.nearby`). What was put and is
not committed afterwards is garbage that nothing leads to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from mvc.errors import ChangedError
from mvc.formats import CheckpointFile, OpenedCheckpoint, check_skeleton, digest_of, dissect, open_checkpoint
from mvc.geometry import Signature, sign_tensor
from mvc.objects import FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, TensorSpec, as_array, tensor_id
from mvc.odb import Lanes
from mvc.porcelain.bases import Bases, Hints
from mvc.porcelain.digests import Digests
from mvc.porcelain.facts import points_of
from mvc.porcelain.pointers import Content
from mvc.porcelain.seen import Seen, SeenStep
from mvc.repository import Repository
from mvc.repository.reach import is_whole


@dataclass(frozen=True)
class Taken:
    """One checkpoint. ``added`` are the objects that were not stored before; ``facts`` what the file says itself.
    ``manifest`` is None where its content is committed already."""

    path: Path
    recorded: str
    content: Content
    manifest: Manifest | None
    facts: Mapping[str, float]
    added: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class _Put:
    """A tensor that is stored: whether it was not before, and what was found out about it."""

    id: ObjectId
    new: bool
    signature: Signature | None = None
    step: SeenStep | None = None


class Intake:
    """Takes in one command's checkpoints. Needs the repository's lock. ``seen`` is what it found out on the way.

    A context manager, whose threads end with it.
    """

    def __init__(self, repository: Repository, digests: Digests, bases: Bases) -> None:
        self.seen = Seen()
        self._repository, self._digests, self._bases = repository, digests, bases
        self._lanes = Lanes(threaded=repository.fs.sync_threads > 0)
        self._gone = repository.state().gone
        #: where something was lost: tensors on which others rest that are stored
        self._awaited: frozenset[ObjectId] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lanes.__exit__(None, None, None)

    def take(self, path: Path, known: Mapping[Content, ObjectId]) -> Taken:
        """Stores a checkpoint. One whose content is that of a ``known`` commit is only hashed, if at all, and what was
        lost of it is stored again.

        Raises FormatError and its kin for what is no sound checkpoint, ChangedError where it changed twice.
        """
        content = self._digests.content(path)
        if content is not None and self._stands(content, known):
            return Taken(path, recorded_path(self._repository, path), content, None, {}, frozenset())
        try:
            return self._take(path, known)
        except ChangedError:
            return self._take(path, known)

    def _take(self, path: Path, known: Mapping[Content, ObjectId]) -> Taken:
        with open_checkpoint(path) as opened:
            remembered = [(name, self._digests.known(file.path)) for name, file in opened.files]
            content: Content = tuple((name, *found) for name, found in remembered if found is not None)
            recorded = recorded_path(self._repository, path)
            if len(content) == len(opened.files) and self._stands(content, known):
                return Taken(path, recorded, content, None, opened.facts, frozenset())
            if self._gone and self._may_be(opened, [item for item, commit in known.items() if commit in self._gone]):
                # what was given up is not to be stored before that is known
                content = self._hashed(opened)
                if self._stands(content, known):
                    return Taken(path, recorded, content, None, opened.facts, frozenset())
            points = points_of(opened.specs)
            if self._awaited is None and (content in known or any(self._repository.layout.quarantine.glob("*"))):
                self._awaited = self._repository.odb.chains.awaited(self._repository.odb.ids())
            hints = self._bases.choose(opened)
            if self._bases.familiar and self._may_be(opened, known):
                content = self._hashed(opened)
                if self._stands(content, known):
                    return Taken(path, recorded, content, None, opened.facts, frozenset())
            added: set[ObjectId] = set()
            files = [(name, file, *self._take_file(file, points, hints, added)) for name, file in opened.files]
            content = tuple((name, file.size, digest) for name, file, _, digest, _ in files)
            if self._stands(content, known):
                return Taken(path, recorded, content, None, opened.facts, frozenset(added))
            for _, _, skeleton, _, _ in files:
                self._put_record(skeleton, added)
            manifest = Manifest(
                tuple(
                    FileEntry(name, file.format, file.size, digest, skeleton.id, entries)
                    for name, file, skeleton, digest, entries in files
                )
            )
            facts = opened.facts
        # only now is it known that nothing changed while it was read
        self._put_record(manifest, added)
        if content in known:
            return Taken(path, recorded, content, None, facts, frozenset(added))
        self._bases.took(manifest)
        return Taken(path, recorded, content, manifest, facts, frozenset(added))

    def _take_file(
        self, file: CheckpointFile, points: Mapping[str, object], hints: Hints, added: set[ObjectId]
    ) -> tuple[Skeleton, str, tuple[TensorEntry, ...]]:
        """Skeleton, digest and tensors of a file, these stored."""
        puts: dict[int, Future[_Put]] = {}

        def take(index: int, data: bytes | memoryview) -> None:
            tensor = file.tensors[index]
            signed = tensor.role == "weight" and tensor.name in points
            bases = hints.get((tensor.role, tensor.name), ())
            puts[index] = self._lanes.run(len(data), self._take_tensor, tensor.spec, data, bases, signed)

        try:
            with self._digests.looking_at(file.path) as remember:
                skeleton, digest = dissect(file, take)
                remember(digest)
        except FileNotFoundError:
            raise ChangedError(f"{str(file.path)!r} vanished while it was read", hint="name what is there") from None
        check_skeleton(file, skeleton)
        entries = []
        for index, tensor in enumerate(file.tensors):
            put = puts.pop(index).result()
            if put.new:
                added.add(put.id)
            if put.signature is not None:
                self.seen.sign(put.id, put.signature)
            if put.step is not None:
                self.seen.add(put.id, put.step)
            entries.append(TensorEntry(tensor.name, put.id, tensor.spec, tensor.role))
        return skeleton, digest, tuple(entries)

    def _take_tensor(self, spec: TensorSpec, data: bytes | memoryview, bases: Sequence[ObjectId], signed: bool) -> _Put:
        """Stores a tensor, reads it back, and finds out about one that is ``signed`` what the index will ask.

        What it rests on is decoded once for all three. It is nearly always the tensor as it was at the point before.
        """
        odb = self._repository.odb
        object_id = tensor_id(spec, data)
        before = bases[0] if bases else None
        if odb.keep(object_id):
            if not signed or before != object_id:
                return _Put(object_id, False)
            values = as_array(spec, data)
            return _Put(object_id, False, step=SeenStep.of(object_id, values, values))
        with odb.chains.holding(nearest=signed) as held:
            odb.put_tensor(spec, data, bases=() if object_id in (self._awaited or ()) else bases)
            odb.verify(object_id)
            if not signed:
                return _Put(object_id, True)
            values = as_array(spec, data)
            signature = self._bases.signatures.get(object_id) or sign_tensor(values)
            if before is None or before not in held:
                return _Put(object_id, True, signature)
            return _Put(object_id, True, signature, SeenStep.of(before, as_array(spec, held[before]), values))

    def _may_be(self, opened: OpenedCheckpoint, contents: Iterable[Content]) -> bool:
        """Whether it is worth hashing first: its files are as large as those of one of these."""
        sizes = tuple((name, file.size) for name, file in opened.files)
        return any(tuple((name, size) for name, size, _ in content) == sizes for content in contents)

    def _hashed(self, opened: OpenedCheckpoint) -> Content:
        """Its content, nothing of which is stored."""
        return tuple(
            (name, file.size, self._digests.read(file.path, partial(digest_of, file))) for name, file in opened.files
        )

    def _stands(self, content: Content, known: Mapping[Content, ObjectId]) -> bool:
        """Whether this is committed, and nothing of it was lost but what was given up."""
        commit = known.get(content)
        return commit is not None and (commit in self._gone or is_whole(self._repository, commit))

    def _put_record(self, record: Manifest | Skeleton, added: set[ObjectId]) -> None:
        if not self._repository.odb.contains(record.id):
            added.add(record.id)
        self._repository.put(record)


def recorded_path(repository: Repository, path: Path) -> str:
    """A path as commits record it: relative to the working directory where it is inside."""
    absolute = Path(os.path.abspath(path))
    root = Path(os.path.abspath(repository.root))
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)
