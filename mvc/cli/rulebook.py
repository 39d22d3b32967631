"""Writes what the catalogue says of each rule into a document or a policy, between two marks; the rest stays as it is.

python -m mvc.cli.rulebook docs/rules.md .mvc-template/policy.toml
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mvc.drift import RULES, Rule
from mvc.errors import InputError
from mvc.storage import REAL, atomic_write

#: what the marks say, and how they are written into a file with this suffix
BEGIN, END = "rules: written by `make rules`", "rules: end"
_COMMENTS = {".md": ("<!-- ", " -->"), ".toml": ("# ", "")}


def brought_up_to_date(document: str, suffix: str) -> str:
    """The document with all rules between the marks. Raises InputError for one without the marks."""
    start, stop = _COMMENTS[suffix]
    first, last = f"{start}{BEGIN}{stop}\n", f"{start}{END}{stop}\n"
    before, begin, rest = document.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise InputError(
            f"there is no place for the rules: {first.strip()} … {last.strip()}", hint="put in the two marks"
        )
    written = rulebook if suffix == ".md" else severities
    return f"{before}{first}{written(list(RULES.values()))}{last}{after}"


def severities(rules: Sequence[Rule]) -> str:
    """All rules with their default severities, as comments in a policy's table."""
    return "".join(f'# {rule.id} = "{rule.severity}"  # {rule.name}: {rule.summary}\n' for rule in rules)


def rulebook(rules: Sequence[Rule]) -> str:
    """All rules in Markdown: a table to find one by, then each in full."""
    lines = ["| rule | name | group | default | speaks where |", "|---|---|---|---|---|"]
    for rule in rules:
        link = f"[{rule.id}](#{rule.id.lower()}-{rule.name})"
        lines.append(f"| {link} | {rule.name} | {rule.group} | {rule.severity} | {rule.summary} |")
    for rule in rules:
        limit = "" if rule.limit is None else f" Limit: {rule.limit:g} ({rule.unit})."
        lines += [
            "",
            f"### {rule.id} {rule.name}",
            f"Group {rule.group}; {rule.severity} by default.{limit}",
            "",
            f"- **Catches.** {rule.catches}",
            f"- **Misses.** {rule.misses}",
            f"- **What to do.** {rule.remedy}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        atomic_write(REAL, path, (brought_up_to_date(path.read_text("utf-8"), path.suffix).encode(),), overwrite=True)
