"""Commits that give up their tensors: the proposal, and carrying it out. Owns which tensors that are.

A tensor that a commit with all its tensors has, too, stays. A commit that so would give up nothing is left as it is,
and so is one whose tensors would free no more than what is remembered of it takes. The operation that makes it count
names, for each commit, what is remembered of it (`mvc.porcelain.memories`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mvc.index import CommitRow
from mvc.objects import GONE, Manifest, Memory, ObjectId
from mvc.odb import encode
from mvc.porcelain.log import log
from mvc.porcelain.memories import giveable, remember
from mvc.porcelain.progress import Report
from mvc.porcelain.results.keeping import GivingUp, LineageRetention, Retention
from mvc.porcelain.retention import Keep, always_kept, candidates, check_metrics, may_run_back, unscored
from mvc.porcelain.workspace import Workspace
from mvc.repository.gc import plan_collection
from mvc.repository.reach import tensors_of

#: bytes of a stored memory beside what it remembers: time and reason, the object's head, its row in a pack
_BESIDE = 256
#: commit → what it gives up
Given = dict[ObjectId, frozenset[ObjectId]]


@dataclass(frozen=True)
class Proposal:
    """``tensors``: commit → what it would give up."""

    shown: Retention
    tensors: Mapping[ObjectId, frozenset[ObjectId]]


def propose(workspace: Workspace, keep: Keep, *, grace: timedelta) -> Proposal:
    """What `give_up` would do; changes nothing. Raises InputError for a metric that no commit has, IntegrityError where
    it cannot be told."""
    repository = workspace.repository
    state = repository.state_at(repository.head())  # what is deleted rests on nothing that was kept beside the facts
    lineages = log(workspace).lineages
    rows = workspace.look_up(CommitRow.find)
    metrics: dict[str, Mapping[str, float]] = {row.id: row.metrics for row in rows}
    check_metrics(keep, {metric for own in metrics.values() for metric in own})
    held = always_kept(lineages, state.settings, {row.id: row.parent for row in rows})
    groups = {lineage.id: commits for lineage, commits in candidates(lineages, keep, metrics, held)}
    going = {ObjectId(commit.id) for commits in groups.values() for commit in commits}
    manifests = {commit: repository.manifest(repository.commit(commit).manifest) for commit in state.commits}
    gone = frozenset(state.gone)
    able = _given_up(manifests, going, gone)
    tensors, memories = _worth_it(workspace, manifests, going, gone)
    now = datetime.now(UTC)
    plans = [plan_collection(repository, grace=grace, now=now, without=without) for without in ({}, tensors)]
    idle, more = (sum(plan.drops.values()) - plan.growth for plan in plans)
    freed = more - idle - memories
    if freed <= 0:  # what rests on them is stored otherwise then, and that takes the rest
        tensors, memories, freed = {}, 0, 0
    told = []
    for lineage in lineages:
        mine = [commit for commit in groups.get(lineage.id, ()) if commit.id in tensors]
        blank = unscored(lineage, keep, metrics)
        given = (
            GivingUp(one.id, one.path, one.position, one.step, _bytes(manifests, tensors, ObjectId(one.id)))
            for one in mine
        )
        if mine or blank:
            told.append(
                LineageRetention(
                    lineage=lineage.name,
                    kept=len(lineage.commits) - len(mine),
                    commits=tuple(given),
                    direction=lineage.direction,
                    both_ends=may_run_back(lineage),
                    unscored=blank,
                )
            )
    shown = Retention(
        keep=keep.text,
        done=False,
        commits=len(tensors),
        freed_bytes=freed,
        lineages=tuple(told),
        memory_bytes=memories,
        small=len(going) - len(able),
        light=len(able) - len(tensors),
    )
    return Proposal(shown, tensors)


def give_up(workspace: Workspace, proposal: Proposal, report: Report) -> None:
    """Writes down what is remembered, and makes it count: one operation. Needs the repository's lock.

    The tensors themselves go with the next `collect`. Raises IntegrityError where one cannot be read, StorageError.
    """
    repository = workspace.repository
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    reason = f"mvc gc --keep {proposal.shown.keep}"
    settings: dict[str, str | None] = {}
    with repository.odb.batch():
        for done, (commit, tensors) in enumerate(sorted(proposal.tensors.items())):
            report(done, len(proposal.tensors), "remembering")
            memory = _memory(workspace, commit, tensors, time=time, reason=reason)
            settings[f"{GONE}{commit}"] = repository.put(memory)
    workspace.declare("gc --keep", settings=settings)


def _memory(
    workspace: Workspace, commit: ObjectId, tensors: frozenset[ObjectId], *, time: str = "", reason: str = ""
) -> Memory:
    return workspace.read(
        lambda connection: remember(connection, workspace.repository, commit, tensors, time=time, reason=reason)
    )


def _worth_it(
    workspace: Workspace, manifests: Mapping[ObjectId, Manifest], going: set[ObjectId], gone: frozenset[ObjectId]
) -> tuple[Given, int]:
    """What commits ``going`` give up where that takes more than what is remembered of them; the bytes of the latter.

    A tensor that several have goes only with the last of them, so each counts for its part of it.
    """
    odb = workspace.repository.odb
    costs: dict[tuple[ObjectId, frozenset[ObjectId]], int] = {}

    def cost(commit: ObjectId, tensors: frozenset[ObjectId]) -> int:
        if (commit, tensors) not in costs:
            payload = _memory(workspace, commit, tensors).to_payload()
            costs[commit, tensors] = sum(map(len, encode(payload).chunks)) + _BESIDE
        return costs[commit, tensors]

    while True:
        found = _given_up(manifests, going, gone)
        sharers = Counter(tensor for tensors in found.values() for tensor in tensors)
        light = {
            commit
            for commit, tensors in found.items()
            if sum(odb.stored_size(one) / sharers[one] for one in tensors) <= cost(commit, tensors)
        }
        if not light:
            return found, sum(cost(commit, tensors) for commit, tensors in found.items())
        going = found.keys() - light


def _given_up(manifests: Mapping[ObjectId, Manifest], going: set[ObjectId], gone: frozenset[ObjectId]) -> Given:
    """Tensors of the commits ``going`` that no commit that stays whole has, and that signatures do not hold anyway."""
    needed = {
        tensor
        for commit, manifest in manifests.items()
        if commit not in going and commit not in gone
        for tensor in tensors_of(manifest)
    }
    small = {one for manifest in manifests.values() for one in tensors_of(manifest).keys() - giveable(manifest).keys()}
    found = {commit: frozenset(giveable(manifests[commit]).keys() - needed - small) for commit in sorted(going)}
    return {commit: tensors for commit, tensors in found.items() if tensors}


def _bytes(
    manifests: Mapping[ObjectId, Manifest], tensors: Mapping[ObjectId, frozenset[ObjectId]], commit: ObjectId
) -> int:
    sizes = giveable(manifests[commit])
    return sum(sizes[tensor] for tensor in tensors[commit])
