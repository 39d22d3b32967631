"""How often a replayed, wrong or broken file is named before it is committed, and a healthy one let be.

    python -m benchmarks.drift.origins --data mnist.npz --zoo DIR --drift DIR [--only NAME ...] [--draws N]

Of every population four runs are committed up to some checkpoint, with their steps, into one repository; the rest of
them and two further runs lie beside it as files. Each file is checked as `mvc check FILE --against COMMIT` does it, an
older state also as `mvc check FILE` does. Named is what the right rule finds with the right origin. Prints a table.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from benchmarks.drift.integrity import Arrays, arguments, populations
from mvc.papers.tables import table_head, table_row
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.ledger import DAMAGE
from mvc.porcelain.results.checks import Finding
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

#: runs that are committed; the others are strangers
_OWN = 4
_RULES = ("MVC001", "MVC009", "MVC010", *DAMAGE)
KINDS = ("healthy", "older state", "older state, nothing said", "older state, nearly", "other run", "stranger", "NaN")


def main() -> None:
    asked = arguments(__doc__ or "")
    torch.set_num_threads(1)
    right: dict[tuple[str, str], list[bool]] = defaultdict(list)
    print("\n".join(table_head(("population", *KINDS))))
    for name, runs in populations(asked):
        with tempfile.TemporaryDirectory() as directory:
            for kind, found in _judged(Path(directory), runs, asked.draws):
                right[name, kind].append(found)
                right["all", kind].append(found)
        _print(name, right)
    _print("all", right)


def _print(name: str, right: Mapping[tuple[str, str], list[bool]]) -> None:
    cells = [right.get((name, kind), []) for kind in KINDS]
    print(table_row((name, *(f"{np.mean(c):.3f} of {len(c)}" if c else "" for c in cells))), flush=True)


def _judged(directory: Path, runs: list[list[Arrays]], draws: int) -> Iterator[tuple[str, bool]]:
    """Kind of a file, and whether what is said of it is right: for a healthy one nothing."""
    random = np.random.default_rng(0)
    workspace = Workspace.of(Repository.init(directory), author="benchmark <b@example.org>")
    ids: list[list[str]] = []
    for number, run in enumerate(runs[:_OWN]):
        length = int(random.integers(len(run) // 2, len(run) - 1))
        files = [_write(directory / f"{number}-{i}.safetensors", run[i], step=str(i)) for i in range(length)]
        ids.append([row.id for row in commit(workspace, files).commits])

    def said(point: Arrays, against: str | None) -> list[Finding]:
        file = _write(directory / "next.safetensors", point)
        return [row for row in check(workspace, [str(file)], against=against).findings if row.rule in _RULES]

    for _ in range(draws):
        own, other = (int(number) for number in random.choice(len(ids), 2, replace=False))
        length, tip = len(ids[own]), ids[own][-1]
        following, older = runs[own][length], int(random.integers(length - 2))
        step = {name: value - runs[own][length - 1][name] for name, value in following.items()}
        yield "healthy", not said(following, tip)
        yield "older state", _names(said(runs[own][older], tip), "MVC009", [ids[own][older]])
        yield "older state, nothing said", _names(said(runs[own][older], None), "MVC009", [ids[own][older]])
        near = {k: (v + 0.02 * random.permutation(step[k].reshape(-1)).reshape(v.shape)).astype(v.dtype)
                for k, v in runs[own][older].items()}  # fmt: skip
        yield "older state, nearly", _names(said(near, tip), "MVC009", [ids[own][older]])
        yield "other run", _names(said(runs[other][len(ids[other])], tip), "MVC010", ids[other])
        if len(runs) > _OWN:
            stranger = runs[int(random.integers(_OWN, len(runs)))]
            yield "stranger", _names(said(stranger[int(random.integers(1, len(stranger)))], tip), "MVC010", [""])
        broken = {name: value.copy() for name, value in following.items()}
        name = str(random.choice(list(broken)))
        broken[name].reshape(-1)[int(random.integers(broken[name].size))] = np.nan
        yield "NaN", [row.tensor for row in said(broken, tip) if row.rule == "MVC001"] == [name]


def _names(findings: list[Finding], rule: str, origins: list[str]) -> bool:
    """Whether the rule spoke and named one of the origins: of another run any checkpoint, for late ones are alike."""
    return any(row.rule == rule and origin[:8] in row.message for row in findings for origin in origins)


def _write(path: Path, point: Arrays, **metadata: str) -> Path:
    save_file({name: np.ascontiguousarray(value) for name, value in point.items()}, path, metadata=metadata or None)
    return path


if __name__ == "__main__":
    main()
