"""Whole forests read from weights alone: runs forked off forks of six roots, all checkpoints thrown together.

    python -m benchmarks.trajectory.forest --data mnist.npz --cache DIR [--details]

Nothing is declared and nothing of the number of runs is told. Prints Markdown tables: a population a row, a kind of
fork a row, and stated confidence against truth. Runs are compared as ``scores`` renames them, ARI under both names.
``--details`` lists every run that came out wrong and the lineages that hold its points. Forests are trained once and
kept in the cache.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.trajectory.branching import KINDS, Forest, Run, fork, grown, spaced
from benchmarks.trajectory.populations import CARDS
from benchmarks.trajectory.scores import Judged, Scores, Thread, calibration, judge, told
from mvc.trajectory import Inference, infer
from mvc.zoo.cards import Card

#: runs of each depth
LEVELS = (6, 20, 22, 16, 8)
IMAGES = 20_000


def _cards() -> dict[str, Card]:
    adam, cnn, paper = CARDS["relu-adam"], CARDS["gelu-cnn-adam"], CARDS["schurholt-borth-2021-mlp"]
    relu = replace(CARDS["relu-sgd"], optimiser=replace(CARDS["relu-sgd"].optimiser, lr=0.02))  # thrice that must do
    gelu = replace(adam.architecture, activation="gelu")
    cards = (
        spaced(replace(adam, name="gelu-adam", architecture=gelu), "one"),
        spaced(relu, "half"),
        spaced(cnn, "one"),
        spaced(replace(paper, batch=12), "one"),  # the other of the paper's two batch sizes
        spaced(replace(relu, name="gelu-sgd", architecture=gelu), "three"),
        spaced(adam, "half"),
    )
    return {card.name: card for card in cards}


POPULATIONS: Mapping[str, Card] = _cards()


def plan(seed: int = 0) -> list[Run]:
    """A random forest: hosts, fork checkpoints (never a run's last), kinds, lengths and what happens to the optimiser.

    A run changes one thing of its host's settings, so a kind that would change nothing is not drawn.
    """
    rng = np.random.default_rng(seed)
    runs = [Run(number, int(rng.choice([12, 18, 25])), family=number) for number in range(LEVELS[0])]
    used = Counter(dict.fromkeys(KINDS, 0))
    first = 0
    for count in LEVELS[1:]:
        last = len(runs)
        for _ in range(count):
            parent = int(rng.integers(first, last))
            host = runs[parent]
            length = 12 if rng.random() < 0.75 else int(rng.integers(6, 26))
            at, fresh = int(rng.integers(host.length - 1)), bool(rng.random() < 0.5)
            able = [kind for kind, (data, rate) in KINDS.items() if data != host.data and 0.2 < host.lr * rate < 4]
            kind = min(able, key=lambda kind: (used[kind], rng.random()))
            used[kind] += 1
            runs.append(fork(runs, parent, kind, at=at, length=length, fresh=fresh))
        first = last
    return runs


def _population_row(name: str, forest: Forest, scores: Scores, rule: Sequence[tuple[str, int, float]]) -> str:
    threads = scores.threads
    columns = (
        f"{len(forest.weights)} / {len(forest.runs)}",
        f"{scores.roots} / {LEVELS[0]}, {scores.purity:.3f}",
        f"{scores.ari:.3f}, {scores.ari_renamed:.3f}",
        f"{np.mean([one.whole for one in threads]):.2f}",
        f"{scores.f1():.2f}",
        f"{np.mean([one.exact for one in threads]):.2f}, {np.mean([one.within_one for one in threads]):.2f}",
        f"{scores.parents:.2f}",
        f"{scores.directions:.2f}, {scores.first_points:.2f}",
        f"{np.mean([off == 0 for _, off, _ in rule]):.2f}, {np.mean([off <= 1 for _, off, _ in rule]):.2f}",
    )
    return f"| {name} | {' | '.join(columns)} |"


_COLUMNS = (
    "population",
    "points / runs",
    "trees, purity",
    "ARI strict, renamed",
    "runs whole",
    "edge F1",
    "fork exact, within one",
    "parents right",
    "trees forward, first right",
    "rule: exact, within one",
)


def _kinds(threads: Sequence[Judged], rule: Sequence[tuple[str, int, float]]) -> None:
    print("\n| kind | runs | whole | parent run | fork exact | within one | rule exact | rule within one |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in (*KINDS, "all"):
        some = [one for one in threads if kind in ("all", one.thread.kind)]
        offs = [off for name, off, _ in rule if kind in ("all", name)]
        rates = [
            *(np.mean([(one.whole, one.parent_run, one.exact, one.within_one) for one in some], axis=0)),
            np.mean([off == 0 for off in offs]),
            np.mean([off <= 1 for off in offs]),
        ]
        print(f"| {kind} | {len(some)} | {' | '.join(f'{rate:.2f}' for rate in rates)} |")


def _details(forest: Forest, found: Inference, scores: Scores, lineages: Sequence[Sequence[int]]) -> None:
    """Every run that came out wrong, and what each lineage that holds points of it is made of."""
    failed = [one for one in scores.threads if not (one.whole and one.exact)]
    print(f"\n{len(failed)} of {len(scores.threads)} forks wrong; runs, where they truly left, what is wrong:")
    for one in failed:
        faults = [("split or merged", one.whole), ("wrong parent run", one.parent_run), ("not exact", one.exact)]
        said = ", ".join(fault for fault, right in faults if not right)
        print(f"  {_named(forest, one.thread)}: lineage {one.lineage}: {said}")
    print("lineages that hold points of these:")
    wrong = {point for one in failed for point in one.thread.points}
    home = {point: number for number, members in enumerate(lineages) for point in members}
    order = {found_point: true for members, lineage in zip(lineages, found.lineages, strict=True)
             for found_point, true in zip(lineage.members, members, strict=True)}  # fmt: skip
    for number, (members, lineage) in enumerate(zip(lineages, found.lineages, strict=True)):
        if wrong & set(members):
            left = -1 if lineage.fork is None else order[lineage.fork.parent]
            stated = (
                "a root" if lineage.fork is None else f"of lineage {home[left]}, sure {lineage.fork.confidence:.2f}"
            )
            print(f"  lineage {number}: {_named(forest, Thread(stated, left, list(members)))}")


def _named(forest: Forest, thread: Thread) -> str:
    """Points as 3@0-7 3@9 5@2 (run@places, in the order given), and the point that they left."""
    parts: list[list[int]] = []
    for point in thread.points:
        run, place = int(forest.run[point]), int(forest.place[point])
        if parts and parts[-1][0] == run and parts[-1][2] == place - 1:
            parts[-1][2] = place
        else:
            parts.append([run, place, place])
    named = " ".join(f"{run}@{a}" if a == b else f"{run}@{a}-{b}" for run, a, b in parts)
    left = "" if thread.left < 0 else f" left {forest.run[thread.left]}@{forest.place[thread.left]}"
    return f"{named}{left} ({thread.kind})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained forests are kept")
    parser.add_argument("--only", nargs="*", default=list(POPULATIONS), help="names of populations")
    parser.add_argument("--details", action="store_true", help="list what came out wrong")
    asked = parser.parse_args()
    forests = {
        name: grown(POPULATIONS[name], plan(), images=IMAGES, data=asked.data, cache=asked.cache, what="forest")
        for name in asked.only
    }
    print(f"| {' | '.join((*_COLUMNS, 's'))} |\n{'|---' * (len(_COLUMNS) + 1)}|")
    all_threads: list[Judged] = []
    all_stated: list[tuple[float, bool]] = []
    all_told: list[tuple[str, int, float]] = []
    failures = []
    for name, forest in forests.items():
        population, order = forest.shuffled()
        begun = time.monotonic()
        found = infer(population)
        seconds = time.monotonic() - begun
        scores, lineages = judge(forest, found, order)
        rule = []
        for number, run in enumerate(forest.runs):
            if run.parent is not None:
                at, stated = told(forest, number)
                rule.append((run.kind, abs(at - run.at), stated))
        print(f"{_population_row(name, forest, scores, rule)} {seconds:.1f} |", flush=True)
        all_threads += scores.threads
        all_stated += scores.stated
        all_told += rule
        failures.append((name, forest, found, scores, lineages))
    _kinds(all_threads, all_told)
    print(f"\nConfidence stated of inferred forks:\n\n{calibration(all_stated)}")
    print(f"\nConfidence stated where the branch is known:\n\n{calibration([(c, off == 0) for _, off, c in all_told])}")
    if asked.details:
        for name, *failed in failures:
            print(f"\n## {name}")
            _details(*failed)


if __name__ == "__main__":
    main()
