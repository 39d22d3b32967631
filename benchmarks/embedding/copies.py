"""How the source of a permuted copy is found among many commits: by the search, an embedder, or matching all of them.

    python -m benchmarks.embedding.copies --data mnist14.npz --cache DIR --population schurholt-borth-2021-mlp \
        --runs 200 --every 1 --learn 40 --minutes 3

An embedder is trained on ``--learn`` of a population's runs, others than those among which is searched. Every
``--every``-th checkpoint of the latter is "committed" (held in memory: what is timed is the search, no disk and no
index), and copies of some are made: with units permuted, and then rounded, pruned or rescaled; and checkpoints
between two that are committed, permuted. Of every way to find the source: how often it is among the candidates, and how
long they take, in seconds of the processor. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.embedding.families import Floats, Shapes, learnt, named, parser, population
from benchmarks.trajectory.copies import STEPS, Arrays, homogeneous, permuted, spec_of
from mvc.geometry.matching import match_units
from mvc.objects import ObjectId, TensorSpec, tensor_id
from mvc.porcelain.embedders import Embedder
from mvc.porcelain.permuted import MATCHED, NEIGHBOURS, UnitSearch
from mvc.porcelain.reading import Model, read_model

#: ways to change a copy, done after its units were permuted
CHANGES = ("nothing else", "fp16", "30 % pruned", "80 % pruned", "rescaled", "trained on")


class Held:
    """A checkpoint in memory."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        names = {"float32": "F32", "float16": "F16"}
        self.specs: Mapping[str, TensorSpec] = {
            name: TensorSpec(names[value.dtype.name], value.shape) for name, value in self.arrays.items()
        }

    def read(self, name: str) -> memoryview:
        return memoryview(self.arrays[name].tobytes())

    def object_id(self, name: str) -> ObjectId:
        return tensor_id(self.specs[name], self.read(name))

    @cached_property
    def model(self) -> Model:
        return read_model(self)


class Memory:
    """What `UnitSearch` asks a history, answered from memory: every run is a lineage."""

    def __init__(self, committed: Mapping[str, Held]) -> None:
        self.committed = committed

    def checkpoint(self, commit: str) -> Held:
        return self.committed[commit]

    def points(self, commits: Iterable[str]) -> list[Model]:
        return [self.committed[commit].model for commit in commits]

    def lineage(self, commit: str) -> SimpleNamespace:
        return SimpleNamespace(name=commit.partition("-")[0])


@dataclass(frozen=True)
class Query:
    """A file that was made of the commits ``sources``; any of them is right."""

    change: str
    file: Held
    sources: frozenset[str]

    def right(self, found: Sequence[str]) -> tuple[bool, bool]:
        """Whether the commit is, and its run."""
        runs = {source.partition("-")[0] for source in self.sources}
        return bool(self.sources & {*found}), bool(runs & {commit.partition("-")[0] for commit in found})


def queries(runs: Floats, shapes: Shapes, every: int, count: int, change: str) -> list[Query]:
    """``count`` of a change; runs [M, K, d], of which every ``every``-th checkpoint is committed."""
    rng, found = np.random.default_rng(0), []
    for _ in range(count):
        run, place = int(rng.integers(len(runs))), int(rng.integers(1, (runs.shape[1] - 1) // every)) * every
        sources = {f"{run}-{place}"}
        if change == "trained on":
            sources.add(f"{run}-{place + every}")
            place += every // 2
        model = permuted(named(shapes, runs[run, place]), rng)
        if change in STEPS:
            model = STEPS[change][1](model, rng)
        found.append(Query(change, Held(model), frozenset(sources)))
    return found


class WithNeighbours(UnitSearch):
    """The search with neighbours in a latent space, which are handed over."""

    near: Sequence[str] = ()
    _space = None  # type: ignore[assignment]

    @cached_property
    def neighbours(self) -> list[str]:
        return list(self.near)


def searched(query: Query, memory: Memory, commits: Sequence[str], near: Sequence[str] = ()) -> list[str]:
    """The commit that the file is said to be a copy of, or to descend from."""
    search = WithNeighbours(memory, query.file, query.file.model, commits)  # type: ignore[arg-type]
    search.near = near
    match = search.copy() or search.descendant()
    return [] if match is None else [match.commit]


def matched(query: Query, memory: Memory, commits: Sequence[str]) -> list[str]:
    """Exhaustive: all commits by the cosine of the best matching."""
    spec = spec_of(query.file.arrays)
    file = {name: value.astype(np.float64) for name, value in query.file.arrays.items()}
    cosines = [
        match_units({n: v.astype(np.float64) for n, v in memory.committed[one].arrays.items()}, file, spec).cosine
        for one in commits
    ]
    return [commits[i] for i in np.argsort(cosines)[::-1]]


def flat(model: Held, shapes: Shapes) -> Floats:
    return np.concatenate([model.arrays[name].astype(np.float32).reshape(-1) for name in shapes])


def near(query: Query, embedder: Embedder, places: Floats) -> npt.NDArray[Any]:
    """Commits by their distance in the latent space."""
    own = embedder.embed(flat(query.file, embedder.shapes)[None])[0]
    return np.argsort(np.linalg.norm(places - own, axis=1), kind="stable")


def timed(answer: Callable[[], Sequence[Any]]) -> tuple[list[Any], float]:
    began = time.process_time()
    found = list(answer())
    return found, time.process_time() - began


def main() -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--population", default="schurholt-borth-2021-mlp")
    reader.add_argument("--runs", type=int, default=200, help="runs among which is searched")
    reader.add_argument("--every", type=int, default=2, help="which of their checkpoints are committed")
    reader.add_argument("--changes", nargs="*", default=CHANGES, help="what copies have undergone")
    reader.add_argument("--count", type=int, default=20, help="copies of each change")
    reader.add_argument(
        "--exhaustive", type=int, default=2, help="copies of each change that all commits are matched for"
    )
    asked = reader.parse_args()
    found = population(asked.population, asked.data, asked.cache, seeds=asked.seeds)
    runs, shapes = found.runs, found.shapes
    if len(runs) < max(asked.runs, asked.first + asked.learn):
        reader.error("there are not as many runs")
    learning = runs[asked.first : asked.first + asked.learn]
    embedder = learnt([learning], shapes, asked.recipe, asked.minutes, asked.cache)
    committed = {
        f"{run}-{place}": Held(named(shapes, runs[run, place]))
        for run in range(asked.runs)
        for place in range(0, runs.shape[1], asked.every)
    }
    memory, commits = Memory(committed), sorted(committed)
    memory.points(commits)  # as the index has them
    began = time.process_time()
    places = embedder.embed(np.stack([flat(committed[one], shapes) for one in commits]))
    embedding = time.process_time() - began
    possible = {"rescaled": homogeneous(asked.population), "trained on": asked.every > 1}
    changes = [change for change in asked.changes if possible.get(change, True)]
    print(f"{asked.population}: {len(commits):,} commits of {asked.runs} runs; {asked.recipe} trained for")
    print(f"{asked.minutes:g} minutes on {asked.learn} other runs; embedding all commits {embedding:.1f} s\n")
    heads = (
        "search: commit, run",
        "s",
        "with neighbours: commit, run",
        "s",
        "nearest is right",
        f"in {NEIGHBOURS}",
        f"in {MATCHED}",
        "matching all: commit, run",
        "s",
    )
    print(f"| copy | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}", flush=True)
    for change in changes:
        print(
            f"| permuted, {change} | {' | '.join(row(asked, change, memory, commits, places, embedder, runs))} |",
            flush=True,
        )


def row(
    asked: argparse.Namespace,
    change: str,
    memory: Memory,
    commits: Sequence[str],
    places: Floats,
    embedder: Embedder,
    runs: Floats,
) -> list[str]:
    """Of every way, which share of the sources it finds, and its mean time."""
    now, both, every, ranks = [], [], [], []
    for i, query in enumerate(queries(runs[: asked.runs], embedder.shapes, asked.every, asked.count, change)):
        found, seconds = timed(lambda query=query: searched(query, memory, commits))
        now.append((*query.right(found), seconds))
        order, first = timed(lambda query=query: near(query, embedder, places))
        ranks.append(min(order.index(commits.index(source)) for source in query.sources))
        nearest = [commits[one] for one in order[:MATCHED]]
        found, seconds = timed(lambda query=query, near=nearest: searched(query, memory, commits, near))
        both.append((*query.right(found), seconds + first))
        if i < asked.exhaustive:
            best, seconds = timed(lambda query=query: matched(query, memory, commits))
            every.append((*query.right(best[:1]), seconds))
    shares = [f"{np.mean(np.array(ranks) < k):.2f}" for k in (1, NEIGHBOURS, MATCHED)]
    return [*told(now), *told(both), *shares, *told(every)]


def told(answers: Sequence[tuple[bool, bool, float]]) -> list[str]:
    """Shares of right commits and of right runs, and mean time."""
    if not answers:
        return ["–", "–"]
    commits, runs, seconds = np.mean(answers, axis=0)
    return [f"{commits:.2f}, {runs:.2f}", f"{seconds:.2f}"]


if __name__ == "__main__":
    main()
