"""`mvc check`: abnormal drift against the lineage's own past."""

from __future__ import annotations

import click

from mvc.cli import completing, output
from mvc.cli.messages import hint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.reports import github, junit, sarif, text
from mvc.porcelain.check import check
from mvc.porcelain.log import log
from mvc.porcelain.results.checks import CheckResult
from mvc.storage import REAL, atomic_write

#: forms that other programs read
_FORMS = {
    "json": lambda result: output.as_json(result, "check"),
    "sarif": sarif.render,
    "junit": junit.render,
    "github": github.render,
}


@click.command()
@click.argument("revisions", nargs=-1, metavar="[REV|A..B|PATH]...", shell_complete=completing.models)
@click.option("--all", "everything", is_flag=True, help="Check every commit.")
@completing.revision_option("--since", about="Check what was recorded after REV, or follows it on a trajectory.")
@completing.revision_option(
    "--against", metavar="REV|LINEAGE", about="Judge files as if they went on from this commit or lineage."
)
@click.option("--policy", type=click.Path(), metavar="FILE", help="Use this policy instead of the repository's.")
@click.option("--format", "form", type=click.Choice(["text", *_FORMS]), help="Form of the report.  [default: text]")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(),
    metavar="FILE",
    help="Write the report to FILE; print the text as well.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever is found.")
@json_option
@pass_session
def command(
    session: Session,
    revisions: tuple[str, ...],
    everything: bool,
    since: str | None,
    against: str | None,
    policy: str | None,
    form: str | None,
    target: str | None,
    exit_zero: bool,
    as_json: bool,
) -> int:
    """Judge commits (HEAD unless given), ranges or uncommitted files by their lineage's own past. `A..B` is the
    trajectory of B without that of A; a side left out is HEAD. Nothing is written but a report. Exits with 1 if a
    checkpoint fails; what makes it fail is set in .mvc/policy.toml or [tool.mvc] of pyproject.toml."""
    shown = "json" if as_json else "text"
    form = form or shown
    if target is None and as_json and form != "json":
        raise click.UsageError(f"--json and --format {form} exclude each other without --output")
    with progress("checking") as report:
        workspace = open_workspace(session, told=report)
        if everything:
            revisions = (*revisions, *(c.id for row in log(workspace).lineages for c in row.commits))
        result = check(
            workspace,
            revisions if revisions or since is not None else ("HEAD",),
            policy=None if policy is None else session.path(policy),
            directory=session.directory,
            since=since,
            against=against,
            progress=report,
        )
    if target is not None:
        atomic_write(REAL, session.path(target), (f"{_report(result, form).rstrip()}\n".encode(),), overwrite=True)
    else:
        shown = form
    if shown == "text":
        output.emit_lines(text.render(result, output.prose_width()))
        if result.findings:
            hint(f"what a rule means: mvc explain {result.findings[0].rule}")
    else:
        click.echo(_report(result, shown))
    return int(result.verdict == "fail" and not exit_zero)


def _report(result: CheckResult, form: str) -> str:
    if form == "text":
        return "\n".join(click.unstyle(line) for line in text.render(result))
    return _FORMS[form](result)
