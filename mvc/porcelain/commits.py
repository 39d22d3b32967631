"""Records checkpoints: many paths, one transaction, one operation. Owns what is refused, and what is told afterwards.

Any path that cannot be committed fails the whole command before anything is acknowledged. Content that is committed
already is reported, not committed again; so is that of a commit that gave up its tensors, which are stored again only
where that is asked for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from mvc.errors import ExistsError, InputError
from mvc.index import CommitRow, Connection, FileRow, LineageRow, PlacementRow, SettingRow, TagRow, chunked, select
from mvc.objects import GONE, Commit, ObjectId
from mvc.porcelain.bases import Bases
from mvc.porcelain.declarations import gone_in
from mvc.porcelain.digests import Digests
from mvc.porcelain.finding import find_all
from mvc.porcelain.intake import Intake, Taken
from mvc.porcelain.mending import restore_record
from mvc.porcelain.nearby import looking_nearby
from mvc.porcelain.origins import overlaps_of, placed
from mvc.porcelain.pointers import Content, Pointer
from mvc.porcelain.pointing import find_place, hidden_files, write_pointer
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.results.commits import CommitResult, Committed
from mvc.porcelain.results.logs import Relation
from mvc.porcelain.revisions import resolve
from mvc.porcelain.tags import check_free
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_tag

#: characters of a message
MAX_TEXT = 1 << 16


@dataclass(frozen=True)
class Declared:
    """What is declared of one checkpoint among many; ``path`` is what to record instead of where it lies. ``author``,
    ``time`` and ``message`` stand for those of the whole command, where it comes from another history."""

    run: str | None = None
    step: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    path: str | None = None
    author: str | None = None
    time: datetime | None = None
    message: str | None = None


def commit(
    workspace: Workspace,
    paths: Sequence[Path | str],
    *,
    message: str = "",
    step: float | None = None,
    run: str | None = None,
    parent: str | None = None,
    metrics: Mapping[str, float] | None = None,
    tag: str | None = None,
    extra: Mapping[str, str] | None = None,
    time: datetime | None = None,
    pointer: bool = False,
    search: bool = True,
    each: Callable[[Path], Declared] | None = None,
    directory: Path = Path(),
    verify: bool = False,
    restore: bool = False,
    lying: Mapping[str, Path] | None = None,
    progress: Report | None = None,
) -> CommitResult:
    """Commits every checkpoint at or below ``paths``. ``parent`` is a revision, or a pointer seen from ``directory``;
    ``step`` and ``tag`` are for one only. With ``pointer``, a pointer is written beside each one, committed before or
    not. Without ``search`` each path is one checkpoint, and nothing below it is looked for. ``each`` says of a path
    what else would be said of all: run, step, metrics and extra. Files that are as they were when they were read last
    are not read again, unless to ``verify`` them. With ``restore``, commits that gave up their tensors have them again
    where their checkpoints are among these. ``lying`` says of earlier commits where their checkpoints are for now, if
    not where they are recorded, so that they need not be decoded.

    Raises FormatError for what is no sound checkpoint, InputError, ExistsError, BusyError, StorageError: then nothing
    was committed, unless it is a pointer that the disk refuses.
    """
    report = progress or silent
    _check_declared(message, step, run, metrics, extra, tag)
    common = Declared(run, step, metrics or {}, extra or {})
    found, warnings = find_all(paths) if search else ([Path(path) for path in paths], [])
    places = [find_place(workspace.repository, path) for path in found] if pointer else []
    if len(found) > 1 and (step is not None or tag is not None):
        option = "step" if step is not None else "tag"
        raise InputError(
            f"a {option} is for one checkpoint, and {len(found)} were found", hint="commit them one by one"
        )
    repository = workspace.repository
    with ExitStack() as stack:
        stack.enter_context(repository.lock())
        stack.enter_context(workspace.keeping())
        workspace.refresh()
        if tag is not None:
            workspace.read(lambda connection: _check_tag_free(connection, tag))
        parent_id = None if parent is None else resolve(workspace, parent, directory)
        whole, gone = workspace.read(_known)
        known = whole if restore else gone | whole
        before = frozenset((gone | whole).values())
        moment = (time or datetime.now(UTC)).astimezone(UTC)
        digests = Digests(repository, verify=verify)
        nearby = stack.enter_context(looking_nearby(workspace, digests, lying or {}))
        taken: list[Taken] = []
        ids: list[ObjectId] = []
        with Intake(repository, digests, Bases(workspace)) as intake, repository.odb.batch():
            for done, path in enumerate(found):
                report(done, len(found), path.name)
                item = intake.take(path, known)
                if item.manifest is not None:
                    nearby.took(item.path, item.manifest)
                old = gone.get(item.content)
                if item.manifest is not None and old and repository.commit(old).manifest == item.manifest.id:
                    known[item.content] = old
                elif item.manifest is not None:
                    told = common if each is None else each(path)
                    _check_declared(told.message or message, told.step, told.run, told.metrics, told.extra, None)
                    own_step = item.facts.get("step")
                    if own_step is not None and not math.isfinite(own_step):
                        own_step = None
                    record = Commit(
                        manifest=item.manifest.id,
                        path=told.path or item.recorded,
                        time=(told.time or moment).astimezone(UTC).isoformat(timespec="microseconds"),
                        author=told.author or workspace.author,
                        message=message if told.message is None else told.message,
                        step=own_step if told.step is None else float(told.step),
                        step_source="user" if told.step is not None else None if own_step is None else "file",
                        run=told.run,
                        parent=parent_id,
                        metrics={key: float(value) for key, value in told.metrics.items()},
                        extra=dict(told.extra),
                    )
                    known[item.content] = repository.put(record)
                elif not repository.odb.contains(known[item.content]):
                    restore_record(workspace, known[item.content])
                if item.manifest is None and item.added:
                    warnings.append(f"{len(item.added)} lost objects of {str(item.path)!r} are stored again")
                taken.append(item)
                ids.append(known[item.content])
            stored = [commit_id for item, commit_id in zip(taken, ids, strict=True) if item.manifest is not None]
            new = [commit_id for commit_id in stored if commit_id not in before]
            operation = None
            if stored or tag is not None:
                tags = {} if tag is None else {tag: ids[0]}
                back = _back(repository, {item.manifest.id for item in taken if item.manifest is not None})
                operation = repository.propose(
                    command="commit", author=workspace.author, commits=new, tags=tags, settings=back, time=moment
                )
        if operation is not None:
            repository.accept(operation)
        digests.save()
        report(len(found), len(found), "reading lineages from weights")
        workspace.refresh(intake.seen)
        for place, item, commit_id in zip(places, taken, ids, strict=False):  # no places: no pointers
            write_pointer(repository.fs, place, Pointer.of(commit_id, item.content))
            warnings += _warn_hidden(item)
    if len(new) < len(taken) and (step, run, parent) != (None, None, None):
        warnings.append("what was declared is not recorded for content that was committed already")
    if without := len(set(ids) & set(gone.values())) if not restore else 0:
        one = without == 1
        warnings.append(
            f"{without:,} {'commit' if one else 'commits'} of these gave up {'its' if one else 'their'} tensors; "
            f"bring them back with: mvc commit --restore PATH"
        )
    sizes = {
        commit_id: sum(repository.odb.stored_size(item) for item in {*taken_item.added, commit_id})
        for taken_item, commit_id in zip(taken, ids, strict=True)
        if taken_item.manifest is not None
    }
    committed = workspace.read(lambda connection: _tell(connection, taken, ids, before, sizes))
    if places:
        written = zip(committed, places, strict=True)
        committed = tuple(replace(row, pointer=str(place.pointer)) for row, place in written)
    return CommitResult(committed, (*warnings, *workspace.warnings))


def _back(repository: Repository, manifests: set[ObjectId]) -> dict[str, None]:
    """Settings that say of commits whose tensors were given up that all of them are here again."""
    gone = repository.state().gone
    return {f"{GONE}{commit}": None for commit in gone if repository.commit(commit).manifest in manifests}


def _warn_hidden(item: Taken) -> list[str]:
    """What git no longer sees for the sake of a pointer, though mvc does not keep it."""
    if not item.path.is_dir() or not (hidden := hidden_files(item.path, (name for name, _, _ in item.content))):
        return []
    more = f" and {len(hidden) - 1} more" if len(hidden) > 1 else ""
    what = f"{hidden[0]!r}{more} in {str(item.path)!r}"
    return [f"{what}: no part of the checkpoint, and git no longer sees it; keep it with: git add -f"]


def _check_declared(
    message: str,
    step: float | None,
    run: str | None,
    metrics: Mapping[str, float] | None,
    extra: Mapping[str, str] | None,
    tag: str | None,
) -> None:
    if tag is not None:
        check_tag(tag)
    if step is not None and not math.isfinite(step):
        raise InputError(f"a step cannot be {step}", hint="declare a finite number")
    bad = next((key for key, value in (metrics or {}).items() if not math.isfinite(value)), None)
    if bad is not None:
        raise InputError(f"metric {bad!r} is not a finite number", hint="leave it out")
    odd = next((key for key, value in (extra or {}).items() if not isinstance(value, str)), None)
    if odd is not None:
        raise InputError(f"the fact {odd!r} is no text", hint="say it in words, or as a metric")
    if run is not None and (not run.strip() or len(run) > 200):
        raise InputError("a run's name has 1 to 200 characters", hint="give another name with --run")
    if len(message) > MAX_TEXT:
        raise InputError(f"a message has at most {MAX_TEXT:,} characters")


def _check_tag_free(connection: Connection, tag: str) -> None:
    check_free(connection, tag)
    rows = TagRow.select(connection, TagRow.TABLE.c.name == tag)
    if rows:
        message = f"tag {tag!r} exists and names {rows[0].commit[:12]}"
        raise ExistsError(message, hint=f"choose another name, or run: mvc tag --delete {tag}")


def _known(connection: Connection) -> tuple[dict[Content, ObjectId], dict[Content, ObjectId]]:
    """Content of every commit that has its tensors → the commit, and of those that gave theirs up and no other one
    has; of several with the same the first by id."""
    file, commit = FileRow.TABLE.c, CommitRow.TABLE.c
    files: dict[ObjectId, list[tuple[str, int, str]]] = defaultdict(list)
    for manifest, *content in connection.execute(select(file.manifest, file.path, file.size, file.digest)):
        files[manifest].append(tuple(content))
    whole: dict[Content, ObjectId] = {}
    without: dict[Content, ObjectId] = {}
    gone = gone_in(SettingRow.select(connection))
    for commit_id, manifest in connection.execute(select(commit.id, commit.manifest).order_by(commit.id)):
        if manifest in files:
            found = without if commit_id in gone else whole
            found.setdefault(tuple(sorted(files[manifest])), commit_id)
    return whole, {content: commit_id for content, commit_id in without.items() if content not in whole}


def _tell(
    connection: Connection,
    taken: Sequence[Taken],
    ids: Sequence[ObjectId],
    before: frozenset[ObjectId],
    sizes: Mapping[ObjectId, int],
) -> tuple[Committed, ...]:
    """Where each one stands after the whole command."""
    rows: dict[ObjectId, CommitRow] = {}
    places: dict[ObjectId, PlacementRow] = {}
    for piece in chunked(ids):
        rows |= {row.id: row for row in CommitRow.select(connection, CommitRow.TABLE.c.id.in_(piece))}
        found = PlacementRow.select(connection, PlacementRow.TABLE.c.commit.in_(piece))
        places |= {place.commit: place for place in found}
    names = {row.id: row.name for row in LineageRow.select(connection)}
    last_old: dict[ObjectId, int] = defaultdict(lambda: -1)
    for piece in chunked({place.lineage for place in places.values()}):
        for place in PlacementRow.select(connection, PlacementRow.TABLE.c.lineage.in_(piece)):
            if place.commit in before:
                last_old[place.lineage] = max(last_old[place.lineage], place.position)
    told = []
    overlaps = overlaps_of(connection, names)
    for item, commit_id in zip(taken, ids, strict=True):
        row, place = rows[commit_id], places[commit_id]
        place = placed(place, overlaps[place.lineage])
        relation: Relation = place.relation  # type: ignore[assignment]
        if item.manifest is None:
            relation = "duplicate"
        elif commit_id in before:
            relation = "restores"
        elif relation in ("starts", "extends", "forks") and place.position < last_old[place.lineage]:
            relation = "inserts"
        told.append(
            Committed(
                id=commit_id,
                path=item.recorded,
                architecture=row.architecture,
                lineage=names[place.lineage],
                position=place.position,
                relation=relation,
                parent=place.parent,
                distance=place.distance,
                confidence=place.confidence,
                bytes=row.bytes,
                stored_bytes=sizes.get(commit_id, 0) if item.manifest is not None else 0,
                evidence=place.evidence,
                overlaps=tuple(one for one in overlaps[place.lineage] if one.own == commit_id),
            )
        )
    return tuple(told)
