"""What the git integration returns: frozen values from which the text and the JSON of `mvc git` are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

#: pass, warn, fail, skip: judged. committed, known: recorded now, or before. hint: something to know
HookState = Literal["pass", "warn", "fail", "skip", "committed", "known", "hint"]
#: the worst first
_ORDER: tuple[HookState, ...] = ("fail", "warn", "pass", "committed", "known", "hint", "skip")


#: imported: committed now. known: its content was committed before. missing: its content is not on this machine.
#: refused: it cannot be read
HistoryState = Literal["imported", "known", "missing", "refused"]
State = TypeVar("State")


@dataclass(frozen=True)
class GitEntry(Generic[State]):
    """One checkpoint that was looked at: its path in git, the git commit that has it, and mvc's commit, if any.

    ``reason`` says in a line what is the matter, ``hint`` what to do about it.
    """

    path: str
    git: str | None
    commit: str | None
    state: State
    reason: str = ""
    hint: str = ""


HookEntry = GitEntry[HookState]
HistoryEntry = GitEntry[HistoryState]


@dataclass(frozen=True)
class HookResult:
    """``verdict`` is the worst state of all entries, "skip" where there are none; ``warnings`` are on none of them."""

    hook: str
    verdict: HookState
    entries: tuple[HookEntry, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, hook: str, entries: tuple[HookEntry, ...], warnings: tuple[str, ...] = ()) -> HookResult:
        states = {entry.state for entry in entries}
        return cls(hook, next((state for state in _ORDER if state in states), "skip"), entries, warnings)


@dataclass(frozen=True)
class HistoryResult:
    """``directory`` is git's; ``commits`` how many git commits were looked at; ``skipped`` how many checkpoints were
    imported by an earlier run, and are not among the entries; ``lineages`` names those that entries are in."""

    directory: str
    commits: int
    entries: tuple[HistoryEntry, ...]
    skipped: int
    lineages: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class InstalledHook:
    """``before``: what runs before mvc, if anything stood there."""

    name: str
    path: str
    before: str | None


@dataclass(frozen=True)
class InstallResult:
    """``directory`` is git's; ``attributes`` the .gitattributes that was written to, None in a bare repository.

    ``repository`` is the mvc repository that the hooks will use, None where there is none yet.
    """

    directory: str
    hooks: tuple[InstalledHook, ...]
    attributes: str | None
    repository: str | None


@dataclass(frozen=True)
class UninstallResult:
    """Paths of files that were taken away, or put back as they were; none where nothing was installed."""

    directory: str
    removed: tuple[str, ...]
    restored: tuple[str, ...]
