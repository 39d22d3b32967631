"""Brings the index up to date with the repository: facts first, then inferences, in one transaction. Owns the order.

What was added since the index's operation is added; where that cannot be told, everything is read again. Inference is
done again only for architectures whose commits, declared facts or pins are not those of the last time.
"""

from __future__ import annotations

from collections.abc import Sequence

from mvc.errors import IntegrityError
from mvc.index import (
    ArchitectureRow,
    CommitRow,
    Connection,
    DistanceRow,
    Expression,
    FileRow,
    FlagRow,
    ForestRow,
    Index,
    InferenceRow,
    LatentRow,
    LineageRow,
    MixtureRow,
    OverlapRow,
    PlacementRow,
    PointRow,
    Row,
    SettingRow,
    SignatureRow,
    StepRow,
    TagRow,
    UnitRow,
    WalkRow,
    chunked,
    insert_rows,
    select,
    set_stamp,
)
from mvc.objects import ObjectId
from mvc.porcelain.engine import ENGINE, is_current, stamp_of
from mvc.porcelain.facts import damaged, read_facts
from mvc.porcelain.inferring import infer_lineages, name_lineages
from mvc.porcelain.memories import recall_steps, sign
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.seen import Seen
from mvc.porcelain.signatures import indexed_signatures, signature_row
from mvc.repository import Repository, State
from mvc.repository.state import advance

#: all but the caches of signatures and latents, each before those that it refers to
_ALL: tuple[type[Row], ...] = (
    FlagRow,
    StepRow,
    MixtureRow,
    OverlapRow,
    WalkRow,
    PlacementRow,
    LineageRow,
    InferenceRow,
    ForestRow,
    UnitRow,
    DistanceRow,
    SettingRow,
    TagRow,
    FileRow,
    CommitRow,
    PointRow,
    ArchitectureRow,
)


def bring_up_to_date(
    repository: Repository,
    index: Index,
    *,
    seen: Seen | None = None,
    at: ObjectId | None = None,
    progress: Report | None = None,
) -> None:
    """``seen`` is what need not be computed; ``at`` is an operation other than the newest. Needs the
    repository's lock, but for an index in memory.

    Raises IndexDamaged, StorageError, InputError for a newer schema.
    """
    report, seen = progress or silent, seen or Seen()
    stamp, head = index.stamp(), at or repository.head()
    if is_current(stamp, head):
        return
    if stamp is None:
        index.prepare()
    with index.writing() as connection:
        old = _indexed_state(connection, stamp.operation) if stamp is not None and stamp.engine == ENGINE else None
        state = repository.state_at(head) if old is None else advance(old, head, repository.operation)
        anew = old is None or state.commits[: len(old.commits)] != old.commits
        if anew:
            _clear(connection, signatures=old is None)
        start = 0 if old is None or anew else len(old.commits)
        new = state.commits[start:]
        touched = _add_commits(connection, repository, new, start, seen, report)
        if anew:
            _prune(connection)
        _replace_names(connection, state)
        told = old is None or state.settings != old.settings
        if anew or new or told:
            recall_steps(connection, repository)
            infer_lineages(connection, repository, report, seen, None if anew or told else touched)
            name_lineages(connection)
        set_stamp(connection, stamp_of(head))


def _indexed_state(connection: Connection, operation: str) -> State:
    column = CommitRow.TABLE.c
    return State(
        ObjectId(operation) if operation else None,
        tuple(commit for (commit,) in connection.execute(select(column.id).order_by(column.arrival))),
        {row.name: row.commit for row in TagRow.select(connection)},
        {row.key: row.value for row in SettingRow.select(connection)},
    )


def _clear(connection: Connection, *, signatures: bool) -> None:
    for row in _ALL:
        row.clear(connection)
    if signatures:
        SignatureRow.clear(connection)
        LatentRow.clear(connection)


def _prune(connection: Connection) -> None:
    """Takes away signatures of tensors that no point has any more, and latents of points that are gone."""
    used = {tensor for point in PointRow.select(connection) for tensor in point.tensors}
    LatentRow.clear(connection, LatentRow.TABLE.c.content.not_in(select(PointRow.TABLE.c.content)))
    column = SignatureRow.TABLE.c.tensor
    for piece in chunked({ObjectId(tensor) for (tensor,) in connection.execute(select(column))} - used):
        SignatureRow.clear(connection, column.in_(piece))


def _add_commits(
    connection: Connection,
    repository: Repository,
    commits: Sequence[ObjectId],
    arrival: int,
    seen: Seen,
    report: Report,
) -> set[str]:
    """Facts of further commits, the first of which is number ``arrival``, and signatures of their weights.

    Returns the architectures that they have.
    """
    touched = set()
    for done, commit in enumerate(commits):
        report(done, len(commits), "reading")
        facts = read_facts(repository, commit, arrival + done)
        new = not _has(connection, PointRow.TABLE.c.content, facts.point.content)
        if new:
            try:
                _add_signatures(connection, repository, facts.point.tensors, seen)
            except IntegrityError:
                facts = damaged(facts)
                new = not _has(connection, PointRow.TABLE.c.content, facts.point.content)
        if not _has(connection, ArchitectureRow.TABLE.c.id, facts.architecture.id):
            insert_rows(connection, [facts.architecture])
        if new:
            insert_rows(connection, [facts.point])
        if not _has(connection, FileRow.TABLE.c.manifest, facts.commit.manifest):
            insert_rows(connection, facts.files)
        insert_rows(connection, [facts.commit])
        touched.add(facts.architecture.id)
    return touched


def _has(connection: Connection, column: Expression[str], value: str) -> bool:
    return connection.execute(select(column).where(column == value).limit(1)).first() is not None


def _add_signatures(connection: Connection, repository: Repository, tensors: Sequence[ObjectId], seen: Seen) -> None:
    """Raises IntegrityError where a tensor cannot be read; then none is added."""
    have = indexed_signatures(connection, tensors)
    rows = []
    for tensor in sorted(set(tensors) - have):
        rows.append(signature_row(tensor, seen.signatures.get(tensor) or sign(repository, tensor)))
    insert_rows(connection, rows)


def _replace_names(connection: Connection, state: State) -> None:
    TagRow.clear(connection)
    SettingRow.clear(connection)
    insert_rows(connection, [TagRow(name, commit) for name, commit in sorted(state.tags.items())])
    insert_rows(connection, [SettingRow(key, value) for key, value in sorted(state.settings.items())])
