"""How often a copy's source is found, by what was done to it, and whether `identify` takes strangers for kin.

    python -m benchmarks.trajectory.copies --data mnist14.npz --cache DIR --trials 30 --strangers 40

Commits a few runs of a population to a repository that is thrown away, and asks `identify` about copies of random
checkpoints of theirs (right: that very commit, and the transforms' names) and about checkpoints of runs that were not
committed, permuted or not. Prints Markdown tables. Many independent strangers: `benchmarks.trajectory.strangers`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from benchmarks.trajectory.populations import CARDS, trained
from benchmarks.trajectory.tiny import TINY, tiny_runs
from mvc.geometry import PermutationSpec, derive, permute, rescale
from mvc.objects import DTYPES
from mvc.porcelain.commits import commit
from mvc.porcelain.identify import identify
from mvc.porcelain.results.matches import Match
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Arrays = Mapping[str, npt.NDArray[Any]]
Change = Callable[[Arrays, np.random.Generator], Arrays]
COMMITTED, PLACES = 4, 6
#: how wide an attention head of the populations is
HEAD = 6


def spec_of(model: Arrays) -> PermutationSpec:
    shapes = {name: value.shape for name, value in model.items()}
    spec = derive(shapes, HEAD if any("attn" in name for name in shapes) else None)
    if spec is None:
        raise ValueError("no spec")
    return spec


def permuted(model: Arrays, rng: np.random.Generator) -> Arrays:
    for units in spec_of(model).units:
        model = permute(model, units, rng.permutation(units.size))
    return model


def rescaled(model: Arrays, rng: np.random.Generator) -> Arrays:
    for units in spec_of(model).units:
        for scaling in units.scalings:
            model = rescale(model, scaling, np.exp(rng.normal(size=units.size) / 2).astype(np.float32))
    return model


def cast(kind: str) -> Change:
    """To that dtype; every other time back to float32."""

    def change(model: Arrays, rng: np.random.Generator) -> Arrays:
        narrow = {name: value.astype(DTYPES[kind].numpy) for name, value in model.items()}
        return narrow if kind == "F16" and rng.random() < 0.5 else {k: v.astype(np.float32) for k, v in narrow.items()}

    return change


def prune(share: float) -> Change:
    """The share of each tensor's values that is smallest set to zero."""
    return lambda model, rng: {
        name: np.where(np.abs(v) < np.quantile(np.abs(v), share), 0, v).astype(np.float32) for name, v in model.items()
    }


def quantised(model: Arrays, rng: np.random.Generator) -> Arrays:
    """Eight bits a tensor, symmetric."""
    return {name: np.round(v / (s := (np.abs(v).max() / 127) or 1)) * s for name, v in model.items()}


#: in the order in which they are done: rounding last
STEPS: Mapping[str, tuple[str, Change]] = {
    "permuted": ("permuted", permuted),
    "rescaled": ("rescaled", rescaled),
    "30 % pruned": ("pruned", prune(0.3)),
    "50 % pruned": ("pruned", prune(0.5)),
    "80 % pruned": ("pruned", prune(0.8)),
    "int8": ("quantised", quantised),
    "fp16": ("cast", cast("F16")),
    "bf16": ("cast", cast("BF16")),
}
NAMES = ("permuted", "rescaled", "cast", "quantised", "pruned")


def copies() -> Iterator[tuple[str, ...]]:
    """Each step, and each two of different kinds."""
    yield from ((one,) for one in STEPS)
    yield from ((one, two) for one, two in combinations(STEPS, 2) if STEPS[one][0] != STEPS[two][0])


@dataclass
class Cell:
    """Of each population, which share of the copies was traced to its source, and named with all transforms."""

    found: dict[str, float] = field(default_factory=dict)
    named: dict[str, float] = field(default_factory=dict)


class Asked:
    """A repository with some of a population's runs, and the runs that it has not."""

    def __init__(self, runs: Sequence[Sequence[Arrays]], root: Path) -> None:
        self.root, self.strange = root, runs[COMMITTED:]
        self.workspace = Workspace.of(Repository.init(root / "repository"), author="Benchmark <b@example.org>")
        (root / "run").mkdir()
        points = {}
        for run in range(COMMITTED):
            for place in np.unique(np.linspace(1, len(runs[run]) - 1, PLACES).astype(int)):
                points[run, int(place)] = runs[run][place]
                self.write(runs[run][place]).rename(root / "run" / f"{run}-{place}.safetensors")
        rows = commit(self.workspace, [root / "run"]).commits
        ids = {tuple(map(int, Path(row.path).stem.split("-"))): row.id for row in rows}
        self.committed = [(ids[key], model) for key, model in points.items()]

    def write(self, model: Arrays) -> Path:
        save_file({key: np.ascontiguousarray(value) for key, value in model.items()}, self.root / "file.safetensors")
        return self.root / "file.safetensors"

    def ask(self, models: Sequence[Arrays]) -> list[Match | None]:
        paths = [self.write(model).rename(self.root / f"{i}.safetensors") for i, model in enumerate(models)]
        return [row.match for row in identify(self.workspace, paths).results]

    def copies(self, steps: Sequence[str], trials: int, rng: np.random.Generator) -> tuple[float, float]:
        """Shares of copies whose source was found, and whose transforms were named as well."""
        chosen = [self.committed[i] for i in rng.integers(len(self.committed), size=trials)]
        made = []
        for _, model in chosen:
            for step in steps:
                model = STEPS[step][1](model, rng)
            made.append(model)
        wanted = "+".join(sorted({STEPS[step][0] for step in steps}, key=NAMES.index))
        found = [
            match
            for match, (id, _) in zip(self.ask(made), chosen, strict=True)
            if match is not None and match.commit == id
        ]
        return len(found) / trials, sum(match.transform == wanted for match in found) / trials

    def strangers(self, number: int, rng: np.random.Generator) -> list[Match]:
        """What checkpoints of strange runs are taken for, every other one permuted."""
        runs = [self.strange[i] for i in rng.integers(len(self.strange), size=number)]
        models = [run[int(rng.integers(1, len(run)))] for run in runs]
        answers = self.ask([permuted(model, rng) if i % 2 else model for i, model in enumerate(models)])
        return [match for match in answers if match is not None]


def runs_of(name: str, data: Path, cache: Path) -> list[list[Arrays]]:
    if name in TINY:
        return [[dict(point) for point in run] for run in tiny_runs(name, data, cache)]
    population = trained(name, data, cache)
    shapes = population.card.architecture.shapes()
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]

    def arrays(point: npt.NDArray[np.float32]) -> Arrays:
        parts = np.split(point, ends)
        return {key: part.reshape(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}

    return [[arrays(point) for point in run] for run in population.weights]


def homogeneous(name: str) -> bool:
    """Whether scales leave the function as it is."""
    return name in TINY or CARDS[name].architecture.activation in ("relu", "leaky_relu")


def measured(name: str, asked: argparse.Namespace) -> tuple[str, dict[tuple[str, ...], tuple[float, float]], str]:
    """A population's shares by copy, printed as they come, and its strangers' row."""
    rng, shares = np.random.default_rng(0), {}
    with tempfile.TemporaryDirectory() as directory:
        repository = Asked(runs_of(name, asked.data, asked.cache), Path(directory))
        for steps in copies() if asked.trials else ():
            wanted = asked.copies in " + ".join(steps)
            if wanted and ("rescaled" not in steps or homogeneous(name)):
                shares[steps] = repository.copies(steps, asked.trials, rng)
                print(f"{name}: {' + '.join(steps)}: {shares[steps][0]:.3f} {shares[steps][1]:.3f}", flush=True)
        false = repository.strangers(asked.strangers, rng)
    kinds = ", ".join(f"{match.relation} {match.transform or ''} {match.confidence:.2f}" for match in false)
    note = f"| {name} | {asked.strangers} | {len(false)} | {kinds} |"
    print(note, flush=True)
    return name, shares, note


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained populations are kept")
    parser.add_argument("--only", nargs="*", default=[*CARDS, *TINY], help="names of populations")
    parser.add_argument("--trials", type=int, default=30, help="copies of each kind")
    parser.add_argument("--strangers", type=int, default=40, help="strangers asked about")
    parser.add_argument("--copies", default="", help="only copies whose name holds this")
    parser.add_argument("--workers", type=int, default=2, help="populations looked at side by side")
    asked = parser.parse_args()
    cells = {steps: Cell() for steps in copies()}
    notes = []
    with ProcessPoolExecutor(asked.workers) as pool:
        for name, shares, note in pool.map(partial(measured, asked=asked), asked.only):
            for steps, (found, named) in shares.items():
                cells[steps].found[name], cells[steps].named[name] = found, named
            notes.append(note)
    if asked.trials:
        print(f"\n{asked.trials} copies a cell\n\n| copy | populations | right source | with transforms | below .99 |")
        print("|---|---|---|---|---|")
        for steps, cell in cells.items():
            if cell.found:
                found, named = (float(np.mean(list(part.values()))) for part in (cell.found, cell.named))
                low = [
                    f"{one} {cell.found[one]:.3f}, {cell.named[one]:.3f}"
                    for one in cell.named
                    if cell.named[one] < 0.99
                ]
                print(f"| {' + '.join(steps)} | {len(cell.found)} | {found:.3f} | {named:.3f} | {'; '.join(low)} |")
    print("\n| population | strangers | taken for kin | as |\n|---|---|---|---|")
    print("\n".join(notes))


if __name__ == "__main__":
    main()
