"""A check's result as JUnit's XML, as GitLab, Jenkins and others read it: one test case for each checkpoint.

What fails the check is a failure, what could not be judged is skipped with the reason; warnings and ignored findings,
which JUnit has no word for, are the case's output.
"""

from __future__ import annotations

from xml.etree import ElementTree

from mvc.cli.reports.words import by_rule, found_in, named, standing, told, what
from mvc.cli.text import escape, number
from mvc.porcelain.results.checks import CheckedCommit, CheckResult


def render(result: CheckResult) -> str:
    failed = sum(commit.verdict == "fail" for commit in result.commits)
    skipped = sum(commit.verdict == "skip" for commit in result.commits)
    counts = {"tests": str(result.checked), "failures": str(failed), "errors": "0", "skipped": str(skipped)}
    suites = ElementTree.Element("testsuites", {"name": "mvc check", **counts})
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "mvc check", **counts})
    for commit in result.commits:
        suite.append(_case(commit, result))
    ElementTree.indent(suites)
    # ASCII, so that any stream can carry it; every text went through `escape`, so that XML can
    written: bytes = ElementTree.tostring(suites, encoding="us-ascii", xml_declaration=True)
    return written.decode("ascii")


def _case(commit: CheckedCommit, result: CheckResult) -> ElementTree.Element:
    group = f"mvc.{escape(commit.lineage)}" if commit.lineage else "mvc"
    case = ElementTree.Element("testcase", {"classname": group, "name": what(commit), "time": "0"})
    findings = by_rule(found_in(commit, result.findings))
    lines = [(rows[0].severity, f"{named(rows[0])}: {told(rows)}{_was(standing(rows[0]))}") for rows in findings]
    failures = [line for severity, line in lines if severity == "fail"]
    output = [f"warning: {line}" for severity, line in lines if severity == "warn"]
    output += [f"{standing(row)}: {named(row)}: {told([row])}" for row in found_in(commit, result.ignored)]
    output += [] if commit.score is None else [f"score {number(commit.score)}"]
    if commit.verdict == "fail":
        rules = ",".join(dict.fromkeys(rows[0].rule for rows in findings if rows[0].severity == "fail"))
        failure = ElementTree.SubElement(case, "failure", {"type": rules, "message": failures[0]})
        failure.text = "\n".join(failures)
    elif commit.verdict == "skip":
        ElementTree.SubElement(case, "skipped", {"message": escape(commit.reason)})
    if output:
        ElementTree.SubElement(case, "system-out").text = "\n".join(output)
    return case


def _was(text: str) -> str:
    return f" (was {text})" if text else ""
