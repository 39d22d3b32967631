"""`mvc check`: abnormal drift against the lineage's own past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import count, escape, number, pad, short
from mvc.porcelain.check import check
from mvc.porcelain.log import log
from mvc.porcelain.results import CheckedCommit, CheckResult, Finding, VerdictName

#: so many commits are listed even if nothing is wrong with them
FEW = 3
_STYLE = {"pass": "good", "warn": "warn", "fail": "bad", "skip": "dim"}
_SIGN = {"pass": "✓", "warn": "!", "fail": "✗", "skip": "·"}


def render(result: CheckResult) -> Iterator[str]:
    """What is wrong first, commit by commit; what passed is counted."""
    for commit in result.commits:
        name = short(commit.id) if commit.id else escape(commit.path)
        findings, ignored = found_in(commit, result.findings), found_in(commit, result.ignored)
        if len(result.commits) > FEW and not findings and not ignored and commit.verdict in ("pass", "skip"):
            continue
        score = f"  score {number(commit.score)}" if commit.score is not None else ""
        where = f"  {paint(escape(commit.path), 'dim')}" if commit.id and commit.path else ""
        sign = paint(f"{_SIGN[commit.verdict]} {pad(commit.verdict, 4)}", _STYLE[commit.verdict])
        yield f"{sign}  {paint(name, 'id')}{where}{score}"
        if commit.reason:
            yield f"        {escape(commit.reason)}"
        yield from (f"        {line}" for finding in findings for line in _lines(finding))
        yield from (paint(f"        {line}", "dim") for finding in ignored for line in _lines(finding, ignored=True))
    counts = Counter(commit.verdict for commit in result.commits)
    words: dict[VerdictName, str] = {
        "fail": "failed",
        "warn": "to look at",
        "skip": "with too little before them to judge by",
    }
    parts = [paint(f"{counts['pass']:,} passed", "good" if counts["pass"] else "dim")]
    parts += [paint(f"{counts[name]:,} {word}", _STYLE[name]) for name, word in words.items() if counts[name]]
    parts += [paint(f"{count(len(result.ignored), 'finding')} ignored", "dim")] if result.ignored else []
    yield f"{count(result.checked, 'checkpoint')} checked: {', '.join(parts)}"


def found_in(commit: CheckedCommit, findings: Iterable[Finding]) -> list[Finding]:
    """Those of one commit or file."""
    key = (commit.id, commit.path if commit.id is None else None)
    return [finding for finding in findings if (finding.commit, finding.path) == key]


def _lines(finding: Finding, *, ignored: bool = False) -> Iterator[str]:
    rule = f"{escape(finding.rule)} {escape(finding.name)}"
    tensor = f" in {escape(finding.tensor)}" if finding.tensor else ""
    head = f"ignored: {rule}" if ignored else paint(rule, _STYLE[finding.severity])
    yield f"{head}{tensor}: {escape(finding.message)}"
    if finding.ignore is not None:
        until, reason = escape(finding.ignore.expires), escape(finding.ignore.reason)
        if ignored:
            yield f"  because {reason}" + ("" if finding.ignore.expires is None else f" (until {until})")
        else:
            yield f"  was ignored until {until}: {reason}"


@click.command()
@click.argument("revisions", nargs=-1, metavar="[REV|A..B|PATH]...", shell_complete=completing.revisions)
@click.option("--all", "everything", is_flag=True, help="Check every commit.")
@click.option("--since", metavar="REV", help="Check what was recorded after REV, or follows it on a trajectory.")
@click.option("--policy", metavar="FILE", help="Use this policy instead of the repository's.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Form of the report.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@json_option
@pass_session
def command(
    session: Session,
    revisions: tuple[str, ...],
    everything: bool,
    since: str | None,
    policy: str | None,
    form: str,
    exit_zero: bool,
    as_json: bool,
) -> int:
    """Judge commits (HEAD unless given), ranges or uncommitted files by their lineage's own past: step length, turning
    angle, values that are not finite. Exits with 1 if one fails."""
    policy_path: Path | None = None if policy is None else session.path(policy)
    workspace = open_workspace(session)
    if everything:
        revisions = (*revisions, *(c.id for row in log(workspace).lineages for c in row.commits))
    if not revisions and since is None:
        revisions = ("HEAD",)
    result = check(workspace, revisions, policy=policy_path, directory=session.directory, since=since)
    if as_json or form == "json":
        output.emit_json(result, "check")
    else:
        output.emit_lines(render(result))
    return int(result.verdict == "fail" and not exit_zero)
