"""How far two checkpoints are from each other, and in which tensors. Owns the comparison; writes nothing.

Reads two tensors at a time and none that both sides share: equal ids mean equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mvc.errors import InputError
from mvc.geometry import EXACT, TensorComparison, combine, compare_tensors, trainable
from mvc.objects import DTYPES, Checkpoint, ObjectId, TensorSpec, read_array
from mvc.porcelain.reading import History, open_side
from mvc.porcelain.results import DiffResult, TensorDiff, TensorStatus
from mvc.porcelain.workspace import Workspace

#: squared norm of a tensor that need not be read again; None where it is not known
KnownNorm = Callable[[ObjectId], float | None]


def diff(workspace: Workspace, a: str, b: str, *, tensor: str | None = None, directory: Path = Path()) -> DiffResult:
    """Compares revisions or checkpoint files ``a`` and ``b``; ``tensor`` is a shell pattern on names.

    The overall figures are those of the shared trainable tensors that match. Raises InputError where none matches.
    """
    with open_side(workspace, a, directory) as left, open_side(workspace, b, directory) as right:
        known = _known(workspace, left.checkpoint, right.checkpoint)
        rows, overall = compare(left.checkpoint, right.checkpoint, pattern=tensor, known=known)
        commits = (right.commit, left.commit)
        weights = min(weights_of(side.checkpoint.specs) for side in (left, right))
    if tensor is not None and not rows:
        raise InputError(f"no tensor of either side matches {tensor!r}", hint=f"list them with: mvc show {a}")
    steps = _in_steps(workspace, commits, overall.distance) if tensor is None and overall.numel else None
    return DiffResult(
        a=a,
        b=b,
        distance=overall.distance,
        relative_distance=overall.relative_distance,
        cosine=overall.cosine,
        tensors=rows,
        steps=steps,
        verdict=_verdict(rows, overall, steps),
        compared=overall.numel,
        coverage=overall.numel / weights if weights else 0.0,
    )


def weights_of(specs: Mapping[str, TensorSpec]) -> int:
    """How many trainable values a checkpoint has."""
    return sum(spec.numel for spec in trainable(specs).values())


def _known(workspace: Workspace, a: Checkpoint, b: Checkpoint) -> KnownNorm:
    """Squared norms of what both sides share, from the index. Signatures of large tensors estimate them: only exact
    ones count."""
    shared = (name for name in b.specs if name in a.specs and a.specs[name] == b.specs[name])
    same = {b.object_id(name) for name in shared if a.object_id(name) == b.object_id(name)}
    signatures = workspace.signatures(same) if same else {}

    def known(object_id: ObjectId) -> float | None:
        signature = signatures.get(object_id)
        if signature is None or signature.numel > EXACT:
            return None
        values = signature.values.astype(np.float64)
        return float(values @ values)

    return known


def compare(
    a: Checkpoint, b: Checkpoint, *, pattern: str | None, known: KnownNorm
) -> tuple[tuple[TensorDiff, ...], TensorComparison]:
    """Every tensor of either side that matches, the largest share of the squared distance first, and the sum."""
    names = [name for name in (*b.specs, *(n for n in a.specs if n not in b.specs)) if _matches(name, pattern)]
    points = trainable(a.specs).keys() & trainable(b.specs).keys()
    parts: dict[str, TensorComparison] = {}
    rows = [row for name in names for row in _row(a, b, name, known, parts)]
    overall = combine(part for name, part in parts.items() if name in points)
    total = overall.squared_distance
    shared = [
        replace(row, share=parts[row.name].squared_distance / total if total > 0 else 0.0)
        if row.name in parts and row.name in points
        else row
        for row in rows
    ]
    order = {"reshaped": 1, "added": 2, "removed": 3}
    shared.sort(key=lambda row: (row.status == "identical", -(row.share or 0.0), order.get(row.status, 0), row.name))
    return tuple(shared), overall


def _matches(name: str, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(name, pattern)


def _row(
    a: Checkpoint, b: Checkpoint, name: str, known: KnownNorm, parts: dict[str, TensorComparison]
) -> Iterator[TensorDiff]:
    left, right = a.specs.get(name), b.specs.get(name)
    if left is None or right is None:
        spec = left or right
        assert spec is not None
        yield TensorDiff(name, "added" if left is None else "removed", spec.numel, None, None, None, None)
        return
    if left.shape != right.shape:
        yield TensorDiff(name, "reshaped", right.numel, None, None, None, None)
        return
    if a.object_id(name) == b.object_id(name):
        part = _identical(b, name, right, known)
        if part is not None:
            parts[name] = part
        yield TensorDiff(name, "identical", right.numel, 0.0, 0.0, part.cosine if part else None, 0.0)
        return
    x, y = _values(a, name), _values(b, name)
    status: TensorStatus = "changed" if left.dtype == right.dtype else "recast"
    if x is None or y is None:
        yield TensorDiff(name, status, right.numel, None, None, None, None)
        return
    part = compare_tensors(x, y)
    parts[name] = part
    yield TensorDiff(
        name,
        status,
        right.numel,
        part.distance,
        part.relative_distance if part.squared_distance else 0.0,
        part.cosine,
        part.max_abs,
        nonfinite=part.nonfinite,
    )


def _identical(b: Checkpoint, name: str, spec: TensorSpec, known: KnownNorm) -> TensorComparison | None:
    """Figures of a tensor with itself; only trainable ones need any, and those are read only if nobody knows them."""
    if not spec.is_float or not spec.numel:
        return None
    squared = known(b.object_id(name))
    if squared is None:
        values = _values(b, name)
        if values is None:
            return None
        return compare_tensors(values, values)
    return TensorComparison(spec.numel, 0.0, squared, squared, squared, 0.0, 0)


def _values(checkpoint: Checkpoint, name: str) -> npt.NDArray[np.generic] | None:
    """Values to compare; complex ones as pairs of reals. None where a dtype has no values that NumPy knows."""
    dtype = DTYPES[checkpoint.specs[name].dtype]
    if dtype.numpy is None:
        return None
    array = read_array(checkpoint, name)
    if dtype.number == "complex":
        return array.reshape(-1).view(np.float32 if dtype.bits == 64 else np.float64)
    return array


def _in_steps(workspace: Workspace, commits: Sequence[ObjectId | None], distance: float) -> float | None:
    """The distance in median steps of the lineage that the first of the commits with one stands in."""
    history = History(workspace)
    medians = (history.median_step(commit) for commit in commits if commit is not None)
    median = next((value for value in medians if value), None)
    return None if median is None else distance / median


def _verdict(rows: tuple[TensorDiff, ...], overall: TensorComparison, steps: float | None) -> str:
    """One sentence for people."""
    statuses = {row.status for row in rows}
    if statuses <= {"identical"}:
        return "the same weights"
    if overall.numel == 0:
        return "no trainable tensor in common"
    if overall.distance == 0:
        if statuses & {"added", "removed", "reshaped"}:
            return "what both sides have is the same"
        return "the same weights in another dtype" if "recast" in statuses else "only untrained tensors differ"
    # gains near 1 and the like are alike in all models: a small cosine is no kinship, however many weights there are
    if overall.cosine is not None and abs(overall.cosine) < max(0.1, 4 / overall.numel**0.5):
        return "independent models: their weights are as far apart as chance puts them"
    if steps is None:
        return ""
    if steps < 0.5:
        return "closer than one step of this lineage"
    if steps < 3:
        return "about one step of this lineage"
    return f"as far as {steps:.0f} steps of this lineage in one direction"
