"""The log of operations: what was done, in words; taking one back; seeing things as they were. Owns an operation's
names (``@``, the newest; a unique prefix of its id; ``-`` after either, the one before) and its wording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from mvc.errors import ExistsError, InputError, IntegrityError, NotFoundError
from mvc.objects import EMBEDDER, GONE, ObjectId, Operation
from mvc.porcelain.declarations import NAME, PIN
from mvc.porcelain.results.operations import OperationRow, OpLogResult, UndoResult
from mvc.porcelain.tags import check_free
from mvc.porcelain.workspace import Workspace
from mvc.repository import MIN_PREFIX, Change, State, inverse
from mvc.repository.state import oldest_first, replay

NEWEST = "@"

_NAME = re.compile(rf"(@|[0-9a-f]{{{MIN_PREFIX},64}})(-*)")
_SHORT = re.compile(rf"[0-9a-f]{{1,{MIN_PREFIX - 1}}}-*")
#: commits that a change names one by one
_MANY = 4


def op_log(workspace: Workspace, *, limit: int | None = None) -> OpLogResult:
    """Every operation, or the ``limit`` newest."""
    rows = []
    state = State()
    for operation in _history(workspace):
        rows.append(_row(operation, state))
        state = replay((operation,), state)
    rows.reverse()
    return OpLogResult(tuple(rows[:limit]))


def undo(workspace: Workspace, name: str = NEWEST) -> UndoResult:
    """Takes an operation back, as a further one; undoing that one does it again.

    Raises NotFoundError, and InputError (code "cannot-undo") where a later operation contradicts or what it would
    bring back is no longer stored. The files of commits that it takes away stay stored until `gc` clears them.
    """
    repository = workspace.repository
    with repository.lock(command="undo"):
        workspace.refresh()
        history = _history(workspace)
        target = resolve_operation(history, name)
        change = inverse(history, target, lambda commit: repository.commit(commit).parent)
        _check_possible(workspace, target, change)
        workspace.declare(
            f"undo {target.id[:12]}",
            commits=change.commits,
            removed=change.removed,
            tags=change.tags,
            settings=change.settings,
        )
        states = {item.id: replay(history[:at]) for at, item in enumerate(history) if item.id == target.id}
        done = repository.operation(repository.state().head or target.id)
    return UndoResult(_row(target, states[target.id]), _row(done, replay(history)), tuple(workspace.warnings))


def as_of(workspace: Workspace, name: str) -> Workspace:
    """The repository as it was after an operation, to be read only: its commits and names, inferred in memory.

    Raises NotFoundError, InputError for an ambiguous name.
    """
    return workspace.as_of(resolve_operation(_history(workspace), name).id)


def resolve_operation(history: Sequence[Operation], name: str) -> Operation:
    """The operation of this name; ``history`` is every one, oldest first. Raises NotFoundError, InputError."""
    if not history:
        raise NotFoundError("nothing was done here yet", hint="run: mvc commit PATH", code="no-operations")
    match = _NAME.fullmatch(name)
    if match is None:
        if _SHORT.fullmatch(name):
            message = f"{name!r} is too short: name an operation by {MIN_PREFIX} or more of its digits"
            raise NotFoundError(message, hint="list them with: mvc op log", code="no-such-operation")
        raise _unknown(name)
    known = {operation.id: operation for operation in history}
    base = match[1]
    found = [history[-1]] if base == NEWEST else [known[item] for item in known if item.startswith(base)]
    if len(found) > 1:
        some = ", ".join(item.id[: len(base) + 8] for item in found[:5])
        raise InputError(
            f"{base!r} is the beginning of {len(found)} operations", hint=f"use one of: {some}", code="ambiguous"
        )
    if not found:
        raise _unknown(name)
    operation = found[0]
    for _ in match[2]:
        if not operation.parents:
            raise NotFoundError(f"{name!r} goes back beyond the first operation", hint="run: mvc op log")
        operation = known[operation.parents[0]]
    return operation


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"{name!r} names no operation", hint="list them with: mvc op log", code="no-such-operation")


def _history(workspace: Workspace) -> list[Operation]:
    repository = workspace.repository
    return oldest_first(repository.head(), repository.operation)


def _check_possible(workspace: Workspace, target: Operation, change: Change) -> None:
    """Raises InputError, ExistsError where the change cannot be made as things stand."""
    subject = f"operation {target.id[:12]} ({target.command})"
    if not change:
        raise InputError(f"{subject} changed nothing that still stands", hint="run: mvc op log", code="cannot-undo")
    for commit in change.commits:
        if lost := _lost(workspace, commit):
            raise InputError(
                f"{subject} cannot be undone: {lost}",
                hint="commit the checkpoint again, if its file is still there",
                code="cannot-undo",
            )
    for key, value in change.settings.items():
        if key.startswith(GONE) and value is None and (lost := _lost(workspace, ObjectId(key.removeprefix(GONE)))):
            hint = "if its file is still there: mvc commit --restore PATH"
            raise InputError(f"{subject} cannot be undone: {lost}", hint=hint, code="cannot-undo")
        if key.startswith(GONE) and value is not None and not workspace.repository.odb.contains(ObjectId(value)):
            lost = f"what was remembered of commit {key.removeprefix(GONE)[:12]} is no longer stored"
            hint = "give up its tensors again with: mvc gc --keep RULE"
            raise InputError(f"{subject} cannot be undone: {lost}", hint=hint, code="cannot-undo")
    for name in (name for name, commit in change.tags.items() if commit is not None):
        workspace.look_up(lambda reader, name=name: check_free(reader, name))  # type: ignore[misc]
    tags = workspace.repository.state().tags
    for key, value in change.settings.items():
        if key.startswith(NAME) and value in tags and value not in change.tags:
            raise ExistsError(f"a tag is called {value!r}", hint=f"run: mvc tag --delete {value}")


def _lost(workspace: Workspace, commit: ObjectId) -> str:
    """What is no longer stored of a commit, in words; '' where all of it is."""
    repository = workspace.repository
    try:
        manifest = repository.manifest(repository.commit(commit).manifest)
    except IntegrityError as error:
        return error.message
    missing = [item for item in manifest.objects() if not repository.odb.contains(item)]
    return f"{len(missing)} objects of commit {commit[:12]} are no longer stored" if missing else ""


def _row(operation: Operation, before: State) -> OperationRow:
    return OperationRow(
        id=operation.id,
        parents=operation.parents,
        time=operation.time,
        author=operation.author,
        command=operation.command,
        changes=tuple(_words(operation, before)),
        commits=operation.commits,
        removed=operation.removed,
        tags=dict(operation.tags),
        settings=dict(operation.settings),
    )


def _words(operation: Operation, before: State) -> Iterator[str]:
    """What an operation changed, a line for each thing."""
    for commits, verb in ((operation.commits, "added"), (operation.removed, "taken away")):
        if commits:
            yield f"{'commit' if len(commits) == 1 else f'{len(commits)} commits'} {verb}: {_some(commits)}"
    for name, commit in operation.tags.items():
        if commit is not None:
            yield f"tag {name!r} set on {commit[:12]}"
        else:
            old = before.tags.get(name)
            yield f"tag {name!r} removed" + (f" from {old[:12]}" if old else "")
    for one, several, kind in (
        ("gave up its tensors", "gave up their tensors", str),
        ("has its tensors again", "have their tensors again", type(None)),
    ):
        given = [key.removeprefix(GONE) for key, value in operation.settings.items() if _is_gone(key, value, kind)]
        if given:
            yield f"{_some(given)} {one if len(given) == 1 else several}"
    for key, value in operation.settings.items():
        if not key.startswith(GONE):
            yield _setting_words(key, value, before.settings)


def _some(commits: Sequence[str]) -> str:
    """The first ones' ids, and how many more there are."""
    more = f" and {len(commits) - _MANY} more" if len(commits) > _MANY else ""
    return ", ".join(commit[:12] for commit in commits[:_MANY]) + more


def _is_gone(key: str, value: str | None, kind: type) -> bool:
    return key.startswith(GONE) and isinstance(value, kind)


def _setting_words(key: str, value: str | None, before: Mapping[str, str]) -> str:
    old = before.get(key)
    subject = key.partition(":")[2][:12]
    if key.startswith(NAME):
        return f"lineage of {subject} {f'named {value!r}' if value is not None else f'no longer named {old!r}'}"
    if key.startswith(PIN):
        where = f"pinned to the lineage of {value[:12]}" if value is not None else "no longer pinned"
        return f"commit {subject} {where}"
    if key.startswith(EMBEDDER):
        version = key.rpartition(":")[2]
        return f"embedder {subject}@{version} {'in use' if value is not None else 'taken out of use'}"
    return f"setting {key!r} {f'set to {value!r}' if value is not None else 'removed'}"
