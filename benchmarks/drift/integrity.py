"""How often damage to a checkpoint is found and named, and how often the rules of integrity speak of healthy ones.

    python -m benchmarks.drift.integrity --data mnist.npz --zoo DIR --drift DIR [--only NAME ...] [--draws N]

Every healthy step of every population is judged by the steps before it, as it was trained and as float16 and bfloat16
would keep it. Then checkpoints are damaged at random, as many of every kind and population, and judged beside the
healthy ones before them. Found is what the right rule names with the right tensor. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.drift.populations import CELLS, HELD_OUT, drifted
from benchmarks.trajectory.populations import CARDS, FURTHER, trained
from benchmarks.trajectory.tiny import TINY, tiny_runs
from mvc.drift.integrity import integrity_findings
from mvc.drift.profiles import StepProfile, profile_step
from mvc.papers.tables import table_head, table_row

Arrays = dict[str, npt.NDArray[Any]]
Random = np.random.Generator
DTYPES: Mapping[str, Any] = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
_BITS = {"float32": (np.uint32, 23, 8), "float16": (np.uint16, 10, 5), "bfloat16": (np.uint16, 7, 8)}
AGES = ("1st", "2nd and 3rd", "4th and 5th", "6th and later")
#: earlier steps that are kept beside a judged one, as many as the rules look at
_PAST = 16


@dataclass(frozen=True)
class Kind:
    """``damage`` changes arrays in place and names the tensors, or None where this checkpoint cannot be damaged so."""

    name: str
    rule: str
    damage: Callable[[Random, Arrays, Arrays, str], set[str] | None]


def _flip(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    """A bit of an exponent, such that the change is at least as long as the whole step."""
    kind, mantissa, exponent = _BITS[dtype]
    step = sum(float(((now[k].astype(float) - before[k].astype(float)) ** 2).sum()) for k in now)
    sizes = np.array([value.size for value in now.values()])
    for _ in range(200):
        name = list(now)[random.choice(len(sizes), p=sizes / sizes.sum())]
        place, bit = int(random.integers(now[name].size)), int(random.integers(exponent))
        flipped = now[name].reshape(-1)[place : place + 1].copy()
        flipped.view(kind)[0] ^= kind(1 << (mantissa + bit))
        value = float(flipped[0])
        if np.isfinite(value) and (value - float(before[name].reshape(-1)[place])) ** 2 >= step:
            now[name].reshape(-1)[place] = flipped[0]
            return {name}
    return None


def _large(now: Arrays, *, rank: int = 1) -> list[str]:
    return [
        name for name, value in now.items() if value.ndim >= rank and value.size > 1 and np.any(value != value.flat[0])
    ]


def _zero(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    name = str(random.choice(_large(now)))
    now[name][...] = 0
    return {name}


def _block(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    """A page of memory: a quarter of a tensor, or 1,024 values."""
    names = [name for name in _large(now) if now[name].size >= 64]
    name = str(random.choice(names))
    size = min(1024, now[name].size // 4)
    start = int(random.integers(now[name].size - size))
    now[name].reshape(-1)[start : start + size] = 0
    return {name}


def _rows(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    name = str(random.choice(_large(now, rank=2)))
    one, two = random.choice(len(now[name]), 2, replace=False)
    now[name][[one, two]] = now[name][[two, one]]
    return {name}


def _permuted(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    name = str(random.choice(_large(now, rank=2)))
    now[name][...] = now[name][random.permutation(len(now[name]))]
    return {name}


def _exchanged(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    """Two tensors of one shape change places."""
    pairs = [(a, b) for a in now for b in now if a < b and now[a].shape == now[b].shape and now[a].size >= 8]
    if not pairs:
        return None
    a, b = pairs[int(random.integers(len(pairs)))]
    now[a], now[b] = now[b], now[a]
    return {a, b}


def _scaled(factor: float) -> Callable[[Random, Arrays, Arrays, str], set[str] | None]:
    def damage(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
        names = [name for name in _large(now) if float(np.abs(now[name].astype(float)).max()) * factor < 6e4]
        name = str(random.choice(names))
        now[name][...] = (now[name].astype(np.float64) * factor).astype(now[name].dtype)
        return {name}

    return damage


def _narrowed(random: Random, before: Arrays, now: Arrays, dtype: str) -> set[str] | None:
    """One tensor went through bfloat16 and back."""
    if dtype != "float32":
        return None
    name = str(random.choice([name for name in _large(now) if now[name].size >= 16]))
    now[name][...] = now[name].astype(ml_dtypes.bfloat16).astype(now[name].dtype)
    return {name}


KINDS = (
    Kind("bit of an exponent flipped, change ≥ one step", "MVC014", _flip),
    Kind("tensor zeroed", "MVC013", _zero),
    Kind("block of a tensor zeroed", "MVC013", _block),
    Kind("two rows swapped", "MVC016", _rows),
    Kind("rows of a tensor permuted", "MVC016", _permuted),
    Kind("two tensors of one shape exchanged", "MVC016", _exchanged),
    Kind("tensor × 64", "MVC015", _scaled(64)),
    Kind("tensor × 4", "MVC015", _scaled(4)),
    Kind("tensor × 2", "MVC015", _scaled(2)),
    Kind("tensor through bfloat16", "MVC017", _narrowed),
)


def main() -> None:
    asked = arguments(__doc__ or "")
    torch.set_num_threads(1)
    steps: Counter[str] = Counter()
    spoken: Counter[tuple[str, str]] = Counter()
    caught: dict[tuple[str, str], list[bool]] = defaultdict(list)
    examples: list[str] = []
    for name, runs in populations(asked):
        for dtype, kind in DTYPES.items():
            kept = [[{k: v.astype(kind) for k, v in point.items()} for point in run] for run in runs]
            walks = [[profile_step(a, b) for a, b in pairwise(run)] for run in kept]
            for walk in walks:
                for at, step in enumerate(walk):
                    steps[dtype] += 1
                    for finding in integrity_findings(step, walk[max(0, at - _PAST) : at]):
                        spoken[dtype, finding.rule] += 1
                        examples.append(f"{name} {dtype} {at + 1} {finding.rule} {finding.tensor}: {finding.message}")
            random = np.random.default_rng(0)
            for one in KINDS:
                for at, found in _damaged(random, one, kept, walks, dtype, asked.draws):
                    caught[one.name, dtype].append(found)
                    caught[one.name, _age(at)].append(found)
        print(f"<!-- {name} -->", flush=True)
    _report(steps, spoken, caught)
    print("\n".join(f"<!-- {line} -->" for line in examples))


def _damaged(
    random: Random, kind: Kind, kept: list[list[Arrays]], walks: list[list[StepProfile]], dtype: str, draws: int
) -> Iterator[tuple[int, bool]]:
    """Number of the checkpoint in its run, and whether rule and tensor were named."""
    for draw in range(draws):
        run = int(random.integers(len(kept)))
        last = len(kept[run]) - 1
        at = 1 + draw // 4 if draw % 4 == 0 and draw // 4 < min(5, last) else int(random.integers(1, last + 1))
        before, now = kept[run][at - 1], {k: v.copy() for k, v in kept[run][at].items()}
        named = kind.damage(random, before, now, dtype)
        if named is None:
            continue
        findings = integrity_findings(profile_step(before, now), walks[run][max(0, at - 1 - _PAST) : at - 1])
        yield at, named <= {finding.tensor for finding in findings if finding.rule == kind.rule}


def _age(at: int) -> str:
    return AGES[0] if at == 1 else AGES[1] if at < 4 else AGES[2] if at < 6 else AGES[3]


def arguments(about: str) -> argparse.Namespace:
    reader = argparse.ArgumentParser(description=about)
    reader.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    reader.add_argument("--zoo", type=Path, default=Path("zoo-out"), help="cache of benchmarks.trajectory.populations")
    reader.add_argument("--drift", type=Path, default=Path("drift-out"), help="cache of benchmarks.drift.populations")
    reader.add_argument("--only", nargs="*", help="names of populations")
    reader.add_argument("--draws", type=int, default=24, help="damaged checkpoints of every kind, dtype and population")
    return reader.parse_args()


def populations(asked: argparse.Namespace) -> Iterator[tuple[str, list[list[Arrays]]]]:
    """Name and runs, each a list of checkpoints from the initial one on; only trainable tensors."""
    for name in (*CARDS, *FURTHER):
        if not asked.only or name in asked.only:
            population = trained(name, asked.data, asked.zoo)
            yield name, [_split(population.card.architecture.shapes(), run) for run in population.weights]
    for card in (*CELLS.values(), *HELD_OUT.values()):
        if not asked.only or card.name in asked.only:
            cell = drifted(card, asked.data, asked.drift)
            yield card.name, [_split(card.architecture.shapes(), run) for run in cell.healthy]
    for name in TINY:
        if not asked.only or name in asked.only:
            runs = tiny_runs(name, asked.data, asked.zoo)
            yield name, [[{k: v for k, v in point.items() if "running" not in k} for point in run] for run in runs]


def _split(shapes: Mapping[str, tuple[int, ...]], run: npt.NDArray[np.float32]) -> list[Arrays]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(run, ends[:-1], axis=1)
    return [
        {name: part[point].reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        for point in range(len(run))
    ]


def _report(
    steps: Counter[str], spoken: Counter[tuple[str, str]], caught: Mapping[tuple[str, str], list[bool]]
) -> None:
    rules = sorted({kind.rule for kind in KINDS})
    print("\n".join(table_head(("healthy steps kept as", "steps", *rules))))
    for dtype, count in steps.items():
        print(table_row((dtype, f"{count:,}", *(str(spoken[dtype, rule]) for rule in rules))))
    print()
    print("\n".join(table_head(("damage", "rule", *DTYPES, *AGES))))
    for kind in KINDS:
        cells = [caught.get((kind.name, column), []) for column in (*DTYPES, *AGES)]
        print(table_row((kind.name, kind.rule, *(f"{np.mean(c):.3f} of {len(c)}" if c else "" for c in cells))))


if __name__ == "__main__":
    main()
