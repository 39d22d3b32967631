"""How far a run's own checkpoints stand out from strangers: the links that the cut into families has to tell apart.

    python -m benchmarks.trajectory.kinship --data mnist.npz [--seeds N]

Prints a Markdown table: of the links of single linkage, the weakest within a run and the strongest between two runs, in
standard deviations of their null, each with its cosine. A cut without mistakes leaves the limit between the two.
"""

from __future__ import annotations

import numpy as np

from benchmarks.trajectory.populations import parser, trained
from mvc.papers.tables import table_head, table_row
from mvc.trajectory.kinship import kinship


def main() -> None:
    asking = parser(__doc__ or "")
    asking.add_argument("--seeds", type=int, help="runs of each population, unless as many as its card says")
    asked = asking.parse_args()
    titles = ("population", "weakest within a run: σ, cosine", "strongest between runs: σ, cosine", "limit")
    print("\n".join(table_head(titles)))
    for name in asked.only:
        population = trained(name, asked.data, asked.cache, seeds=asked.seeds)
        seeds, length = population.weights.shape[:2]
        vectors = np.concatenate([population.vectors(seed) for seed in range(seeds)]).astype(np.float64)
        found = kinship(vectors, population.blocks())
        runs = found.edges // length  # (links, 2)
        own = runs[:, 0] == runs[:, 1]
        sigmas = found.links / found.null
        ends = []
        for among, pick in ((own, np.argmin), (~own, np.argmax)):
            at = int(np.flatnonzero(among)[pick(sigmas[among])])
            ends.append(f"{sigmas[at]:.1f}, {found.links[at]:.2f}")
        print(table_row((name, *ends, f"{found.limit:.1f}")), flush=True)


if __name__ == "__main__":
    main()
