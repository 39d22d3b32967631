"""What a repository needs: everything that its operations lead to. Owns the walk, and the order in which packs should
have it; changes nothing.

The order is that of reading: first what an index is built of (operations, commits, manifests), then each commit's
skeletons and tensors, commits in the order of their arrival. So bases mostly come before what rests on them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from mvc.errors import InputError, IntegrityError, MvcError
from mvc.objects import Manifest, ObjectId, Operation
from mvc.repository.repository import Repository
from mvc.repository.state import oldest_first, replay

#: commits → tensors of theirs
Without = Mapping[ObjectId, Collection[ObjectId]]
_NONE: Without = MappingProxyType({})


@dataclass(frozen=True)
class Reach:
    """``needed`` are objects that operations lead to, in order. ``released`` are tensors that were given up by an
    operation, and that nothing else needs."""

    needed: dict[ObjectId, None]
    released: frozenset[ObjectId]


def reach_of(repository: Repository, *, now: datetime, grace: timedelta, without: Without = _NONE) -> Reach:
    """What is needed ``now``, if the commits ``without`` had given up these tensors of theirs as well.

    A commit that an operation took away is needed for ``grace`` after that. Raises IntegrityError where an object
    cannot be read that says what is needed.
    """
    history = oldest_first(repository.head(), repository.operation)
    state = replay(history)
    kept_back = {commit: set(memory.tensors) for commit, memory in repository.memories().items()}
    given_up = {**kept_back, **without}
    commits = _commits(history, set(state.commits), now - grace)
    # of what was taken away an earlier collection, with less grace, may have left a part, or nothing
    taken = {commit for operation in history for commit in operation.removed} - set(state.commits)
    commits = {commit: None for commit in commits if commit not in taken or is_whole(repository, commit)}
    records = {commit: repository.commit(commit) for commit in commits}
    manifests = {record.manifest: repository.manifest(record.manifest) for record in records.values()}
    needed: dict[ObjectId, None] = {}
    needed.update(dict.fromkeys(operation.id for operation in history))
    needed.update(dict.fromkeys(commits))
    needed.update(dict.fromkeys(manifests))
    needed.update(dict.fromkeys(state.gone.values()))
    needed.update(dict.fromkeys(former_memories(repository, history)))
    lost = {tensor for tensors in given_up.values() for tensor in tensors}
    released: set[ObjectId] = set()
    for commit, record in records.items():
        manifest = manifests[record.manifest]
        needed.update(dict.fromkeys(file.skeleton for file in manifest.files))
        tensors = tensors_of(manifest)
        # what it shared with a commit that gave it up later, it cannot be put together with either
        gone = tensors.keys() & lost if commit in given_up else set()
        released |= gone
        needed.update(dict.fromkeys(one for one in tensors if one not in gone))
    return Reach(needed, frozenset(released - needed.keys()))


def former_memories(repository: Repository, history: Sequence[Operation]) -> Iterator[ObjectId]:
    """What was ever remembered of commits that gave up their tensors, where it is stored: an undo may be undone, and
    the repository be looked at as it was."""
    for memory in sorted({memory for operation in history for memory in operation.memories}):
        with contextlib.suppress(InputError):  # an operation may say anything
            if repository.odb.contains(memory):
                yield memory


def is_whole(repository: Repository, commit: ObjectId) -> bool:
    """Whether all that a commit consists of is stored; what it is, is not looked at.

    Raises IntegrityError where its own records are damaged, StorageError: then it cannot be told.
    """
    try:
        manifest = repository.manifest(repository.commit(commit).manifest)
    except IntegrityError as error:
        if error.code != "missing-object":
            raise
        return False
    return all(repository.odb.contains(object_id) for object_id in manifest.objects())


def tensors_of(manifest: Manifest) -> dict[ObjectId, None]:
    """Ids of a checkpoint's tensors, in file order."""
    return dict.fromkeys(entry.object for file in manifest.files for entry in file.tensors)


def with_bases(
    repository: Repository, objects: Collection[ObjectId], going: Container[ObjectId] = ()
) -> dict[ObjectId, None]:
    """These objects, and those that they are stored as differences from, unless they are ``going``; each after its
    bases where they are not among the given ones. Raises IntegrityError."""
    found: dict[ObjectId, None] = {}
    given = set(objects)
    for object_id in objects:
        pending = [object_id]
        while pending:
            at = pending[-1]
            missing = [one for one in repository.odb.bases_of(at) if not (one in found or one in given or one in going)]
            if missing and not set(missing) & set(pending):
                pending += missing
            else:
                found[pending.pop()] = None
    return found


def _commits(history: list[Operation], counting: set[ObjectId], since: datetime) -> dict[ObjectId, None]:
    """Commits that are needed: those that count, embedders, and what was taken away not long ago."""
    removed: dict[ObjectId, datetime] = {}
    for operation in history:
        removed |= dict.fromkeys(operation.removed, _moment(operation))
    found: dict[ObjectId, None] = {}
    for operation in history:
        tagged = (commit for commit in operation.tags.values() if commit is not None)
        for commit in (*operation.commits, *tagged):
            if commit in counting or (commit in removed and removed[commit] >= since):
                found[commit] = None
        found.update(dict.fromkeys(operation.embedders))
    return found


def _moment(operation: Operation) -> datetime:
    """When an operation was made, as far as it says; a time that says nothing is taken for now."""
    try:
        moment = datetime.fromisoformat(operation.time)
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def broken(error: MvcError) -> IntegrityError:
    """Why nothing may be taken away: what cannot be read may have needed it."""
    message = f"{error.message}, so what is needed cannot be told, and nothing was taken away"
    return IntegrityError(message, hint="run: mvc fsck --repair", code=error.code)
