"""How weighted averages look in text: ``= 0.25 × run-1@9 + 0.25 × run-2@9``. Shared by log and show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mvc.cli.text import count, escape, fit, short, width
from mvc.porcelain.results.logs import LogCommit, LogLineage

#: lines that the sources of one average take before the rest is counted
LINES = 3


@dataclass(frozen=True)
class Source:
    """A commit, the lineage and the position that it stands at if they are known, and its weight."""

    commit: str
    weight: float
    lineage: str | None = None
    position: int = 0


def positions(lineages: Iterable[LogLineage]) -> dict[str, tuple[str, int]]:
    """Commit → name of its lineage and position in it."""
    return {commit.id: (row.name, commit.position) for row in lineages for commit in row.commits}


def mixture_words(commit: LogCommit, places: Mapping[str, tuple[str, int]], columns: int) -> Iterator[str]:
    """Lines for a commit that is an average; none for any other."""
    if commit.mixture:
        parts = [Source(part.commit, part.weight, *places.get(part.commit, (None, 0))) for part in commit.mixture]
        yield from mixture_lines(parts, columns, all_by=f"mvc show {short(commit.id)}")


def mixture_lines(parts: Sequence[Source], columns: int, *, most: int = LINES, all_by: str = "") -> Iterator[str]:
    """The average as lines of at most ``columns``; sources that do not fit into ``most`` lines are counted.

    Neighbours of one lineage with the same weight are one term. ``all_by`` is the command that shows all.
    """
    terms = list(_terms(parts, max(10, columns // 2)))
    lines: list[str] = []
    while terms:
        text, _ = terms[0]
        if lines and width(joined := f"{lines[-1]} {text}") <= columns:
            lines[-1] = joined
        elif len(lines) < most:
            lines.append(fit(text, columns, keep="start"))
        else:
            break
        terms.pop(0)
    yield from lines
    if left := sum(size for _, size in terms):
        by = f" ({all_by} shows them)" if all_by else ""
        yield fit(f"… {count(left, 'more source')}{by}", columns, keep="start")


def _terms(parts: Sequence[Source], room: int) -> Iterator[tuple[str, int]]:
    """Text of each term with its sign, and how many sources it stands for."""
    first = True
    for group in _groups(parts):
        weight = group[0].weight
        sign = ("= " if weight >= 0 else "= -") if first else ("+ " if weight >= 0 else "- ")
        yield f"{sign}{_figure(abs(weight))} × {_name(group, room)}", len(group)
        first = False


def _groups(parts: Sequence[Source]) -> Iterator[list[Source]]:
    """Sources in the order of their weights, runs of neighbours with equal weights together."""
    ordered = sorted(
        parts, key=lambda part: (-abs(round(part.weight, 4)), part.weight < 0, part.lineage or "", part.position)
    )
    group: list[Source] = []
    for part in ordered:
        last = group[-1] if group else None
        joins = (
            last is not None
            and part.lineage is not None
            and (part.lineage, part.position) == (last.lineage, last.position + 1)
            and _figure(part.weight) == _figure(last.weight)
        )
        if group and not joins:
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _figure(weight: float) -> str:
    return f"{weight:.3f}".rstrip("0").rstrip(".")


def _name(group: Sequence[Source], room: int) -> str:
    first, last = group[0], group[-1]
    if first.lineage is None:
        return short(first.commit)
    name = fit(escape(first.lineage), room, keep="both")
    if len(group) == 1:
        return f"{name}@{first.position}"
    return f"each of {name}@{first.position}…{last.position}"
