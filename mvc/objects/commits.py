"""Facts: a commit is one checkpoint as somebody handed it over; an operation is one change of the repository.

Owns their canonical form. Both are immutable. What mvc infers is never written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from mvc.errors import IntegrityError
from mvc.objects import canonical
from mvc.objects.checks import Check, each, fields, named, number, or_none, text
from mvc.objects.ids import ObjectId, hash_object, object_header

#: ``embedder:<architecture>:<version>``, a setting's key → the commit that holds this trained embedder. The commit is
#: kept like every other, and is none of the repository's checkpoints: no operation has it among its ``commits``
EMBEDDER = "embedder:"
#: ``gone:<commit>``, a setting's key → id of a memory: what is remembered of the commit, whose tensors were given up
GONE = "gone:"


@dataclass(frozen=True)
class _Record:
    """A small object whose canonical form is the JSON of its fields."""

    #: what each field is in JSON
    _fields: ClassVar[dict[str, Check]]
    #: fields that are left out where they are empty, as those who wrote before there were any did
    _optional: ClassVar[frozenset[str]] = frozenset()

    def to_payload(self) -> bytes:
        told = {name: getattr(self, name) for name in self._fields}
        told = {name: value for name, value in told.items() if value or name not in self._optional}
        return canonical.encode({"version": 1, **told})

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Raises IntegrityError for what `to_payload` never writes."""
        value: dict[str, Any] = canonical.decode(payload)
        try:
            if value.pop("version") != 1:
                raise ValueError("version")
            absent = cls._optional - value.keys()
            fields(value, {name: check for name, check in cls._fields.items() if name not in absent})
            record = cls(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"a {cls.__name__.lower()} is malformed: {error!r}", hint="run: mvc fsck") from None
        if record.to_payload() != payload:
            raise IntegrityError(f"a {cls.__name__.lower()} is malformed", hint="run: mvc fsck")
        return record


@dataclass(frozen=True)
class Commit(_Record):
    """One checkpoint, committed.

    ``time`` is UTC, ISO 8601 with microseconds. ``path`` is where the checkpoint lay, relative to the repository's
    working directory where it was inside it. ``step``, ``run``, ``parent`` (a commit's id), ``metrics`` are what was
    declared; ``step_source`` says by whom: "user" or "file" (as a Trainer directory's trainer_state.json).
    ``extra`` holds further declared facts (such as a git commit), text to text.
    """

    manifest: ObjectId
    path: str
    time: str
    author: str
    message: str = ""
    step: float | None = None
    step_source: str | None = None
    run: str | None = None
    parent: ObjectId | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)

    _fields: ClassVar = {
        **dict.fromkeys(("manifest", "path", "time", "author", "message"), text),
        **dict.fromkeys(("step_source", "run", "parent"), or_none(text)),
        "step": or_none(number),
        "metrics": named(number),
        "extra": named(text),
    }

    @cached_property
    def id(self) -> ObjectId:
        return hash_object(object_header("commit"), (self.to_payload(),))


@dataclass(frozen=True)
class Operation(_Record):
    """One change of the repository: the commits it added, the names it set (or, with None, removed).

    Operations form a chain from ``HEAD`` through ``parents`` (two after a synchronisation); the state of a repository
    is what its operations say, replayed. ``settings`` are a user's declarations about lineages, and the embedders that
    were trained here (`EMBEDDER`). ``removed`` are commits that it took away, as `mvc undo` does.
    """

    _fields: ClassVar = {
        **dict.fromkeys(("time", "author", "command"), text),
        **dict.fromkeys(("parents", "commits", "removed"), each(text)),
        **dict.fromkeys(("tags", "settings"), named(or_none(text))),
    }
    _optional = frozenset({"removed"})

    parents: tuple[ObjectId, ...]
    time: str
    author: str
    command: str
    commits: tuple[ObjectId, ...] = ()
    tags: Mapping[str, ObjectId | None] = field(default_factory=dict)
    settings: Mapping[str, str | None] = field(default_factory=dict)
    removed: tuple[ObjectId, ...] = ()

    @property
    def memories(self) -> tuple[ObjectId, ...]:
        """What is remembered of commits whose tensors it gave up; not checked to be ids."""
        found = (value for key, value in self.settings.items() if key.startswith(GONE))
        return tuple(ObjectId(value) for value in found if value is not None)

    @property
    def embedders(self) -> tuple[ObjectId, ...]:
        """Commits of the embedders that it set; not checked to be ids."""
        found = (value for key, value in self.settings.items() if key.startswith(EMBEDDER))
        return tuple(ObjectId(value) for value in found if value is not None)

    @cached_property
    def id(self) -> ObjectId:
        return hash_object(object_header("operation"), (self.to_payload(),))


@dataclass(frozen=True)
class Memory(_Record):
    """What is remembered of a commit whose tensors were given up: what inference had read from them.

    ``time`` (UTC, ISO 8601) and ``reason`` say when and why. ``tensors`` are those that were given up → their packed
    signatures, or None for one that is no part of the point. ``distances`` are exact ones, by the contents of two
    points with a space between; ``steps`` what steps into or out of the point tell, by the content that they lead to.
    ``rounding`` is the norm of the error that a narrow dtype made.
    """

    _fields: ClassVar = {
        **dict.fromkeys(("commit", "time", "reason"), text),
        "tensors": named(or_none(text)),
        "distances": named(number),
        "steps": named(named(text)),
        "rounding": number,
    }

    commit: ObjectId
    time: str
    reason: str
    tensors: Mapping[ObjectId, str | None]
    distances: Mapping[str, float]
    steps: Mapping[str, Mapping[str, str]]
    rounding: float

    @cached_property
    def id(self) -> ObjectId:
        return hash_object(object_header("memory"), (self.to_payload(),))
