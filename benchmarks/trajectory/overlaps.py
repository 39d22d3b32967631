"""Fine-tunes with another head among strangers: is the base found on what both share, where, and which came first.

    python -m benchmarks.trajectory.overlaps --data mnist.npz

Networks are trained on ten digits, fine-tunes from some of their epochs on groups of digits with a new head (and, for
one kind, a frozen body), strangers on groups from scratch. All are committed to one repository without a word about
them. Heads have other sizes at other epochs: so no two fine-tunes of one base have the same architecture. Prints a
Markdown table: of the fine-tunes whose base run is named first, whose commit is the very one or beside it, whose order
is told and told wrongly; and how many strangers were taken for kin.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.results.logs import LogResult
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.zoo.data import Dataset, load

Weights = dict[str, Tensor]

BASES, EPOCHS, TUNED, IMAGES, BATCH = 4, 14, 6, 6_000, 50
FORKED_AT = {3: 2, 7: 3, 13: 4}  # commit of the base → how many digits make a group there
BODY = 4  # layers before the head, activations included


@dataclass(frozen=True)
class Kind:
    """How bases, strangers and fine-tunes are trained; the latter with their own ``rate``, the body frozen or not."""

    adam: bool
    rate: float
    tuned_rate: float
    frozen: bool = False

    def optimiser(self, net: nn.Sequential, *, tuned: bool = False) -> torch.optim.Optimizer:
        rate = self.tuned_rate if tuned else self.rate
        parameters = [one for one in net.parameters() if one.requires_grad]
        if self.adam:
            return torch.optim.Adam(parameters, rate)
        return torch.optim.SGD(parameters, rate, momentum=0.9)


KINDS = {
    "Adam": Kind(True, 1e-3, 1e-3),
    "Adam, a third of the rate": Kind(True, 1e-3, 3e-4),
    "Adam, three times the rate": Kind(True, 1e-3, 3e-3),
    "Adam, body frozen": Kind(True, 1e-3, 1e-3, frozen=True),
    "SGD": Kind(False, 0.02, 0.02),
}


def network(classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(196, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, classes))


def weights(net: nn.Sequential) -> Weights:
    return {name: value.clone() for name, value in net.state_dict().items()}


def train(net: nn.Sequential, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, epochs: int) -> Iterator[Weights]:
    """The weights after every epoch."""
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            optimiser.step()
        yield weights(net)


def population(kind: Kind, data: Dataset) -> dict[str, list[Weights]]:
    """Runs ``base-I``, ``tuned-I-K`` (from base I's commit K) and ``stranger-I``."""
    x = torch.tensor(data.x_train[:IMAGES]).reshape(-1, 196).float()
    y = torch.tensor(data.y_train[:IMAGES]).long()
    runs = {}
    for seed in range(BASES):
        torch.manual_seed(seed)
        base, stranger = network(10), network(5)
        path = [weights(base), *train(base, kind.optimiser(base), x, y, EPOCHS)]
        runs[f"base-{seed}"] = path
        runs[f"stranger-{seed}"] = list(train(stranger, kind.optimiser(stranger), x, y // 2, TUNED))
        for at, group in FORKED_AT.items():
            tuned = network(9 // group + 1)
            body = {name: value for name, value in path[at].items() if not name.startswith(f"{BODY}.")}
            tuned.load_state_dict(body, strict=False)
            tuned[:BODY].requires_grad_(not kind.frozen)
            runs[f"tuned-{seed}-{at}"] = list(train(tuned, kind.optimiser(tuned, tuned=True), x, y // group, TUNED))
    return runs


def read(runs: dict[str, list[Weights]], directory: Path) -> LogResult:
    """What a repository says of all checkpoints, committed under names of which inference knows nothing."""
    for run, points in runs.items():
        (directory / "runs" / run).mkdir(parents=True)
        for number, point in enumerate(points):
            save_file(point, directory / "runs" / run / f"{number}.safetensors")
    workspace = Workspace.of(Repository.init(directory), author="benchmark")
    commit(workspace, [directory / "runs"])
    return log(workspace)


def judge(result: LogResult) -> Counter[str]:
    """Counts over fine-tunes, each judged by the lineage that its first commit stands in, and over strangers."""
    path = {one.id: Path(one.path).parts[-2:] for row in result.lineages for one in row.commits}
    homes = {path[one.id]: row for row in result.lineages for one in row.commits}
    found: Counter[str] = Counter()
    for run in sorted({run for run, _ in homes}):
        first = homes[run, "0.safetensors"]
        if run.startswith("stranger"):
            found["strangers"] += 1
            found["strangers kin"] += bool(first.overlaps)
        if not run.startswith("tuned"):
            continue
        _, seed, at = run.split("-")
        found["tuned"] += 1
        if not first.overlaps:
            continue
        best = first.overlaps[0]
        base, file = path[best.commit]
        found["base"] += base == f"base-{seed}"
        off = abs(int(Path(file).stem) - int(at)) if base == f"base-{seed}" else 99
        found["exact"] += off == 0
        found["beside"] += off <= 1
        found["after"] += best.order == "after"
        found["wrong"] += best.order == "before"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    options = parser.parse_args()
    data = load(options.data)
    print("| trained by | base run found | its commit exact | or beside | order told | wrongly | strangers kin |")
    print("|---|---|---|---|---|---|---|")
    for name in options.kinds:
        with tempfile.TemporaryDirectory() as directory:
            found = judge(read(population(KINDS[name], data), Path(directory)))
        counts = " | ".join(str(found[key]) for key in ("exact", "beside", "after", "wrong"))
        strangers = f"{found['strangers kin']} of {found['strangers']}"
        print(f"| {name} | {found['base']} of {found['tuned']} | {counts} | {strangers} |", flush=True)


if __name__ == "__main__":
    main()
