"""How often each rule of steps speaks where nothing is wrong, by the numbers that ship.

    python -m benchmarks.drift.healthy --data mnist.npz --cache DIR --zoo DIR

Prints a Markdown table: healthy steps judged from the sixth checkpoint on, findings by rule, and steps with any, alone
and beside siblings. The held-out families were not fitted on; the others were.
"""

from __future__ import annotations

from collections import Counter

from benchmarks.drift.populations import CELLS, HELD_OUT
from benchmarks.drift.walks import FIRST, Walks, every, parser
from benchmarks.trajectory.populations import CARDS, FURTHER
from mvc.drift import STEP_RULES, judge_walk
from mvc.papers.tables import table_head, table_row


def spoken(found: Walks, *, siblings: bool) -> tuple[int, Counter[str]]:
    """Steps judged, and how many of them each rule, and any, speaks of."""
    steps, counts = 0, Counter[str]()
    for run, values in enumerate(found.healthy):
        beside = found.siblings(run) if siblings else None
        for judged in judge_walk(found.layout, values, siblings=beside, start=FIRST + 1):
            rules = {finding.rule for finding in judged.findings}
            counts.update([*rules, "any"] if rules else [])
            steps += 1
    return steps, counts


def main() -> None:
    asked = parser(__doc__ or "").parse_args()
    groups = {"cells": list(CELLS), "held out": list(HELD_OUT), "trajectories": [*CARDS, *FURTHER]}
    print("\n".join(table_head(("populations", "judged", "steps", *STEP_RULES, "any"))))
    for about, names in groups.items():
        found = list(every(asked, names))
        for siblings in (False, True):
            rows = [spoken(one, siblings=siblings) for one in found]
            steps, counts = sum(steps for steps, _ in rows), sum((counts for _, counts in rows), Counter[str]())
            shown = [str(counts[rule]) for rule in (*STEP_RULES, "any")]
            print(table_row((about, "beside siblings" if siblings else "alone", f"{steps:,}", *shown)), flush=True)


if __name__ == "__main__":
    main()
