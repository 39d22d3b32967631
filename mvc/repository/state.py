"""What a repository's operations add up to. Owns the replay, a pure function; reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from mvc.objects import GONE, ObjectId, Operation


@dataclass(frozen=True)
class State:
    """``head`` is the newest operation. ``commits`` are in order of arrival, each once."""

    head: ObjectId | None = None
    commits: tuple[ObjectId, ...] = ()
    tags: Mapping[str, ObjectId] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def gone(self) -> dict[ObjectId, ObjectId]:
        """Commits whose tensors were given up → the memory that was kept instead; not checked to be ids."""
        found = ((key, value) for key, value in self.settings.items() if key.startswith(GONE))
        return {ObjectId(key.removeprefix(GONE)): ObjectId(value) for key, value in found}


def oldest_first(head: ObjectId | None, read: Callable[[ObjectId], Operation]) -> list[Operation]:
    """Operations that ``head`` stands on, every one after all its parents, first parents' ancestors first.

    Iterative: a chain may be longer than Python's stack.
    """
    ordered: list[Operation] = []
    seen: set[ObjectId] = set()
    stack: list[ObjectId | Operation] = [head] if head is not None else []
    while stack:
        item = stack.pop()
        if isinstance(item, Operation):
            ordered.append(item)
        elif item not in seen:
            seen.add(item)
            operation = read(item)
            stack.append(operation)
            stack.extend(reversed(operation.parents))
    return ordered


def advance(start: State, head: ObjectId | None, read: Callable[[ObjectId], Operation]) -> State:
    """State at ``head``: from ``start`` on where a straight line of operations leads there, else of all of them."""
    newer: list[Operation] = []
    at = head
    while at is not None and at != start.head:
        operation = read(at)
        if len(operation.parents) > 1:
            return replay(oldest_first(head, read))
        newer.append(operation)
        at = operation.parents[0] if operation.parents else None
    return replay(reversed(newer), start if at == start.head else State())


def replay(operations: Iterable[Operation], start: State | None = None) -> State:
    """State after these operations, oldest first. Where two of them say something of one name or commit, the later
    one wins; a tag on a commit that is not there says nothing."""
    state = start or State()
    head = state.head
    commits = dict.fromkeys(state.commits)
    tags, settings = dict(state.tags), dict(state.settings)
    for operation in operations:
        head = operation.id
        commits.update(dict.fromkeys(operation.commits))
        if operation.removed:
            gone = set(operation.removed)
            commits = {commit: None for commit in commits if commit not in gone}
            tags = {name: commit for name, commit in tags.items() if commit not in gone}
        for name, commit in operation.tags.items():
            if commit in commits:
                tags[name] = commit
            else:
                tags.pop(name, None)
        for key, value in operation.settings.items():
            if value is None:
                settings.pop(key, None)
            else:
                settings[key] = value
    return State(head, tuple(commits), tags, settings)
