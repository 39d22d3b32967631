"""Judges commits and files by their lineage's own past. Owns the verdict.

What is judged is chosen by `ranges`, what speaks against it gathered by `evidence`, how bad that is the policy's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from mvc.drift import RULES, About, Ruling
from mvc.errors import GoneError, InputError, PointerError
from mvc.objects import ObjectId
from mvc.porcelain.case import Case, open_case
from mvc.porcelain.evidence import gather
from mvc.porcelain.pointers import is_pointer
from mvc.porcelain.policy import read_policy
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.ranges import chosen
from mvc.porcelain.reading import History
from mvc.porcelain.results.checks import CheckedCommit, CheckResult, Finding, IgnoredFor, LikelyCause, VerdictName
from mvc.porcelain.revisions import locate, resolve
from mvc.porcelain.siblings import Teachers
from mvc.porcelain.workspace import Workspace

#: from the worst on: what the whole is called after
_ORDER: tuple[VerdictName, ...] = ("fail", "warn", "pass", "skip")


def check(
    workspace: Workspace,
    revisions: Sequence[str] = ("HEAD",),
    *,
    policy: Path | None = None,
    directory: Path = Path(),
    since: str | None = None,
    against: str | None = None,
    today: date | None = None,
    progress: Report = silent,
) -> CheckResult:
    """Judges revisions, ranges ``A..B`` and files, each against what came before it; nothing is written.

    ``since``: what is newer than that revision, see `ranges.chosen`. A file is judged where its weights are committed,
    else as if it went on from the nearest lineage tip; with ``against`` files are judged as if they went on from that
    revision. ``policy`` is a TOML file; the repository's unless given. ``today`` decides which ignores have expired; it
    is today unless given. A pointer whose weights were not fetched is skipped, and so is what cannot be judged
    without tensors that were given up, which its reason says. Raises InputError
    for a policy that cannot be used, and for commits together with ``against``.
    """
    rules, source = read_policy(workspace.repository.layout, policy)
    day = today or datetime.now(UTC).date()
    history = History(workspace)
    teachers = Teachers(workspace)
    targets = chosen(workspace, history, revisions, directory=directory, since=since)
    pointers = _pointers(workspace, revisions, directory)
    claimed = None if against is None else resolve(workspace, against, directory)
    if claimed is not None and (committed := next((t for t in targets if not isinstance(t, Path)), None)) is not None:
        message = f"{committed[:8]} is a commit: --against says what a file would go on from"
        raise InputError(message, hint="name files alone, or leave out --against")
    history.models(dict.fromkeys(c.id for t in targets if isinstance(t, str) for c in history.own_past(t)))
    findings: list[Finding] = []
    ignored: list[Finding] = []
    commits: list[CheckedCommit] = []
    for done, target in enumerate(targets):
        progress(done, len(targets), Path(target).name if isinstance(target, Path) else target[:8])
        try:
            with open_case(history, target, rules.limits, claimed) as case:
                evidence = gather(case, teachers)
        except PointerError as error:
            reason = f"nothing was judged: {error.message}; {error.hint}"
            commits.append(CheckedCommit(None, str(target), "skip", None, reason, blocked=True))
            continue
        except GoneError as error:
            lost, path = (None, str(target)) if isinstance(target, Path) else (target, _path(history, target))
            reason = f"nothing was judged: {error.message}"
            commits.append(CheckedCommit(lost, path, "skip", None, reason, lacking="tensors"))
            continue
        lineage = None if case.lineage is None else case.lineage.name
        about = About(case.commit or "", lineage or "", case.path or "")
        rulings = [ruling for item in evidence.findings if (ruling := rules.apply(item, about, day)) is not None]
        counted = [ruling for ruling in rulings if not ruling.ignored]
        findings.extend(_finding(case, ruling) for ruling in counted)
        ignored.extend(_finding(case, ruling) for ruling in rulings if ruling.ignored)
        verdict = _worst([*(ruling.severity for ruling in counted), "skip" if evidence.score is None else "pass"])
        score, reason = evidence.score, evidence.reason
        pointer = pointers.get(str(target))
        causes = tuple(LikelyCause(cause, chance) for cause, chance in evidence.causes)
        commits.append(
            CheckedCommit(
                case.commit,
                case.path,
                verdict,
                score,
                reason,
                lineage=lineage,
                pointer=pointer,
                causes=causes,
                lacking=evidence.lacking,
            )
        )
    whole = _worst(commit.verdict for commit in commits)
    policy_file = None if source is None else str(source)
    return CheckResult(whole, len(commits), tuple(findings), tuple(commits), tuple(ignored), policy_file)


def _pointers(workspace: Workspace, revisions: Sequence[str], directory: Path) -> dict[str, str]:
    """Commits that were named by a pointer → its path: what git carries is where a report may point to."""
    named = (locate(workspace, text, directory) for text in revisions if is_pointer(directory / text))
    return {commit: str(path) for commit, path in named if path is not None}


def _path(history: History, commit: str) -> str:
    return history.workspace.repository.commit(ObjectId(commit)).path


def _worst(verdicts: Iterable[str]) -> VerdictName:
    present = set(verdicts)
    return next((name for name in _ORDER if name in present), "skip")


def _finding(case: Case, ruling: Ruling) -> Finding:
    found, ignore = ruling.finding, ruling.ignore
    expires = None if ignore is None or ignore.expires is None else ignore.expires.isoformat()
    return Finding(
        rule=found.rule,
        severity="fail" if ruling.severity == "fail" else "warn",
        commit=case.commit,
        path=case.path if case.commit is None else None,
        tensor=found.tensor,
        value=found.value,
        limit=found.limit,
        probability=found.probability,
        message=found.message,
        name=RULES[found.rule].name,
        ignore=None if ignore is None else IgnoredFor(ignore.reason, expires),
    )
