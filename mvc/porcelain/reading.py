"""What the reading verbs share: what is known of models, and trajectories across forks. Owns both views.

Everything inferred comes from `log`, everything stored from the repository; nothing is computed on weights but the
signatures of files that nobody committed.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from mvc.deferred import Deferred
from mvc.geometry import Signature, architecture_of, sign_tensor, trainable
from mvc.objects import Checkpoint, ObjectId, TensorSpec, read_array
from mvc.porcelain.log import log
from mvc.porcelain.points import Point, joined, read_points
from mvc.porcelain.progress import Report, counted, silent
from mvc.porcelain.results.logs import LogCommit, LogLineage
from mvc.porcelain.workspace import Workspace

if TYPE_CHECKING:
    import mvc.trajectory as trajectories
    import mvc.trajectory.likeness as likeness
else:
    trajectories, likeness = Deferred("mvc.trajectory"), Deferred("mvc.trajectory.likeness")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Model:
    """What is known of one model without its values: spec, object and signature of every weight, by name.

    Only trainable tensors have signatures.
    """

    specs: Mapping[str, TensorSpec]
    objects: Mapping[str, ObjectId]
    signatures: Mapping[str, Signature]

    @cached_property
    def architecture(self) -> str:
        return architecture_of(self.specs).id

    @cached_property
    def vector(self) -> npt.NDArray[np.float32]:
        """Signatures in the order of the architecture's names, joined."""
        return joined(self.signatures)

    def blocks(self) -> tuple[trajectories.Block, ...]:
        """Where each tensor's signature lies in ``vector``."""
        return trajectories.lay_out((name, self.specs[name].shape) for name in sorted(self.signatures))


def read_model(checkpoint: Checkpoint, progress: Report = silent) -> Model:
    """The model of a checkpoint that the index does not know: reads every weight."""
    points = trainable(checkpoint.specs)
    objects, signatures = {}, {}
    for name in counted(list(checkpoint.specs), progress):
        objects[name] = checkpoint.object_id(name)
        if name in points:
            signatures[name] = sign_tensor(read_array(checkpoint, name))
    return Model(checkpoint.specs, objects, signatures)


class History:
    """All lineages as `log` tells them, and the models of their commits, each read once."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.lineages: Sequence[LogLineage] = log(workspace).lineages
        self._places = {commit.id: (row, i) for row in self.lineages for i, commit in enumerate(row.commits)}
        self._models: dict[str, Model] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._points: dict[str, Point] = {}
        self._answers: dict[Hashable, object] = {}

    def remembered(self, question: Hashable, answer: Callable[[], Answer]) -> Answer:
        """What ``answer`` gives, asked once for each question: of a lineage, not of each of its commits."""
        if question not in self._answers:
            self._answers[question] = answer()
        return self._answers[question]  # type: ignore[return-value]

    def checkpoint(self, commit_id: str) -> Checkpoint:
        """The weights of a commit, its manifest read once."""
        if commit_id not in self._checkpoints:
            self._checkpoints[commit_id] = self.workspace.repository.checkpoint(ObjectId(commit_id))
        return self._checkpoints[commit_id]

    def lineage(self, commit_id: str) -> LogLineage | None:
        """The lineage that a commit stands in; None for a commit without trainable tensors."""
        place = self._places.get(commit_id)
        return None if place is None else place[0]

    def placed(self, commit_id: str) -> LogCommit | None:
        place = self._places.get(commit_id)
        return None if place is None else place[0].commits[place[1]]

    def sources(self, commit_id: str) -> Mapping[str, float]:
        """What a commit was made of, with weights: the commits that it is an average of, or the one it went on from.

        That is the one before it in its lineage, or where that forked from, whatever its architecture; {} of a root.
        """
        place = self._places.get(commit_id)
        if place is None:
            return {}
        row, index = place
        mixture = {part.commit: part.weight for part in row.commits[index].mixture}
        if mixture and mixture.keys() <= self._places.keys():
            return mixture
        if index:
            return {row.commits[index - 1].id: 1.0}
        origin = None if row.forked_from is None else row.forked_from.commit
        return {origin: 1.0} if origin is not None and origin in self._places else {}

    def trajectory(self, commit_id: str) -> tuple[LogCommit, ...]:
        """From the root to the commit, back across forks; empty where it stands in no lineage."""
        path: list[LogCommit] = []
        seen: set[str] = set()
        at: str | None = commit_id
        while at is not None and at in self._places and at not in seen:
            seen.add(at)
            row, index = self._places[at]
            path.extend(reversed(row.commits[: index + 1]))
            at = self._origin(row)
        return tuple(reversed(path))

    def own_past(self, commit_id: str) -> tuple[LogCommit, ...]:
        """What a commit is judged by: its lineage up to and including it, after the point that the lineage forked from.

        The host's steps before a fork say nothing of the steps after it: other data, another learning rate.
        """
        if commit_id not in self._places:
            return ()
        row, index = self._places[commit_id]
        origin = self._origin(row)
        placed = None if origin is None else self.placed(origin)
        return (*(() if placed is None else (placed,)), *row.commits[: index + 1])

    def descendants(self, commit_id: str) -> set[str]:
        """The commit, what follows it in its lineage, and every lineage that left from there."""
        row, index = self._places[commit_id]
        found = {commit.id for commit in row.commits[index:]}
        growing = True
        while growing:
            left = [
                other for other in self.lineages if self._origin(other) in found and other.commits[0].id not in found
            ]
            found.update(commit.id for other in left for commit in other.commits)
            growing = bool(left)
        return found

    def connected(self, lineages: Iterable[LogLineage]) -> list[LogLineage]:
        """These lineages and all that forks join to them, in the log's order."""
        hosts = {row.id: home for row in self.lineages if (home := self._host(row)) is not None}
        wanted = {row.id for row in lineages}
        size = 0
        while size < len(wanted):
            size = len(wanted)
            wanted |= {guest for guest, host in hosts.items() if host in wanted}
            wanted |= {host for guest, host in hosts.items() if guest in wanted}
        return [row for row in self.lineages if row.id in wanted]

    def _host(self, row: LogLineage) -> str | None:
        origin = self._origin(row)
        host = None if origin is None else self.lineage(origin)
        return None if host is None else host.id

    def median_step(self, commit_id: str) -> float | None:
        """Median distance between neighbours of the commit's lineage; of the parent's where it is too short."""
        row = self.lineage(commit_id)
        while row is not None:
            steps = [c.distance for i, c in enumerate(row.commits) if i and c.distance is not None]
            if steps:
                return statistics.median(steps)
            origin = self._origin(row)
            row = None if origin is None else self.lineage(origin)
        return None

    def _origin(self, row: LogLineage) -> str | None:
        """Where a lineage forked from; not where that has another architecture: distances are none between those."""
        if row.forked_from is None:
            return None
        host = self.lineage(row.forked_from.commit)
        return row.forked_from.commit if host is not None and host.architecture == row.architecture else None

    def model(self, commit_id: str) -> Model:
        """The model of a commit, from its manifest and the index."""
        return self.models([commit_id])[0]

    def models(self, commits: Iterable[str]) -> list[Model]:
        """Models of these commits, in order; the index is asked once for all that are not known yet."""
        wanted = list(commits)
        repository = self.workspace.repository
        entries = {
            commit: repository.manifest(repository.commit(ObjectId(commit)).manifest).weights
            for commit in dict.fromkeys(wanted)
            if commit not in self._models
        }
        specs = {commit: {name: entry.spec for name, entry in found.items()} for commit, found in entries.items()}
        points = {commit: trainable(found) for commit, found in specs.items()}
        tensors = {entries[commit][name].object for commit in entries for name in points[commit]}
        known = self.workspace.signatures(tensors) if tensors else {}
        for commit, found in entries.items():
            objects = {name: entry.object for name, entry in found.items()}
            signatures = {name: known[objects[name]] for name in points[commit] if objects[name] in known}
            self._models[commit] = Model(specs[commit], objects, signatures)
        return [self._models[commit] for commit in wanted]

    def points(self, commits: Iterable[str]) -> list[Point]:
        """Points of these commits, which lineages have, in order: from the index alone, no manifest is read."""
        wanted = list(commits)
        missing = [commit for commit in dict.fromkeys(wanted) if commit not in self._points]
        if missing:
            self._points |= self.workspace.look_up(lambda reader: read_points(reader, missing))
        return [self._points[commit] for commit in wanted]

    def alike(self, model: Model) -> Iterable[LogLineage]:
        """Lineages of the same architecture."""
        return (row for row in self.lineages if row.architecture == model.architecture and row.commits)

    def same(self, model: Model) -> str | None:
        """The commit that has exactly these weights, if there is one."""
        commits = [commit.id for row in self.alike(model) for commit in row.commits]
        return next(self.equal(model, commits), None)

    def equal(self, model: Model, commits: Sequence[str]) -> Iterator[str]:
        """Of these commits, of the model's architecture, those that have exactly these weights."""
        for commit, known in zip(commits, self.points(commits), strict=True):
            # few have these trainable tensors, so few manifests are read
            if known.objects.items() <= model.objects.items() and self.model(commit).objects == model.objects:
                yield commit

    def nearest_tip(self, model: Model) -> LogCommit | None:
        """The tip of the lineage that a model would go on from: the likest one, whatever happened to some tensor."""
        tips = [row.commits[-1] for row in self.alike(model)]
        vectors = [known.vector for known in self.points(tip.id for tip in tips)]
        if not vectors:
            return None
        away = likeness.unlikeness(np.stack(vectors), model.vector, model.blocks()).tolist()
        return min(zip(away, tips, strict=True), key=lambda pair: (pair[0], pair[1].id))[1]


def signature_distance(a: Model | Point, b: Model | Point) -> float:
    """Distance as the signatures have it; infinite between different architectures."""
    if a.vector.size != b.vector.size:
        return float("inf")
    return float(np.linalg.norm(a.vector.astype(np.float64) - b.vector.astype(np.float64)))
