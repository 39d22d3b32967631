"""Which earlier checkpoints a new one is most like, so that it can be stored as its difference from them. Owns the
choice, by sketches that the index has; reads no weights but a few tensors of the new one.

A bad choice costs space, never correctness: the object database measures what a base saves before it uses it, and needs
nothing but tensors of the same name, dtype and shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.errors import IntegrityError
from mvc.formats import OpenedCheckpoint
from mvc.geometry import Signature, architecture_of, sign_tensor
from mvc.index import ArchitectureRow, CommitRow, Connection, select
from mvc.objects import Manifest, ObjectId, TensorSpec, as_array
from mvc.porcelain.facts import points_of
from mvc.porcelain.forest import read_tensors
from mvc.porcelain.signatures import read_signatures
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

#: newest commits of an architecture that are looked at
_NEWEST = 256
#: tensors of a checkpoint that are compared, and the numbers that each may have
_PROBES, _SMALLEST, _LARGEST = 3, 1 << 6, 1 << 20
#: candidates, nearest first, of which one is taken whose dtypes are the same
_TRIED = 8
#: near checkpoints that a repacked one is tried with
_LATE = 3

Vector = npt.NDArray[np.float32]
#: tensors of a checkpoint by role and name
Named = Mapping[tuple[str, str], ObjectId]
#: the same for several checkpoints, best first
Hints = Mapping[tuple[str, str], tuple[ObjectId, ...]]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A checkpoint that is stored: what its tensors that are compared look like, and where all of them are."""

    vector: Vector
    probes: tuple[ObjectId, ...]
    manifest: ObjectId | Manifest


@dataclass(slots=True)
class _Architecture:
    """``probes``: names of the tensors that are compared. ``candidates``: newest first."""

    probes: tuple[str, ...]
    candidates: list[_Candidate]


class Bases:
    """Answers for one command's checkpoints, one after another; earlier ones of the command are candidates, too.

    ``signatures`` are those that were computed for the checkpoint at hand, by tensor id; ``familiar`` says that all of
    its tensors that were looked at are stored, so that it may well be known.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._odb = workspace.repository.odb
        self._known: dict[str, _Architecture] = {}
        self._named: dict[ObjectId, Named] = {}
        self._last: ObjectId | Manifest | None = workspace.read(_newest)
        self._present: tuple[_Architecture, Vector, tuple[ObjectId, ...]] | None = None
        self.signatures: dict[ObjectId, Signature] = {}
        self.familiar = False

    def choose(self, opened: OpenedCheckpoint) -> Hints:
        """(role, name) → stored tensors that it may rest on, best first, for a checkpoint that is about to be stored.

        First those of the nearest checkpoint; then those of the one that, with it, predicts the new one best: the one
        before on its way, or the other source of an average. Names without any are left out.
        """
        self._present = None
        self.signatures = {}
        self.familiar = False
        points = points_of(opened.specs)
        if not points:
            return {}
        known = self._architecture(points)
        probes = tuple(opened.object_id(name) for name in known.probes)
        self.familiar = all(map(self._odb.contains, probes))
        for name, tensor in zip(known.probes, probes, strict=True):
            if tensor not in self.signatures:
                self.signatures[tensor] = sign_tensor(as_array(points[name], opened.read(name)))
        vector = _joined(self.signatures, probes)
        self._present = known, vector, probes
        nearest: list[ObjectId | Manifest] = [one.manifest for one in self._nearest(known, vector, points)]
        if not nearest and self._last is not None:  # another architecture may have some tensors like these
            nearest = [self._last]
        chosen = [self._tensors(manifest) for manifest in nearest]
        names = {key for tensors in chosen for key in tensors}
        return {key: tuple(tensors[key] for tensors in chosen if key in tensors) for key in names}

    def took(self, manifest: Manifest) -> None:
        """The checkpoint that was last asked for is stored: those that follow may rest on it."""
        self._last = manifest
        if self._present is not None:
            known, vector, probes = self._present
            known.candidates.insert(0, _Candidate(vector, probes, manifest))
            del known.candidates[_NEWEST:]

    def _architecture(self, points: Mapping[str, TensorSpec]) -> _Architecture:
        key = architecture_of(points).id
        if key not in self._known:
            probes = _probes({name: spec.numel for name, spec in points.items()})
            places = [list(points).index(name) for name in probes]
            self._known[key] = _Architecture(
                probes, self._workspace.read(lambda connection: _candidates(connection, key, places))
            )
        return self._known[key]

    def _nearest(self, known: _Architecture, vector: Vector, points: Mapping[str, TensorSpec]) -> list[_Candidate]:
        """None, one or two candidates."""
        if not known.candidates:
            return []
        specs = [points[name] for name in known.probes]
        vectors = np.stack([candidate.vector for candidate in known.candidates])  # [m, k]
        order = _by_distance(vectors, vector)[:_TRIED]
        first = next((place for place in order if self._alike(known.candidates[place], specs)), None)
        if first is None:
            return []
        gainful = _by_gain(vectors, vector, first)[:_TRIED]
        second = next((place for place in gainful if self._alike(known.candidates[place], specs)), None)
        return [known.candidates[place] for place in (first, second) if place is not None]

    def _alike(self, candidate: _Candidate, specs: list[TensorSpec]) -> bool:
        try:
            return [self._odb.spec_of(tensor) for tensor in candidate.probes] == specs
        except IntegrityError:
            return False

    def _tensors(self, manifest: ObjectId | Manifest) -> Named:
        if isinstance(manifest, str):
            if manifest not in self._named:
                try:
                    self._named[manifest] = _named(self._workspace.repository.manifest(manifest))
                except IntegrityError:
                    self._named[manifest] = {}
            return self._named[manifest]
        return _named(manifest)


def _by_distance(vectors: Vector, vector: Vector) -> list[int]:
    """Rows of ``vectors`` (m, k), nearest to ``vector`` first."""
    found: list[int] = np.argsort(((vectors - vector) ** 2).sum(1), kind="stable").tolist()
    return found


def _by_gain(vectors: Vector, vector: Vector, first: int) -> list[int]:
    """Rows that tell with ``first`` where ``vector`` is, best first: it is predicted to be ``first`` and a share of the
    way from the row to it. Sketches are linear, so what that leaves can be seen in them."""
    missing = vector - vectors[first]
    moves = vectors[first] - vectors
    lengths, along = (moves**2).sum(1), moves @ missing
    share = np.clip(np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0), -0.5, 1)
    gain = 2 * share * along - share**2 * lengths  # of the squared distance
    return [place for place in np.argsort(-gain, kind="stable").tolist() if gain[place] > 0]


def _candidates(connection: Connection, architecture: str, places: list[int]) -> list[_Candidate]:
    """The newest commits of an architecture of which the index has what is compared."""
    newest = CommitRow.pick(
        connection, "content", "manifest", architecture=architecture, ordered_by=("-arrival",), most=_NEWEST
    )
    manifests: dict[str, ObjectId] = {}
    for content, manifest in newest:
        manifests.setdefault(content, manifest)
    tensors = read_tensors(connection, list(manifests))
    found = {
        content: (manifest, tuple(tensors[content][place] for place in places))
        for content, manifest in manifests.items()
    }
    signatures = read_signatures(connection, {tensor for _, probes in found.values() for tensor in probes})
    return [
        _Candidate(_joined(signatures, probes), probes, manifest)
        for manifest, probes in found.values()
        if signatures.keys() >= set(probes)
    ]


def _newest(connection: Connection) -> ObjectId | None:
    commit = CommitRow.TABLE.c
    found: ObjectId | None = connection.execute(
        select(commit.manifest).order_by(commit.arrival.desc()).limit(1)
    ).scalar()
    return found


def _probes(sizes: Mapping[str, int]) -> tuple[str, ...]:
    """Names of a few tensors, from the first to the last, that are neither tiny nor slow to read."""
    fit = [name for name, numel in sizes.items() if _SMALLEST <= numel <= _LARGEST] or list(sizes)
    return tuple(dict.fromkeys(fit[place] for place in np.linspace(0, len(fit) - 1, _PROBES).astype(int).tolist()))


def _joined(signatures: Mapping[ObjectId, Signature], tensors: tuple[ObjectId, ...]) -> Vector:
    return np.concatenate([signatures[tensor].values for tensor in tensors])


def _named(manifest: Manifest) -> Named:
    return {(entry.role, entry.name): entry.object for file in manifest.files for entry in file.tensors}


class LateBases:
    """What stored tensors may rest on now that more is known than when they were stored, for who repacks them."""

    def __init__(self, workspace: Workspace) -> None:
        self._found: dict[ObjectId, tuple[ObjectId, ...]] = {}
        repository = workspace.repository
        for candidates in workspace.read(_of_every_architecture):
            self._match(repository, candidates)

    def of(self, tensor: ObjectId) -> tuple[ObjectId, ...]:
        """Best first."""
        return self._found.get(tensor, ())

    def _match(self, repository: Repository, candidates: list[_Candidate]) -> None:
        tensors = []
        for candidate in candidates:
            assert isinstance(candidate.manifest, str)
            try:
                tensors.append(_named(repository.manifest(candidate.manifest)))
            except IntegrityError:
                tensors.append({})
        if not candidates:
            return
        vectors = np.stack([candidate.vector for candidate in candidates])  # [m, k]
        for place, own in enumerate(tensors):
            near = [other for other in _by_distance(vectors, vectors[place]) if other != place][:_LATE]
            along = _by_gain(vectors, vectors[place], near[0]) if near else []
            chosen = dict.fromkeys((*near[:1], *[other for other in along if other != place][:1], *near[1:]))
            for key, tensor in own.items():
                others = dict.fromkeys(tensors[one][key] for one in chosen if key in tensors[one])
                self._found.setdefault(tensor, tuple(other for other in others if other != tensor))


def _of_every_architecture(connection: Connection) -> list[list[_Candidate]]:
    found = []
    for row in ArchitectureRow.select(connection):
        sizes = {name: math.prod(shape) for name, shape in row.names}
        if sizes:
            found.append(_candidates(connection, row.id, [list(sizes).index(name) for name in _probes(sizes)]))
    return found
