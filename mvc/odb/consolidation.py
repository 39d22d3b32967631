"""Many small packs made into one. Owns when: a little at some commits, so that there are never many, and each object is
copied only a few times however many commits follow.

Packs stand in tiers, each about eight times as large as the one below. A tier that is full becomes one pack, with all
that is smaller. Packs that are large already are left to `gc`. So a commit copies a bounded number of bytes, mostly
none, and of n commits some 10 · log₈ n small packs are left.

No grace is needed for what was replaced: whoever misses a pack looks at the directory again (`ObjectDatabase._look`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from mvc.errors import IntegrityError
from mvc.objects import ObjectId
from mvc.odb.packing import PackWriter
from mvc.odb.packs import Pack
from mvc.odb.zstd import Buffer
from mvc.storage import Storage

#: packs of one tier that become one
FULL = 10
#: bytes from which a pack is left alone
LARGE = 1 << 22


def due(packs: Iterable[Pack], *, large: int = LARGE) -> list[Pack]:
    """Packs, smaller than ``large`` bytes, that should be one now; none most of the time."""
    tiers: dict[int, list[Pack]] = defaultdict(list)
    for pack in packs:
        if pack.size < large:
            tiers[(pack.size >> 12).bit_length() // 3].append(pack)
    full = [tier for tier, members in tiers.items() if len(members) >= FULL]
    return [pack for tier, members in sorted(tiers.items()) if full and tier <= min(full) for pack in members]


def consolidate(storage: Storage, packs: Sequence[Pack]) -> None:
    """Puts what these packs hold into one, durably, and then deletes them; those that cannot be read whole stay.

    Stored forms are copied as they are, with their checksums; what has none gets none, as nobody has decoded it. Raises
    StorageError: then all is as before.
    """
    writer = PackWriter(storage)
    copied: dict[ObjectId, Buffer] = {}
    replaced = []
    try:
        for pack in packs:
            try:
                entries = {
                    pack.id(row): (stored, pack.proved(row, (stored,)))
                    for run in pack.runs()
                    for row, pieces in pack.read_run(run)
                    for stored in [b"".join(pieces)]
                }
            except IntegrityError:
                continue  # for fsck
            if any(copied.get(object_id, stored) != stored for object_id, (stored, _) in entries.items()):
                continue  # two forms of one object: which of them is sound is not known here
            for object_id, (stored, proved) in entries.items():
                writer.append(object_id, (stored,), proved=proved)
                copied[object_id] = stored
            replaced.append(pack.key)
        if len(replaced) > 1:
            writer.finish()
    except BaseException:
        writer.abandon()
        raise
    if len(replaced) > 1:
        storage.delete(*replaced)
    else:
        writer.abandon()
