"""Takes away what nothing needs, and packs the rest better than a commit can afford. Owns what may go, and the order.

An object may go where no operation leads to it, nothing that stays rests on it, and either its file is older than the
grace period or an operation gave it up. The repository's lock is held, so that nothing is ever in flight meanwhile; the
grace period is for what a command that failed had put, which the next attempt uses again, and no promise rests on
clocks: a file from the future is young.

A file goes only when everything in it that stays has been written anew, from a copy that was read and hashed, and read
back; and no file goes before that is so of all. What lies in two files is written anew, too: so it never matters which
of its copies is sound.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb import Pack, loose_key
from mvc.odb.consolidation import due
from mvc.odb.repacking import PACK_SIZE, AllBut, Better, repack
from mvc.repository.reach import Without, broken, reach_of, with_bases
from mvc.repository.repository import Repository
from mvc.storage import disk_errors

#: what is younger stays, although nothing leads to it
GRACE = timedelta(days=14)


@dataclass(frozen=True)
class BeforeAfter:
    before: int
    after: int


@dataclass(frozen=True)
class GcReport:
    """``kept``: objects that are needed, of which ``resting`` only because others are stored as differences from them.
    ``young``: not needed, but within the grace period. ``removed`` objects had ``removed_bytes``, as stored.
    ``files`` and ``bytes`` are those of the store, before and after; after a dry run as far as can be told."""

    dry_run: bool
    kept: int
    resting: int
    young: int
    removed: int
    removed_bytes: int
    repacked: int
    files: BeforeAfter
    bytes: BeforeAfter


@dataclass(frozen=True)
class Plan:
    """What would be done. ``deleted`` are keys of files that hold nothing that stays; ``rewritten`` those of packs and
    files whose objects that stay are ``moved``: written again. What rests on what goes, since that was given up, grows
    by at most ``growth`` bytes when it no longer does."""

    stays: dict[ObjectId, None]
    resting: int
    young: frozenset[ObjectId]
    drops: dict[ObjectId, int]
    deleted: tuple[str, ...]
    rewritten: tuple[str, ...]
    moved: tuple[ObjectId, ...]
    growth: int


def collect(
    repository: Repository,
    *,
    dry_run: bool = False,
    grace: timedelta = GRACE,
    now: datetime | None = None,
    timeout: float | None = None,
    better: Better = lambda object_id: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GcReport:
    """``timeout`` is that of the lock. ``better`` gives another stored form of an object, to be used where it is
    smaller. ``progress`` is told how many objects of how many were packed.

    Raises IntegrityError where something that is needed is damaged: then nothing that is needed was taken away.
    BusyError, StorageError.
    """
    with contextlib.nullcontext() if dry_run else repository.lock(timeout, "gc"):
        plan = plan_collection(repository, grace=grace, now=now or datetime.now(UTC))
        before = measure(repository)
        dropped = sum(plan.drops.values())
        if dry_run:
            after = (before[0] - len(plan.deleted) - max(0, len(plan.rewritten) - 1), before[1] - dropped)
        else:
            _carry_out(repository, plan, better, progress)
            after = measure(repository)
    return GcReport(
        dry_run=dry_run,
        kept=len(plan.stays) - len(plan.young),
        resting=plan.resting,
        young=len(plan.young),
        removed=len(plan.drops),
        removed_bytes=dropped,
        repacked=len(plan.moved),
        files=BeforeAfter(before[0], after[0]),
        bytes=BeforeAfter(before[1], after[1]),
    )


def plan_collection(
    repository: Repository, *, grace: timedelta, now: datetime, without: Without = MappingProxyType({})
) -> Plan:
    """What `collect` would do, if the commits ``without`` had given up these tensors of theirs.

    Raises IntegrityError.
    """
    odb = repository.odb
    odb.forget()  # another process may have stored objects in other forms, on other bases
    if damaged := sorted(odb.damaged_packs):
        raise broken(odb.damaged_packs[damaged[0]])
    try:
        reach = reach_of(repository, now=now, grace=grace, without=without)
        needed = with_bases(repository, reach.needed, reach.released)
    except IntegrityError as error:
        raise broken(error) from None
    packs = {key: pack.ids() for key, pack in odb.packs.items()}
    loose = (object_id for object_id in odb.ids() if repository.storage.exists(loose_key(object_id)))
    files = {**packs, **{loose_key(object_id): [object_id] for object_id in loose}}
    places = Counter(object_id for ids in files.values() for object_id in ids)
    young = _young(repository, files, needed, reach.released, now - grace)
    stays = needed | with_bases(repository, young, reach.released)
    rebased = [one for one in stays if any(base in reach.released for base in odb.bases_of(one))]
    drops = {one: odb.stored_size(one) for ids in files.values() for one in ids if one not in stays}
    deleted = {key for key, ids in files.items() if not any(object_id in stays for object_id in ids)}
    left = {key: pack for key, pack in odb.packs.items() if key not in deleted}
    settled = stays.keys() - set(rebased) - {one for one, count in places.items() if count > 1}
    rewritten = _worth_rewriting(left, packs, settled)
    rewritten |= files.keys() - packs.keys() - deleted
    moved = {one for key in rewritten for one in files[key]}
    growth = sum(max(0, odb.spec_of(one).nbytes - odb.stored_size(one)) for one in rebased)
    return Plan(
        stays=stays,
        growth=growth,
        resting=len(needed) - len(reach.needed),
        young=frozenset(stays.keys() - needed.keys()),
        drops=drops,
        deleted=tuple(sorted(deleted)),
        rewritten=tuple(sorted(rewritten)),
        moved=tuple(object_id for object_id in stays if object_id in moved),
    )


def _young(
    repository: Repository,
    files: dict[str, list[ObjectId]],
    needed: dict[ObjectId, None],
    released: frozenset[ObjectId],
    since: datetime,
) -> dict[ObjectId, None]:
    """Objects that nothing needs, in files that are younger than ``since``, less those that were given up."""
    found: dict[ObjectId, None] = {}
    for key, ids in files.items():
        idle = [one for one in ids if one not in needed and one not in released]
        if idle:
            path = repository.directory / key
            with disk_errors(path, "read"):
                if repository.fs.stat(path).st_mtime > since.timestamp():
                    found.update(dict.fromkeys(idle))
    return found


def _worth_rewriting(
    packs: Mapping[str, Pack],
    ids: Mapping[str, Sequence[ObjectId]],
    settled: Container[ObjectId],
) -> set[str]:
    """Packs that hold what is not ``settled`` (may go, rests on what goes, lies elsewhere as well), or that no gc has
    seen; those of gc only if many are small."""
    found = {key for key, pack in packs.items() if not pack.settled or any(one not in settled for one in ids[key])}
    return found | {pack.key for pack in due((packs[key] for key in packs.keys() - found), large=PACK_SIZE // 2)}


def _carry_out(repository: Repository, plan: Plan, better: Better, progress: Callable[[int, int], None]) -> None:
    total = len(plan.moved)
    written = repack(
        repository.odb,
        plan.moved,
        going=AllBut(plan.stays),
        better=better,
        done=lambda done: progress(done, total),
    )
    progress(total, total)
    # first what rests on others, so that a reader who knows only the old packs misses as little as can be
    repository.storage.delete(*(key for key in (*plan.rewritten, *plan.deleted) if key not in written))
    repository.odb.forget()


def measure(repository: Repository) -> tuple[int, int]:
    """Files and bytes of the store."""
    sizes = [repository.storage.size(key) for part in ("objects/", "packs/") for key in repository.storage.list(part)]
    return len(sizes), sum(sizes)
