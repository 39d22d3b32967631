"""Every row of `docs/internals/reliability.md` has tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = TESTS.parent / "docs" / "internals" / "reliability.md"
ROWS = 38


def rows() -> dict[int, list[str]]:
    """Number → tests, as file::function."""
    found = {}
    for line in TABLE.read_text("utf-8").splitlines():
        if match := re.match(r"\| (\d+) \|", line):
            found[int(match[1])] = re.findall(r"`(test_\w+\.py::test_\w+)`", line.rpartition(" | ")[2])
    return found


def functions() -> set[str]:
    """Every test there is, as file::function; methods of a class of tests count as its functions."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{path.name}::{node.name}")
    return found


def test_every_row_has_tests_that_exist() -> None:
    table = rows()
    assert sorted(table) == list(range(1, ROWS + 1))
    assert [number for number, tests in table.items() if not tests] == []
    missing = {number: gone for number, tests in table.items() if (gone := set(tests) - functions())}
    assert missing == {}
