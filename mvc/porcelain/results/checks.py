"""What `check` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VerdictName = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class IgnoredFor:
    """Why a policy ignores a finding, and the last day (ISO 8601) on which it does; None: for ever."""

    reason: str
    expires: str | None


@dataclass(frozen=True)
class Finding:
    """``ignore``: what the policy says of it. Among the ignored findings it holds, among the others it has expired."""

    rule: str
    severity: Literal["warn", "fail"]
    commit: str | None
    path: str | None
    tensor: str | None
    value: float | None
    limit: float | None
    probability: float | None
    message: str
    name: str = ""
    ignore: IgnoredFor | None = None


@dataclass(frozen=True)
class LikelyCause:
    cause: Literal["data shift", "label corruption", "learning rate", "corruption", "wrong checkpoint"]
    probability: float


@dataclass(frozen=True)
class CheckedCommit:
    """``score``: larger is more abnormal, comparable across commits; None where there was nothing to judge by.

    ``blocked``: nothing was judged, as the weights that the pointer under ``path`` stands for were not fetched.
    ``lineage`` is the name of the one that it stands in, or, for a file, that it was judged by. ``pointer`` is the path
    of the pointer that named the commit. ``causes``: what may be wrong, the likeliest first; empty where nothing is.
    ``lacking``: what its step could not be judged without, ``past`` being checkpoints before it, ``tensors`` such as
    were given up; ``step`` where it is none.
    """

    id: str | None
    path: str | None
    verdict: VerdictName
    score: float | None
    reason: str = ""
    blocked: bool = False
    lineage: str | None = None
    pointer: str | None = None
    causes: tuple[LikelyCause, ...] = ()
    lacking: str | None = None

    @property
    def key(self) -> tuple[str | None, str | None]:
        """What its findings have as ``commit`` and ``path``."""
        return self.id, self.path if self.id is None else None


@dataclass(frozen=True)
class CheckResult:
    """``ignored`` findings count for no verdict. ``policy`` is the file that says so, None for the defaults."""

    verdict: VerdictName
    checked: int
    findings: tuple[Finding, ...]
    commits: tuple[CheckedCommit, ...]
    ignored: tuple[Finding, ...] = ()
    policy: str | None = None
