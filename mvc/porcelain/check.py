"""Judges commits and files by their lineage's own past. Owns what is judged against what, severities and the verdict.

The judgement itself is `mvc.drift`'s; how bad a finding is, the policy's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mvc.drift import RULES, Normal, RuleFinding, Severity, judge
from mvc.errors import InputError, NotFoundError
from mvc.formats import open_checkpoint
from mvc.objects import ObjectId
from mvc.porcelain.flags import NOT_FINITE, ring_of, root_contents, siblings_of
from mvc.porcelain.reading import History, Model, find_side, read_model
from mvc.porcelain.results import CheckedCommit, CheckResult, Finding, LogLineage, VerdictName
from mvc.porcelain.workspace import Workspace

#: severities that a policy need not name
_DEFAULTS: Mapping[str, Severity] = {rule.id: rule.severity for rule in RULES.values()}


def check(
    workspace: Workspace, revisions: Sequence[str] = ("HEAD",), *, policy: Path | None = None, directory: Path = Path()
) -> CheckResult:
    """Judges revisions, ranges ``A..B`` (B's trajectory without A's) and files, each against what came before it.

    A file is judged where its weights are committed, else as if it went on from the nearest lineage tip. ``policy`` is
    a TOML file; the repository's unless given. Raises InputError for a policy that cannot be used.
    """
    severities = read_policy(
        workspace.repository.layout.policy if policy is None else policy, required=policy is not None
    )
    history = History(workspace)
    siblings = _Siblings(history)
    findings: list[Finding] = []
    commits: dict[str, CheckedCommit] = {}
    targets = _targets(workspace, history, revisions, directory)
    history.models(dict.fromkeys(c.id for t in targets if isinstance(t, str) for c in history.trajectory(t)))
    for target in targets:
        key = str(target)
        if key not in commits:
            checked, found = _check_one(history, target, severities, siblings)
            commits[key] = checked
            findings.extend(found)
    verdicts = {commit.verdict for commit in commits.values()}
    order: tuple[VerdictName, ...] = ("fail", "warn", "pass", "skip")
    verdict: VerdictName = next((name for name in order if name in verdicts), "skip")
    return CheckResult(verdict, len(commits), tuple(findings), tuple(commits.values()))


def read_policy(path: Path, *, required: bool) -> Mapping[str, Severity]:
    """Rule → severity. Raises InputError for unknown rules or severities, NotFoundError for a missing file."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if required:
            raise NotFoundError(f"there is no policy {str(path)!r}", hint="name another file with --policy") from None
        return _DEFAULTS
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} is no policy: {error}", hint="correct the file", code="bad-policy") from None
    rules = table.get("rules", {})
    bad = sorted(set(table) - {"rules"}) or (sorted(set(rules) - set(RULES)) if isinstance(rules, dict) else ["rules"])
    if bad:
        hint = f"[rules] may name: {', '.join(RULES)}"
        raise InputError(f"{str(path)!r}: unknown or unusable key {bad[0]!r}", hint=hint, code="bad-policy")
    for rule, severity in rules.items():
        if severity not in ("warn", "fail", "off"):
            message = f"{str(path)!r}: {rule} cannot be {severity!r}"
            raise InputError(message, hint='use "fail", "warn" or "off"', code="bad-policy")
    return {**_DEFAULTS, **rules}


def _targets(workspace: Workspace, history: History, revisions: Sequence[str], directory: Path) -> list[str | Path]:
    """Commits' ids and paths, in the order asked for."""
    found: list[str | Path] = []
    for text in revisions:
        before, dots, after = text.partition("..")
        if not dots or text.startswith((".", "/")) or (directory / text).exists():
            found.append(find_side(workspace, text, directory))
            continue
        last = find_side(workspace, after or "HEAD", directory)
        first = find_side(workspace, before, directory)
        if isinstance(last, Path) or isinstance(first, Path):
            raise InputError(f"{text!r} is a range of commits, not of files", hint="name files one by one")
        known = {commit.id for commit in history.trajectory(first)}
        found.extend(commit.id for commit in history.trajectory(last) if commit.id not in known)
    return found


def _check_one(
    history: History, target: str | Path, severities: Mapping[str, Severity], siblings: _Siblings
) -> tuple[CheckedCommit, list[Finding]]:
    commit_id: str | None = None
    path: str | None
    if isinstance(target, Path):
        with open_checkpoint(target) as opened:
            model = read_model(opened)
        same = history.same(model)
        tip = history.nearest_tip(model)
        place = same or (None if tip is None else tip.id)
        before = () if place is None else history.own_past(place)[: None if same is None else -1]
        path = str(target)
        lineage = None if place is None else history.lineage(place)
    else:
        model = history.model(target)
        before = history.own_past(target)[:-1]
        placed = history.placed(target)
        commit_id, path = target, None if placed is None else placed.path
        lineage = history.lineage(target)
    vectors = [known.vector for known in history.models(commit.id for commit in before)]
    broken = _not_finite(model)
    score, reason = None, "its trajectory has another architecture"
    if all(vector.size == model.vector.size for vector in vectors):
        judgement = judge(np.stack([*vectors, model.vector]), siblings=siblings.of(model, lineage))
        score, reason = judgement.score, judgement.reason
        broken += judgement.findings
    findings = [
        Finding(
            rule=item.rule,
            severity=severity,
            commit=commit_id,
            path=path if commit_id is None else None,
            tensor=item.tensor,
            value=item.value,
            limit=item.limit,
            probability=item.probability,
            message=item.message,
        )
        for item in broken
        if (severity := severities.get(item.rule, "warn")) != "off"
    ]
    bad = {item.severity for item in findings}
    verdict: VerdictName = "fail" if "fail" in bad else "warn" if "warn" in bad else "skip" if score is None else "pass"
    return CheckedCommit(commit_id, path, verdict, score, reason), findings


def _not_finite(model: Model) -> tuple[RuleFinding, ...]:
    return tuple(
        RuleFinding(
            NOT_FINITE,
            f"{signature.nonfinite:,} of {signature.numel:,} values are NaN or infinite",
            float(signature.nonfinite),
            0.0,
            tensor=name,
        )
        for name, signature in model.signatures.items()
        if signature.nonfinite
    )


class _Siblings:
    """What other lineages of an architecture teach of normal steps; each is read once."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._roots = history.workspace.read(root_contents)
        self._normal: dict[str, Normal] = {}

    def of(self, model: Model, own: LogLineage | None) -> Normal:
        """Lineages beside ``own``, the same as the log's flags are judged by."""
        alike = {self._roots[ObjectId(row.id)]: row for row in self._history.alike(model)}
        root = None if own is None else self._roots[ObjectId(own.id)]
        chosen = siblings_of(root, ring_of({key: len(row.commits) for key, row in alike.items()}))
        others = [self._one(alike[key]) for key in chosen]
        return Normal(
            tuple(errors for other in others for errors in other.lengths),
            tuple(errors for other in others for errors in other.turns),
        )

    def _one(self, row: LogLineage) -> Normal:
        if row.id not in self._normal:
            path = [known.vector for known in self._history.models(commit.id for commit in row.commits)]
            alike = len({vector.size for vector in path}) == 1
            self._normal[row.id] = Normal.of([np.stack(path)]) if alike else Normal()
        return self._normal[row.id]
