"""How often the rules of check speak where nothing is wrong: every step of healthy runs, judged as it was made.

    python -m benchmarks.drift.healthy --data mnist.npz

Prints a Markdown table: steps judged, findings a thousand steps by rule (the limit allows 0.1), and the same over a
run's last fifth, where schedules end. Each run is judged beside the other runs of its population, in true order.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.trajectory.populations import arguments, trained
from mvc.drift import LIMIT, RULES, Normal, judge_all
from mvc.papers.tables import table_head, table_row


def main() -> None:
    asked = arguments(__doc__ or "")
    rules = [rule for rule in RULES if rule != "MVC001"]  # of values that are not finite
    print("\n".join(table_head(("population", "steps", *rules, "any", "any, last fifth"))))
    for name in asked.only:
        population = trained(name, asked.data, asked.cache)
        paths = [population.vectors(run).astype(np.float64) for run in range(len(population.weights))]
        steps, last, spoken, late = 0, 0, Counter[str](), 0
        for run, path in enumerate(paths):
            siblings = Normal.of(other for number, other in enumerate(paths) if number != run)
            for point, judged in enumerate(judge_all(path, siblings=siblings)):
                if judged.score is None:
                    continue
                found = {finding.rule for finding in judged.findings}
                in_last = point >= 0.8 * len(path)
                steps, last = steps + 1, last + in_last
                spoken.update([*found, "any"] if found else [])
                late += bool(found) and in_last
        rates = [f"{1000 * spoken[rule] / steps:.1f}" for rule in (*rules, "any")]
        print(table_row((name, f"{steps:,}", *rates, f"{1000 * late / max(last, 1):.1f}")), flush=True)
    print(f"\nFindings a thousand steps; the limit of each rule is {1000 * LIMIT:g}.")


if __name__ == "__main__":
    main()
