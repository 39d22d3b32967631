"""How often a copy's source is found when its hidden units were permuted, and whether strangers are taken for copies.

    python -m benchmarks.trajectory.copies --data mnist14.npz --trials 10 --strangers 40 --pairs 1000

Commits a few runs of a population to a repository that is thrown away, and asks `identify` about copies of random
checkpoints of theirs (right: that very commit, and the transforms' names) and about checkpoints of runs that were not
committed, permuted or not. Then matches the units of pairs of strangers directly, for the null. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from benchmarks.trajectory.populations import CARDS, Trained, trained
from mvc.geometry import derive, permute, rescale
from mvc.geometry.matching import match_units, matched_null
from mvc.objects import DTYPES
from mvc.porcelain.commits import commit
from mvc.porcelain.copies import BEYOND
from mvc.porcelain.identify import identify
from mvc.porcelain.results import Match
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Arrays = Mapping[str, npt.NDArray[np.float32]]
Change = Callable[[Arrays], Arrays]
COMMITTED, EVERY = 4, 4


def arrays_of(population: Trained, seed: int, place: int) -> dict[str, npt.NDArray[np.float32]]:
    found, at = {}, 0
    for name, shape in population.card.architecture.shapes().items():
        size = int(np.prod(shape))
        found[name] = population.weights[seed, place, at : at + size].reshape(shape).copy()
        at += size
    return found


def cast(kind: str) -> Change:
    """To that dtype and back to float32."""
    return lambda model: {name: v.astype(DTYPES[kind].numpy).astype(np.float32) for name, v in model.items()}


def prune(share: float) -> Change:
    """The share of each tensor's values that is smallest set to zero."""
    return lambda model: {
        name: np.where(np.abs(v) < np.quantile(np.abs(v), share), 0, v).astype(np.float32) for name, v in model.items()
    }


def quantise(model: Arrays) -> Arrays:
    """Eight bits a tensor, symmetric."""
    return {name: np.round(v / (s := np.abs(v).max() / 127)) * s for name, v in model.items()}


def moved(rng: np.random.Generator, model: Arrays, *, scaled: bool = False) -> Arrays:
    spec = derive({name: value.shape for name, value in model.items()})
    if spec is None:
        raise ValueError("no spec")
    for units in spec.units:
        model = permute(model, units, rng.permutation(units.size))
        if scaled:
            model = rescale(model, units, np.exp(rng.normal(size=units.size) / 2).astype(np.float32))
    return model


#: transforms as `identify` names them → what is done before or after the permutation; None: nothing
CHANGES: Mapping[str, tuple[str, Change | None]] = {
    "permuted": ("permuted", None),
    "permuted, fp16": ("permuted+cast", cast("F16")),
    "permuted, bf16": ("permuted+cast", cast("BF16")),
    "permuted, int8": ("permuted+quantised", quantise),
    "permuted, 30 % pruned": ("permuted+pruned", prune(0.3)),
    "permuted, 50 % pruned": ("permuted+pruned", prune(0.5)),
    "permuted, 80 % pruned": ("permuted+pruned", prune(0.8)),
    "permuted, fp16, 50 % pruned": ("permuted+cast+pruned", lambda model: prune(0.5)(cast("F16")(model))),
    "permuted, rescaled": ("permuted+rescaled", None),
    "permuted, rescaled, fp16": ("permuted+rescaled+cast", cast("F16")),
    "permuted, 50 % pruned, rescaled": ("permuted+rescaled+pruned", prune(0.5)),
}
PLAIN: Mapping[str, tuple[str, Change]] = {
    "int8": ("quantised", quantise), "bf16": ("cast", cast("BF16")), "80 % pruned": ("pruned", prune(0.8))
}  # fmt: skip


def copy_of(model: Arrays, how: str, rng: np.random.Generator) -> Arrays:
    if how in PLAIN:
        return PLAIN[how][1](model)
    names, change = CHANGES[how]
    if "rescaled" in names:
        if change is None or "pruned" in names:  # scales after pruning, as a tensor's smallest values change with them
            return moved(rng, change(model) if change else model, scaled=True)
        return change(moved(rng, model, scaled=True))
    found = moved(rng, model)
    return change(found) if change else found


def identified(name: str, population: Trained, trials: int, strangers: int) -> None:
    rng = np.random.default_rng(0)
    places = range(1, population.weights.shape[1], EVERY)
    relu = population.card.architecture.activation in ("relu", "leaky_relu")
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        workspace = Workspace.of(Repository.init(root / "repository"), author="Benchmark <b@example.org>")

        def write(model: Arrays) -> Path:
            save_file({key: np.ascontiguousarray(v, np.float32) for key, v in model.items()}, root / "file.safetensors")
            return root / "file.safetensors"

        def ask(models: list[Arrays]) -> list[Match | None]:
            paths = []
            for number, model in enumerate(models):
                paths.append(write(model).rename(root / f"{number}.safetensors"))
            return [row.match for row in identify(workspace, paths).results]

        ids = {}
        (root / "run").mkdir()
        for seed in range(COMMITTED):
            for place in places:
                write(arrays_of(population, seed, place)).rename(root / "run" / f"{seed}-{place}.safetensors")
        for row in commit(workspace, [root / "run"]).commits:
            seed, place = map(int, Path(row.path).stem.split("-"))
            ids[seed, place] = row.id
        for how, (names, _) in {**CHANGES, **PLAIN}.items():
            if "rescaled" in names and not relu:
                continue
            truth = [(int(rng.integers(COMMITTED)), int(rng.choice(places))) for _ in range(trials)]
            answers = ask([copy_of(arrays_of(population, *one), how, rng) for one in truth])
            pairs = list(zip(answers, truth, strict=True))
            right = [match for match, one in pairs if match is not None and match.commit == ids[one]]
            named = sum(match.transform == names for match in right)
            print(f"| {name} | {how} | {len(right) / trials:.3f} | {named / trials:.3f} |", flush=True)
        others = range(COMMITTED, len(population.weights))
        models = [arrays_of(population, int(rng.choice(others)), int(rng.choice(places))) for _ in range(strangers)]
        answers = ask([moved(rng, model) if i % 2 else model for i, model in enumerate(models)])
        false = sum(match is not None for match in answers)
        moves = sum(match is not None and "permuted" in (match.transform or "") for match in answers)
        print(f"| {name} | {strangers} strangers: taken for kin, as permuted | {false} | {moves} |", flush=True)


def null(name: str, population: Trained, pairs: int) -> None:
    rng = np.random.default_rng(1)
    spec = derive(population.card.architecture.shapes())
    if spec is None:
        return
    runs, length = population.weights.shape[:2]
    cosines, beyond = [], []
    for _ in range(pairs):
        left, right = rng.choice(runs, 2, replace=False)
        a, b = (arrays_of(population, int(run), int(rng.integers(1, length))) for run in (left, right))
        x, y = ({key: value.astype(np.float64) for key, value in one.items()} for one in (a, b))
        mean, _ = matched_null(x, y, spec)
        cosines.append(match_units(x, y, spec).cosine)
        beyond.append((cosines[-1] - mean) / (1 - mean))
    false = sum(value >= BEYOND for value in beyond)
    print(
        f"| {name} | {pairs} | {np.median(cosines):.2f}, {max(cosines):.2f} | {max(beyond):.2f} | {false} |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained populations are kept")
    parser.add_argument("--only", nargs="*", default=list(CARDS), help="names of populations")
    parser.add_argument("--trials", type=int, default=40, help="copies of each kind")
    parser.add_argument("--strangers", type=int, default=100, help="strangers asked about")
    parser.add_argument("--pairs", type=int, default=1000, help="pairs of strangers matched")
    asked = parser.parse_args()
    populations = {name: trained(name, asked.data, asked.cache) for name in asked.only}
    print("| population | copy | right source | and transforms |\n|---|---|---|---|")
    for name, population in populations.items():
        identified(name, population, asked.trials, asked.strangers)
    print("\n| population | pairs | cosine: median, max | beyond the null, max | false |\n|---|---|---|---|---|")
    for name, population in populations.items():
        null(name, population, asked.pairs)


if __name__ == "__main__":
    main()
