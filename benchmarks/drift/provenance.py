"""How often declared facts are doubted that are right, and found that are wrong, on trained populations.

python -m benchmarks.drift.provenance --data mnist14.npz --cache DIR --drifted DIR
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.drift.populations import CELLS, HELD_OUT, drifted
from benchmarks.trajectory.populations import CARDS, FURTHER, parser, trained
from mvc.drift import RULES
from mvc.drift.provenance import misplaced, nearer, runs_backwards, strangers
from mvc.papers.lineages.engine import signatures
from mvc.trajectory import Block, lay_out
from mvc.trajectory.kinship import telling, varying
from mvc.trajectory.mst import Floats
from mvc.trajectory.ordering import squared_distances
from mvc.zoo.cards import Card

STEP, PARENT = (float(RULES[rule].limit or 0) for rule in ("MVC018", "MVC019"))
#: checkpoints of a late window; moves tried in each order
WINDOW, MOVES = 12, 8


def windows(path: Floats) -> Iterator[Floats]:
    """The whole run, and overlapping parts of it."""
    yield path
    for start in range(0, len(path) - WINDOW, WINDOW // 2):
        yield path[start : start + WINDOW]


def moved(path: Floats, away: range, rng: np.random.Generator) -> tuple[Floats, int]:
    """The path with one point put so many places away, and where it stands then."""
    n = len(path)
    pairs = [(i, q) for i in range(n) for q in range(n) if abs(q - i) in away]
    i, q = pairs[int(rng.integers(len(pairs)))]
    order = [j for j in range(n) if j != i]
    order.insert(q, i)
    return path[order], q


def steps(path: Floats, blocks: tuple[Block, ...], rng: np.random.Generator) -> dict[str, list[float]]:
    """Rates: healthy orders that are doubted; moved points that are found, alone; reversed orders that are found."""
    told: dict[str, list[float]] = {"alarm": [], "far": [], "near": [], "alone": [], "reversed": []}
    for part in windows(path):
        wrong = misplaced(squared_distances(part), STEP)
        told["alarm"].append(bool(wrong) or runs_backwards(part, blocks, forked=False) is not None)
        told["reversed"].append(runs_backwards(part[::-1], blocks, forked=False) is not None)
        for kind, away in (("far", range(6, len(part))), ("near", range(2, 6))):
            for _ in range(MOVES):
                declared, place = moved(part, away, rng)
                points = [row.point for row in misplaced(squared_distances(declared), STEP)]
                told[kind].append(place in points)
                if points:
                    told["alone"].append(points == [place])
    return told


def report(name: str, told: dict[str, list[float]]) -> None:
    rates = " ".join(f"{100 * float(np.mean(rows)):6.1f} of {len(rows):5d}" for rows in told.values() if rows)
    print(f"{name:36s} {rates}", flush=True)


def report_steps(name: str, paths: Sequence[Floats], blocks: tuple[Block, ...]) -> None:
    rng = np.random.default_rng(0)
    rows = [steps(path, blocks, rng) for path in paths]
    report(name, {kind: [x for row in rows for x in row[kind]] for kind in rows[0]})


def vectors(card: Card, weights: Floats) -> Floats:
    return signatures(weights, list(card.architecture.shapes().values())).astype(np.float64)


def parents(card: Card, cache: Path, data: Path) -> dict[str, list[float]]:
    """Rates: true parents that are doubted, after healthy steps and after shifts; wrong ones that are found."""
    cell = drifted(card, data, cache)
    blocks = lay_out(card.architecture.shapes().items())
    told: dict[str, list[float]] = {"healthy": [], "shifted": [], "stranger": [], "later": []}
    for seed, run in enumerate(cell.healthy):
        path = vectors(card, run)
        other = vectors(card, cell.healthy[(seed + 1) % len(cell.healthy)])
        for t in range(2, len(path)):
            told["healthy"].append(doubted(path[t], path[t - 1], path[: t - 1], blocks))
            told["stranger"].append(doubted(path[t], other[t - 1], np.concatenate([path[:t], other[: t - 1]]), blocks))
            if t + 4 < len(path):
                told["later"].append(doubted(path[t], path[t + 4], path[:t], blocks))
        for shifts, age in zip(cell.shifted, cell.ages, strict=True):
            for child in vectors(card, shifts[:, seed]):
                told["shifted"].append(doubted(child, path[age], path[:age], blocks))
    return told


def siblings(card: Card, file: Path) -> dict[str, list[float]]:
    """Rates: the fork point as declared parent is doubted; a sibling's tip, or its middle, is."""
    kept = np.load(file)
    blocks = lay_out(card.architecture.shapes().items())
    base, runs = vectors(card, kept["base"]), [vectors(card, run) for run in kept["weights"]]
    told: dict[str, list[float]] = {"true": [], "tip": [], "middle": []}
    for a, run in enumerate(runs):
        told["true"].append(doubted(run[0], base[-1], base[:-1], blocks))
        for b, sibling in enumerate(runs):
            for kind, at in (("tip", len(sibling) - 1), ("middle", len(sibling) // 2)):
                if a != b:
                    others = np.concatenate([base, sibling[:at]])
                    told[kind].append(doubted(run[0], sibling[at], others, blocks))
    return told


def doubted(child: Floats, parent: Floats, others: Floats, blocks: tuple[Block, ...]) -> float:
    points = np.concatenate([[child], [parent], others])
    squares = ((points - child) ** 2).sum(axis=1)
    if nearer(squares, 1, range(2, len(points)), PARENT) is not None:
        return True
    return strangers(child, parent, [blocks[i] for i in telling(blocks, varying(points, blocks))]) is not None


if __name__ == "__main__":
    reader = parser(__doc__ or "")
    reader.add_argument("--drifted", type=Path, required=True, help="where benchmarks.drift.populations are kept")
    asked = reader.parse_args()
    print("steps: % doubted healthy | found far, near | alone of those found | reversed found")
    for name in (*CARDS, *FURTHER):
        population = trained(name, asked.data, asked.cache)
        paths = [population.vectors(seed).astype(np.float64) for seed in range(min(6, len(population.weights)))]
        report_steps(name, paths, population.blocks())
    cells = [card for card in (*CELLS.values(), *HELD_OUT.values()) if (asked.drifted / f"{card.name}.npz").exists()]
    print("steps, on populations that no limit was set on")
    for card in cells:
        runs = drifted(card, asked.data, asked.drifted).healthy
        report_steps(card.name, [vectors(card, run) for run in runs], lay_out(card.architecture.shapes().items()))
    print("parents: % doubted healthy, after a shift | found strangers, four later")
    for card in cells:
        report(card.name, parents(card, asked.drifted, asked.data))
    print("parents among siblings: % doubted true | found tip, middle")
    for file in sorted(asked.cache.glob("*-siblings-*.npz")):
        report(file.stem, siblings((CARDS | FURTHER)[file.stem.split("-siblings")[0]], file))
