"""What a commit's page shows beyond its row: the diff from the commit before, and blame. Owns which commits have one.

Both come from records and sketches in the index; no weights are read.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection

from mvc.drift.profiles import StepProfile
from mvc.porcelain.ancestry import ancestry_of_commit
from mvc.porcelain.blame import attribute
from mvc.porcelain.reporting.layers import read_steps
from mvc.porcelain.reporting.stock import Stock
from mvc.report import Blamed, CommitPage, Table

#: commits that have a page with diff and blame, tensors and contributing commits on it
PAGES, TENSORS, SHARES = 240, 30, 16


def make_pages(stock: Stock, judged: Collection[int]) -> dict[int, CommitPage]:
    """Of all commits where they are few; else of those that break a rule, of ends, of forks and of averages first, and
    of as many others, evenly."""
    everyone = range(len(stock.commits))
    chosen: list[int] = list(everyone)
    if len(chosen) > PAGES:
        ends = {number for numbers in stock.members for number in (numbers[0], numbers[-1])}
        marked = [n for n in everyone if stock.commits[n].flags or stock.commits[n].mixture or stock.commits[n].tags]
        found = [row.forked_from.commit for row in stock.lineages if row.forked_from is not None]
        origins = [stock.numbers[commit] for commit in found if commit in stock.numbers]
        stride = max(1, len(everyone) // PAGES)
        ordered = [*marked, *origins, *sorted(ends), *sorted(judged), *everyone[::stride]]
        chosen = sorted(list(dict.fromkeys(ordered))[:PAGES])
        stock.notes.append(
            f"{PAGES:,} of {len(everyone):,} commits have tensors and blame on their page: what breaks a rule, forks, "
            "averages, tags and ends of lineages first; for others run: mvc diff, mvc blame"
        )
    by_lineage: dict[int, list[int]] = defaultdict(list)
    for number in chosen:
        by_lineage[stock.home[number]].append(number)
    first = {content: number for number, content in reversed(list(enumerate(stock.contents)))}
    pages = {}
    for numbers in by_lineage.values():
        steps = read_steps(stock, numbers)
        for number in numbers:
            before = diff = None
            if number in steps:
                content, step = steps[number]
                before, diff = _nearest(stock, number, content, first), _diff(step)
            pages[number] = CommitPage(before, diff, _blame(stock, number))
    return pages


def _nearest(stock: Stock, number: int, content: str, first: dict[str, int]) -> int | None:
    """The commit with these weights that stands last before this one, or the first anywhere."""
    own = stock.members[stock.home[number]]
    there = [n for n in own if n < number and stock.contents[n] == content]
    return there[-1] if there else first.get(content)


def _diff(step: StepProfile) -> Table:
    """The tensors with the largest share of the squared distance."""
    whole = step.squared_distance
    ordered = sorted(step.tensors.items(), key=lambda item: (-item[1].squared_distance, item[0]))[:TENSORS]
    return Table(
        {
            "name": [name for name, _ in ordered],
            "numel": [tensor.numel for _, tensor in ordered],
            "changed": [tensor.changed for _, tensor in ordered],
            "distance": [_short(tensor.distance) for _, tensor in ordered],
            "relative": [
                _short(tensor.distance / math.sqrt(both))
                if (both := (tensor.squared_before + tensor.squared_now) / 2) > 0
                else None
                for _, tensor in ordered
            ],
            "cosine": [None if tensor.cosine is None else round(tensor.cosine, 6) for _, tensor in ordered],
            "share": [round(tensor.squared_distance / whole, 4) if whole > 0 else 0.0 for _, tensor in ordered],
        }
    )


def _blame(stock: Stock, number: int) -> Blamed | None:
    """None for a commit without a past."""
    history, commit = stock.history, stock.commits[number]
    if not history.sources(commit.id):
        return None
    rows = attribute(ancestry_of_commit(history, commit.id))
    shares: dict[str, float] = defaultdict(float)
    whole = sum((row.displacement or 0.0) ** 2 for row in rows)
    for row in rows:
        for part in row.contributions:
            shares[part.commit] += part.share * (row.displacement or 0.0) ** 2 / whole if whole > 0 else 0.0
    largest = sorted(shares.items(), key=lambda item: (-abs(item[1]), item[0]))[:SHARES]
    known = [(stock.numbers[name], share) for name, share in largest if name in stock.numbers]
    tensors = sorted(rows, key=lambda row: (-(row.displacement or 0.0), row.name))[:TENSORS]
    return Blamed(
        Table({"c": [c for c, _ in known], "share": [round(share, 4) for _, share in known]}),
        Table(
            {
                "name": [row.name for row in tensors],
                "c": [stock.numbers.get(row.commit) for row in tensors],
                "displacement": [None if row.displacement is None else _short(row.displacement) for row in tensors],
            }
        ),
    )


def _short(value: float) -> float:
    return float(f"{value:.4g}")
