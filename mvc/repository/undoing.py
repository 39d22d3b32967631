"""What would take an operation back. Owns when that is possible; changes nothing itself.

An undo is an operation like any other, made of what was before: so it is in the log, and can itself be undone. It is
refused where something later stands on what would be taken back, as guessing what was meant is worse than asking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mvc.errors import InputError
from mvc.objects import ObjectId, Operation
from mvc.repository.state import State, replay


@dataclass(frozen=True)
class Change:
    """What an operation changes: the arguments of `Repository.append`."""

    commits: tuple[ObjectId, ...] = ()
    removed: tuple[ObjectId, ...] = ()
    tags: Mapping[str, ObjectId | None] = field(default_factory=dict)
    settings: Mapping[str, str | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any((self.commits, self.removed, self.tags, self.settings))


def inverse(
    history: Sequence[Operation], target: Operation, parent_of: Callable[[ObjectId], ObjectId | None]
) -> Change:
    """The change that takes ``target`` back. ``history`` is every operation, oldest first; ``parent_of`` is the one
    that a commit declares, if any.

    Raises InputError (code "cannot-undo") where a later operation contradicts, or where it joined two histories.
    """
    if len(target.parents) > 1:
        raise _refused(target, "it joined two histories", "undo one of the operations that it joined")
    at = next(index for index, operation in enumerate(history) if operation.id == target.id)
    before, now, later = replay(history[:at]), replay(history), history[at + 1 :]
    change = Change(
        commits=tuple(commit for commit in target.removed if commit in set(before.commits)),
        removed=tuple(commit for commit in target.commits if commit not in set(before.commits)),
        tags=_restored(target, target.tags, before.tags, now.tags, later, "tags"),
        settings=_restored(target, target.settings, before.settings, now.settings, later, "settings"),
    )
    _check_commits(target, change, now, later, parent_of)
    return change


def _restored(
    target: Operation,
    said: Mapping[str, str | None],
    before: Mapping[str, str],
    now: Mapping[str, str],
    later: Sequence[Operation],
    field_name: str,
) -> dict[str, ObjectId | None]:
    """Names as they were before, of those that ``target`` changed."""
    restored: dict[str, ObjectId | None] = {}
    for name, value in said.items():
        old = before.get(name)
        if now.get(name) != value:
            change = next((item for item in reversed(later) if name in getattr(item, field_name)), None)
            raise _contradicted(target, change, f"changed {_plain(name)} again")
        if old != value:
            restored[name] = None if old is None else ObjectId(old)
    return restored


def _check_commits(
    target: Operation,
    change: Change,
    now: State,
    later: Sequence[Operation],
    parent_of: Callable[[ObjectId], ObjectId | None],
) -> None:
    """Raises InputError where commits that would go are spoken of, or names that would come back have none."""
    there = {*now.commits, *change.commits} - set(change.removed)
    for commit in change.removed:
        if commit not in now.commits:
            change_of = next((item for item in reversed(later) if commit in item.removed), None)
            raise _contradicted(target, change_of, f"took commit {commit[:12]} away already")
    gone = set(change.removed)
    for name, tagged in now.tags.items():
        if tagged in gone and name not in change.tags:
            by = next((item for item in reversed(later) if item.tags.get(name) == tagged), None)
            raise _contradicted(target, by, f"named commit {tagged[:12]} {name!r}")
    for key, value in now.settings.items():
        if key not in change.settings and gone & {ObjectId(key.rpartition(":")[2]), ObjectId(value)}:
            by = next((item for item in reversed(later) if item.settings.get(key) == value), None)
            raise _contradicted(target, by, "declares something of its commits")
    for operation in later if gone else ():
        for commit in operation.commits:
            if commit in there and parent_of(commit) in gone:
                raise _contradicted(target, operation, "added a commit that names one of its commits as its parent")
    for name, restored in change.tags.items():
        if restored is not None and restored not in there:
            raise _refused(
                target, f"commit {restored[:12]}, which {name!r} named, was taken away since", "run: mvc log"
            )


def _plain(name: str) -> str:
    return repr(name) if ":" not in name else f"the declaration {name[:40]!r}"


def _contradicted(target: Operation, by: Operation | None, why: str) -> InputError:
    who = "a later operation" if by is None else f"operation {by.id[:12]} ({by.command})"
    hint = "list what was done with: mvc op log" if by is None else f"undo that one first: mvc undo {by.id[:12]}"
    return _refused(target, f"{who} {why}", hint)


def _refused(target: Operation, why: str, hint: str) -> InputError:
    return InputError(
        f"operation {target.id[:12]} ({target.command}) cannot be undone: {why}", hint=hint, code="cannot-undo"
    )
