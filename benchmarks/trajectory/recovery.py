"""How much of a population inference recovers when its checkpoints are thrown together, the number of runs not given.

    python -m benchmarks.trajectory.recovery --data mnist.npz

Prints a Markdown table: runs found of runs there, purity by checkpoints, adjacent pairs in order up to reversal (mean
and worst run), directions stated and right.
"""

from __future__ import annotations

from benchmarks.trajectory.populations import arguments, trained
from mvc.papers.lineages.engine import judge_engine
from mvc.papers.lineages.tables import ENGINE_COLUMNS, engine_row
from mvc.papers.tables import table_head, table_row


def main() -> None:
    asked = arguments(__doc__ or "")
    print("\n".join(table_head(("population", *ENGINE_COLUMNS))))
    for name in asked.only:
        population = trained(name, asked.data, asked.cache)
        scores = judge_engine(population.weights, population.card.architecture.shapes(), initial=True)
        print(table_row((name, *engine_row(scores))), flush=True)


if __name__ == "__main__":
    main()
