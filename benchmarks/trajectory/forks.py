"""Where a fork left its host: the fork rule on known branches, and the whole inference on checkpoints thrown together.

    python -m benchmarks.trajectory.forks --data mnist.npz --only relu-adam relu-sgd schurholt-borth-2021-mlp

Each root is forked at three checkpoints in every way below, with a new data order. Prints a Markdown table: how often
the rule names the exact checkpoint and one at most beside it when it is told which checkpoints are the branch; and
when it is told nothing, how often host and branch come out whole, and the fork point exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.trajectory.populations import CARDS, Trained, arguments
from mvc.trajectory import Declared, Population, infer
from mvc.trajectory.forks import fork_point
from mvc.zoo import shifts
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, load
from mvc.zoo.train import Trainer, train_population

FORKED_AT = (3, 8, 13)
ROOTS, EPOCHS, LENGTH = 2, 20, 8


@dataclass(frozen=True)
class Fork:
    kind: str
    at: int
    host: npt.NDArray[np.float32]
    branch: npt.NDArray[np.float32]


def kinds(data: Dataset) -> dict[str, tuple[Dataset, float]]:
    """Kind → data and multiple of the learning rate."""
    return {
        "new seed": (data, 1.0),
        "label noise .37": (shifts.label_noise(data, 0.37), 1.0),
        "half of the classes": (shifts.only_classes(data, range(5)), 1.0),
        "lr × 0.3": (data, 0.3),
        "lr × 3": (data, 3.0),
        "inverted inputs": (shifts.inverted(data), 1.0),
    }


def forks(card: Card, data: Dataset) -> Iterator[Fork]:
    """Every fork of every root of one card."""
    torch.set_num_threads(1)
    card = replace(card, seeds=ROOTS, epochs=EPOCHS)
    roots = train_population(Trainer(card, data, range(ROOTS)), keep=FORKED_AT)
    for number, (kind, (other, rate)) in enumerate(kinds(data).items()):
        for at in FORKED_AT:
            seeds = [1000 * (number + 1) + 10 * at + row for row in range(ROOTS)]
            start = roots.states[at].of(list(range(ROOTS)), fresh=False)
            branch = train_population(
                Trainer(card, other, seeds, start=start, lr=[rate] * ROOTS, epochs=EPOCHS), LENGTH
            )
            for row in range(ROOTS):
                yield Fork(kind, at, roots.weights[row].numpy(), branch.weights[row, 1:].numpy())


def main() -> None:
    asked = arguments(__doc__ or "")
    data = load(asked.data)
    rows: dict[str, list[tuple[bool, bool, bool, bool]]] = defaultdict(list)
    for name in asked.only:
        for number, fork in enumerate(forks(CARDS[name], data)):
            result = _judge(CARDS[name], fork, number)
            rows[fork.kind].append(result)
            rows[f"all, {name}"].append(result)
    rows["all"] = [result for key, found in rows.items() if key.startswith("all, ") for result in found]
    print("| kind | forks | rule exact | within one | both whole | fork point exact |")
    print("|---|---|---|---|---|---|")
    for kind, found in rows.items():
        rates = " | ".join(f"{rate:.2f}" for rate in np.mean(found, axis=0))
        print(f"| {kind} | {len(found)} | {rates} |")


def _judge(card: Card, fork: Fork, seed: int) -> tuple[bool, bool, bool, bool]:
    """Rule exact, rule within one; told nothing: both runs whole, and the fork point exact too."""
    at, _, _ = fork_point(fork.host.astype(np.float64), fork.branch.astype(np.float64))
    points = Trained(card, np.concatenate([fork.host, fork.branch])[None])
    shuffled = np.random.default_rng(seed).permutation(len(points.weights[0]))
    keys = tuple(f"{i:04d}" for i in range(len(shuffled)))
    vectors = points.vectors(0)[shuffled]
    found = infer(Population(keys, vectors, points.blocks(), (Declared(),) * len(keys)))
    branch = set(range(len(fork.host), len(shuffled)))
    # which of two branches goes on as the host is a matter of taste: either is right
    rest = set(range(fork.at + 1, len(fork.host)))
    whole, exact = False, False
    if len(found.lineages) == 2:
        for lineage in found.lineages:
            members = {int(shuffled[i]) for i in lineage.members}
            if lineage.fork is not None and members in (branch, rest):
                whole, exact = True, int(shuffled[lineage.fork.parent]) == fork.at
    return at == fork.at, abs(at - fork.at) <= 1, whole, exact


if __name__ == "__main__":
    main()
