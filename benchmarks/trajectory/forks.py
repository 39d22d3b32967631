"""Where a fork left its host: the fork rule on known branches, and the whole inference on checkpoints thrown together.

    python -m benchmarks.trajectory.forks --data mnist.npz --cache DIR --spacing half one three

Each of two roots is forked at three checkpoints in every way of ``branching.KINDS``; half of the forks forget the
optimiser's state. Prints Markdown tables: how often the rule names the exact checkpoint and one at most beside it when
it is told which checkpoints are the branch; and when it is told nothing but the checkpoints of one host and one branch,
how often both come out whole, and the fork point exact; and what the stated confidence is worth. Forks are trained once
and kept in the cache.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.trajectory.branching import KINDS, SPACINGS, Forest, Run, fork, grown, spaced
from benchmarks.trajectory.populations import CARDS
from benchmarks.trajectory.scores import calibration, told
from mvc.trajectory import infer

FORKED_AT = (3, 8, 13)
ROOTS, HOST, BRANCH = 2, 21, 8  # checkpoints, a host's initial one included
IMAGES = 20_000
NAMES = ("relu-adam", "relu-sgd", "gelu-cnn-adam", "sigmoid-nobias-sgd", "tanh-sgd-restarts")


@dataclass(frozen=True)
class Judged:
    """Rule exact, within one; told nothing: both runs whole, and the fork point exact too. What the rule stated."""

    exact: bool
    within_one: bool
    whole: bool
    found: bool
    stated: float


def plan() -> list[Run]:
    runs = [Run(root, HOST, family=root) for root in range(ROOTS)]
    for kind in KINDS:
        for number, at in enumerate(FORKED_AT):
            for root in range(ROOTS):
                runs.append(fork(runs, root, kind, at=at, length=BRANCH, fresh=(root + number) % 2 == 1))
    return runs


def judge(forest: Forest, number: int) -> Judged:
    """One host and one branch of the forest, with nothing else about them."""
    run = forest.runs[number]
    assert run.parent is not None
    host, branch = forest.path(run.parent), forest.path(number)
    at, stated = told(forest, number)
    population, order = forest.shuffled(number, points=np.concatenate([host, branch]))
    found = infer(population)
    # which of two branches goes on as the host is a matter of taste: either is right
    sides = {frozenset(branch.tolist()), frozenset(host[run.at + 1 :].tolist())}
    whole, exact = False, False
    if len(found.lineages) == 2:
        for lineage in found.lineages:
            if lineage.fork is not None and frozenset(order[list(lineage.members)].tolist()) in sides:
                whole, exact = True, int(order[lineage.fork.parent]) == host[run.at]
    return Judged(at == run.at, abs(at - run.at) <= 1, whole, exact, stated)


def _rows(forest: Forest, card: str, spacing: str) -> Iterator[tuple[list[str], Judged]]:
    """Each fork, judged, and the rows of the table that it counts in."""
    for number, run in enumerate(forest.runs):
        if run.parent is not None:
            state = "optimiser's state fresh" if run.fresh else "optimiser's state kept"
            yield [run.kind, f"all, {card}", f"all, every {spacing}", f"all, {state}", "all"], judge(forest, number)


def _print(rows: dict[str, list[Judged]]) -> None:
    print("| kind | forks | rule exact | within one | both whole | fork point exact |")
    print("|---|---|---|---|---|---|")
    for name in sorted(rows, key=lambda name: name if name.startswith("all") else ""):
        judged = rows[name]
        columns = ([getattr(one, field) for one in judged] for field in ("exact", "within_one", "whole", "found"))
        print(f"| {name} | {len(judged)} | {' | '.join(f'{np.mean(column):.2f}' for column in columns)} |")
    print("\nConfidence stated by the rule, and how often it was right:\n")
    print(calibration([(one.stated, one.exact) for one in rows["all"]]), flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained forks are kept")
    parser.add_argument("--only", nargs="*", default=list(NAMES), help="names of populations")
    parser.add_argument("--spacing", nargs="*", default=list(SPACINGS), help="epochs between checkpoints")
    return parser.parse_args()


def main() -> None:
    asked = _asked()
    rows: dict[str, list[Judged]] = defaultdict(list)
    for spacing in asked.spacing:
        for name in asked.only:
            card = spaced(CARDS[name], spacing)
            forest = grown(card, plan(), images=IMAGES, data=asked.data, cache=asked.cache, what="forks")
            for labels, judged in _rows(forest, name, spacing):
                for label in labels:
                    rows[label].append(judged)
    _print(rows)


if __name__ == "__main__":
    main()
