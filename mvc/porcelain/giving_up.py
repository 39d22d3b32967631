"""Commits that give up their tensors: the proposal, and carrying it out. Owns which tensors that are.

A tensor that a commit with all its tensors has, too, stays. A commit that so would give up nothing is left as it is.
The operation that makes it count names, for each commit, what is remembered of it (`mvc.porcelain.memories`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mvc.index import CommitRow
from mvc.objects import GONE, Manifest, ObjectId
from mvc.porcelain.log import log
from mvc.porcelain.memories import giveable, remember
from mvc.porcelain.progress import Report
from mvc.porcelain.results.keeping import GivingUp, LineageRetention, Retention
from mvc.porcelain.retention import Keep, always_kept, candidates
from mvc.porcelain.workspace import Workspace
from mvc.repository.gc import plan_collection
from mvc.repository.reach import tensors_of


@dataclass(frozen=True)
class Proposal:
    """``tensors``: commit → what it would give up."""

    shown: Retention
    tensors: Mapping[ObjectId, frozenset[ObjectId]]


def propose(workspace: Workspace, keep: Keep, *, grace: timedelta) -> Proposal:
    """What `give_up` would do; changes nothing. Raises IntegrityError where it cannot be told."""
    repository = workspace.repository
    state = repository.state()
    lineages = log(workspace).lineages
    rows = workspace.read(CommitRow.select)
    held = always_kept(lineages, state.settings, {row.id: row.parent for row in rows})
    groups = list(candidates(lineages, keep, {row.id: row.metrics for row in rows}, held))
    going = {ObjectId(commit.id) for _, commits in groups for commit in commits}
    manifests = {commit: repository.manifest(repository.commit(commit).manifest) for commit in state.commits}
    tensors = _given_up(manifests, going, frozenset(state.gone))
    told = []
    for lineage, commits in groups:
        mine = [commit for commit in commits if commit.id in tensors]
        if mine:
            given = [
                GivingUp(one.id, one.path, one.position, one.step, _bytes(manifests, tensors, ObjectId(one.id)))
                for one in mine
            ]
            told.append(LineageRetention(lineage.name, len(lineage.commits) - len(mine), tuple(given)))
    now = datetime.now(UTC)
    plans = [plan_collection(repository, grace=grace, now=now, without=without) for without in ({}, tensors)]
    idle, more = (sum(plan.drops.values()) - plan.growth for plan in plans)
    return Proposal(Retention(keep.text, False, len(tensors), max(0, more - idle), tuple(told)), tensors)


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
            memory = workspace.read(
                lambda connection, commit=commit, tensors=tensors: remember(  # type: ignore[misc]
                    connection, repository, commit, tensors, time=time, reason=reason
                )
            )
            settings[f"{GONE}{commit}"] = repository.put(memory)
    workspace.declare("gc --keep", settings=settings)


def _given_up(
    manifests: Mapping[ObjectId, Manifest], going: set[ObjectId], gone: frozenset[ObjectId]
) -> dict[ObjectId, frozenset[ObjectId]]:
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
