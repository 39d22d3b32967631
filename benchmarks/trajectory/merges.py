"""Whether a committed average is told from its sources, and whether anything trained is taken for an average.

    python -m benchmarks.trajectory.merges --data mnist.npz --only relu-adam relu-sgd

Siblings of each population with one average among them, in single and in half precision: how often exactly this point
is called an average, with the right sources; with three at once; and how many of the trained points are called
averages, in siblings and in whole populations. Prints Markdown tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from benchmarks.trajectory.mixtures import Floats, Group, Recipe, groups, recipes
from benchmarks.trajectory.populations import Trained, arguments
from mvc.trajectory.merging import find_merges

#: of each kind, in every population
MIXED = 4
#: averages that are there at once
SEVERAL = 3


def main() -> None:
    asked = arguments(__doc__ or "")
    rng = np.random.default_rng(0)
    placed: dict[tuple[str, str], list[tuple[bool, float]]] = defaultdict(list)
    trained: dict[str, tuple[int, int]] = {}
    for name in asked.only:
        for title, group in groups(name, asked.data, asked.cache):
            known = group.population.vectors(0)
            trained[title] = len(find_merges(known)), len(known)
            if not title.endswith("siblings"):
                continue
            for _ in range(MIXED):
                found = list(kinds(rng, group))
                for kind, recipe in found:
                    for what in ("single", "half"):
                        placed[kind, what].append(judge(group, known, [recipe], rng, what))
                some = [found[i][1] for i in rng.permutation(len(found))[:SEVERAL]]
                placed[f"{SEVERAL} of these at once", "single"].append(judge(group, known, some, rng, "single"))
            print(f"{title}: {trained[title][0]} trained points called averages", flush=True)
    print("\n| committed average | n | told from its sources | surest of the wrong | fp16 |")
    print("|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in placed):
        single, half = placed[kind, "single"], placed[kind, "half"]
        wrong = [sure for right, sure in single if not right]
        cells = [kind, str(len(single)), f"{np.mean([right for right, _ in single]):.2f}"]
        cells += [f"{max(wrong):.2f}" if wrong else "", f"{np.mean([right for right, _ in half]):.2f}" if half else ""]
        print("| " + " | ".join(cells) + " |")
    print("\n| trained points of | n | called averages |")
    print("|---|---|---|")
    for title, (called, n) in trained.items():
        print(f"| {title} | {n} | {called} |")


def kinds(rng: np.random.Generator, group: Group) -> Iterator[tuple[str, Recipe]]:
    """The recipes of the other benchmark, and those in which a source is nearly the average."""
    yield from recipes(rng, group)
    first, second = (group.runs[i] for i in rng.permutation(len(group.runs))[:2])
    (base,) = group.bases
    share = float(rng.uniform(0.5, 0.9))
    yield "weighted, 2 tips", {first[-1]: share, second[-1]: 1 - share}
    place = int(rng.integers(len(first) - 1))
    yield "neighbours in a run", {first[place]: 0.5, first[place + 1]: 0.5}
    yield "base + λ (t - base)", {base: 1 - share, first[-1]: share}
    yield "t + λ (t - s)", {first[-1]: 1 + share, second[-1]: -share}


def judge(group: Group, known: Floats, wanted: list[Recipe], rng: np.random.Generator, what: str) -> tuple[bool, float]:
    """Whether exactly these averages are found, with their sources; and the largest confidence that is told."""
    made, errors = [], []
    for recipe in wanted:
        exact = np.array(list(recipe.values())) @ group.weights[list(recipe)].astype(np.float64)
        rounded = exact.astype(np.float16 if what == "half" else np.float32).astype(np.float32)
        errors.append(float(np.linalg.norm(rounded - exact)) if what == "half" else 0.0)
        made.append(Trained(group.population.card, rounded[None, None]).vectors(0))
    points = np.concatenate([known, *made])
    order = rng.permutation(len(points))
    place = np.argsort(order)
    rounding = dict(zip(place[len(known) :].tolist(), errors, strict=True))
    found = find_merges(points[order], rounding=lambda point: rounding.get(point, 0.0))
    told = {merge.point: frozenset(merge.sources) for merge in found}
    true = {int(place[len(known) + i]): frozenset(place[list(recipe)].tolist()) for i, recipe in enumerate(wanted)}
    return told == true, max((merge.confidence for merge in found), default=0.0)


if __name__ == "__main__":
    main()
