"""Markdown tables. Owns their form; knows no paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def table_head(titles: Sequence[str]) -> tuple[str, str]:
    """The first two lines of a Markdown table."""
    return table_row(titles), "|" + "---|" * len(titles)


def table_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """All lines of a Markdown table."""
    yield from table_head(titles)
    yield from map(table_row, rows)


def number(value: float | None, digits: int = 3) -> str:
    """A cell's number; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"
