"""Checkpoints that still lie where they were committed from. Owns reading tensors from there, where decoding them would
take longer: a tensor may rest on ten others, and the file that it came from has it as it is.

Nothing rests on what is found: the object database hashes it. Which files are looked into is a matter of time alone:
those that are as mvc saw them last, by their `Digests`.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mvc.errors import MvcError
from mvc.formats import INDEX_SUFFIX, OpenedCheckpoint, open_checkpoint
from mvc.index import CommitRow, Connection, FileRow, chunked, select
from mvc.objects import Manifest, ObjectId, TensorSpec
from mvc.porcelain.digests import Digests
from mvc.porcelain.workspace import Workspace

#: newest commits whose files are looked for
_NEWEST = 64
#: checkpoints that are open at once
_OPEN = 4


@dataclass(frozen=True, slots=True)
class _Lying:
    """A checkpoint's files as they were committed: name in the checkpoint → size and digest. None of one whose place
    the caller told, which has changed nothing there."""

    path: Path
    manifest: ObjectId
    files: Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class _Place:
    """One tensor of one file of a checkpoint."""

    lying: _Lying
    file: str
    index: int
    spec: TensorSpec


class Nearby:
    """Tensors of the newest commits by their ids, as far as their files are there. Safe to share between threads."""

    def __init__(self, workspace: Workspace, digests: Digests, lying: Mapping[str, Path]) -> None:
        self._repository, self._digests = workspace.repository, digests
        self._mutex = threading.Lock()
        self._waiting = iter(workspace.read(lambda connection: _newest(connection, workspace.repository.root, lying)))
        self._places: dict[ObjectId, _Place] = {}
        self._opened: OrderedDict[Path, OpenedCheckpoint] = OrderedDict()

    def find(self, tensor: ObjectId) -> bytes | memoryview | None:
        """What should be a tensor's canonical bytes, not checked; None where no file is known to hold it."""
        with self._mutex, contextlib.suppress(MvcError, OSError, ValueError):
            while tensor not in self._places:
                lying = next(self._waiting, None)
                if lying is None:
                    return None
                self._look_into(lying)
            return self._read(self._places[tensor])
        return None

    def took(self, path: Path, manifest: Manifest) -> None:
        """A checkpoint that was stored just now lies there."""
        with self._mutex:
            files = {file.path: (file.size, file.digest) for file in manifest.files}
            self._add(_Lying(path, manifest.id, files), manifest)

    def close(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def _look_into(self, lying: _Lying) -> None:
        if self._unchanged(lying):
            with contextlib.suppress(MvcError):  # a damaged manifest tells nothing
                self._add(lying, self._repository.manifest(lying.manifest))

    def _add(self, lying: _Lying, manifest: Manifest) -> None:
        for file in manifest.files:
            for index, entry in enumerate(file.tensors):
                self._places.setdefault(entry.object, _Place(lying, file.path, index, entry.spec))

    def _unchanged(self, lying: _Lying) -> bool:
        """Whether all files seem to be as they were when they were committed."""
        home = lying.path.parent if lying.path.name.endswith(INDEX_SUFFIX) else lying.path
        try:
            return all(self._digests.likely(home / name) == known for name, known in lying.files.items())
        except (OSError, ValueError):
            return False

    def _read(self, place: _Place) -> bytes | memoryview | None:
        path = place.lying.path
        opened = self._opened.pop(path, None)
        if opened is None:
            if not self._unchanged(place.lying):
                return None
            opened = open_checkpoint(path)
        self._opened[path] = opened
        if len(self._opened) > _OPEN:
            self._opened.popitem(last=False)[1].close()
        file = dict(opened.files).get(place.file)
        if file is None or place.index >= len(file.tensors) or file.tensors[place.index].spec != place.spec:
            return None
        return file.read(place.index)


@contextlib.contextmanager
def looking_nearby(workspace: Workspace, digests: Digests, lying: Mapping[str, Path]) -> Iterator[Nearby]:
    """Within, this repository's tensors are read from the files that they came from, where those are there. ``lying``
    says of commits where their checkpoints are, if not where they are recorded."""
    nearby = Nearby(workspace, digests, lying)
    with contextlib.closing(nearby), workspace.repository.odb.chains.looking(nearby.find):
        yield nearby


def _newest(connection: Connection, root: Path, elsewhere: Mapping[str, Path]) -> list[_Lying]:
    commit, file = CommitRow.TABLE.c, FileRow.TABLE.c
    query = select(commit.id, commit.path, commit.manifest).order_by(commit.arrival.desc()).limit(_NEWEST)
    found = list(connection.execute(query))
    files: dict[str, dict[str, tuple[int, str]]] = defaultdict(dict)
    for piece in chunked(ObjectId(manifest) for _, _, manifest in found):
        rows = select(file.manifest, file.path, file.size, file.digest).where(file.manifest.in_(piece))
        for manifest, name, size, digest in connection.execute(rows):
            files[manifest][name] = size, digest
    known = [
        (elsewhere.get(commit_id), root / path, manifest) for commit_id, path, manifest in found if manifest in files
    ]
    return [
        _Lying(there or path, ObjectId(manifest), {} if there else files[manifest]) for there, path, manifest in known
    ]
