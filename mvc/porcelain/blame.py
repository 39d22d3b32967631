"""Which commit last changed each tensor, and where its displacement comes from. Owns the attribution.

Reads ids and signatures from the index: signatures are linear, so inner products of steps come from them. Those of
large tensors are sketches; where their values are few enough, or exactness is asked for, the tensors are read instead.
Of those that commits gave up only the sketches are left: they stand in, unless exactness is asked for, and then shares
can be told only from the last such commit on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import InputError
from mvc.geometry import EXACT, WIDTH
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.ancestry import Ancestry, Point, ancestry_of_commit, ancestry_of_model, introduced
from mvc.porcelain.comparing import layer_of
from mvc.porcelain.progress import Report, counted, silent
from mvc.porcelain.reading import History, read_model
from mvc.porcelain.results.blames import BlamedCommit, BlameResult, Contribution, TensorBlame
from mvc.porcelain.sides import open_side
from mvc.porcelain.workspace import Workspace

#: values of sketched tensors that are read without being asked: about as many as take half a second
READ = 1 << 23

Doubles = npt.NDArray[np.float64]
#: values of a tensor of a point, as doubles
Read = Callable[[int, str], Doubles]


def blame(
    workspace: Workspace,
    revision: str,
    *,
    tensor: str | None = None,
    exact: bool = False,
    directory: Path = Path(),
    progress: Report = silent,
) -> BlameResult:
    """Blame of a commit, or of a file as if it went on from the nearest lineage tip; ``tensor`` is a shell pattern.

    A file with a commit's very weights is blamed as that commit. ``exact`` reads large tensors instead of sketches of
    them. Raises InputError where no tensor matches, GoneError for exact shares in what a commit gave up itself.
    """
    history = History(workspace)
    with open_side(workspace, revision, directory) as side:
        commit: str | None = side.commit
        model = history.model(commit) if commit is not None else read_model(side.checkpoint, progress)
        commit = commit or history.same(model)
        tip = None if commit is not None else history.nearest_tip(model)
        if commit is not None:
            ancestry = ancestry_of_commit(history, commit)
        else:
            ancestry = ancestry_of_model(history, revision, model, None if tip is None else tip.id)

        def read(point: int, name: str) -> Doubles:
            known = ancestry.points[point].commit
            source: Checkpoint = side.checkpoint if history.placed(known) is None else history.checkpoint(known)
            values: Doubles = read_array(source, name).astype(np.float64).reshape(-1)
            return np.nan_to_num(values, posinf=0.0, neginf=0.0)

        large = _large(ancestry, tensor)
        gone = frozenset(one for one in large if not workspace.repository.odb.contains(one))
        lacking = gone & set(ancestry.points[-1].model.objects.values())
        if exact and commit is not None and lacking:
            workspace.repository.tensor(min(lacking))  # raises what says when and why
        reads = exact or sum(large.values()) <= READ
        rows = attribute(ancestry, tensor, read if reads else None, gone=gone, exact=exact, progress=progress)
        cut = _cut(ancestry, gone) if exact else ()
    if tensor is not None and not rows:
        raise InputError(f"no tensor matches {tensor!r}", hint=f"list them with: mvc show {revision}")
    at = commit or (None if tip is None else tip.id)
    lineage = None if at is None else history.lineage(at)
    name = commit or revision
    return BlameResult(
        name,
        None if lineage is None else lineage.name,
        rows,
        tuple(_place(history, point) for point in ancestry.points),
        cut,
    )


def attribute(
    ancestry: Ancestry,
    pattern: str | None = None,
    read: Read | None = None,
    *,
    gone: Collection[ObjectId] = (),
    exact: bool = False,
    progress: Report = silent,
) -> tuple[TensorBlame, ...]:
    """Blame of the last point's tensors, in its order; values of large ones through ``read``, else from sketches.

    Let w be a tensor's values now, less those it had at its roots (weighted, where averages lie between). The way there
    is made of steps, each weighted by what the averages after it let through, and the share of a commit is ⟨its steps,
    w⟩ / |w|². Shares sum to 1; a commit that turned back has a negative one. A tensor without signatures (integers,
    say) or without displacement has none. Tensors that are ``gone`` cannot be read: where ``exact``, those points are
    none that a step can lead from or to.
    """
    points = ancestry.points
    rows = []
    names = [name for name in points[-1].model.objects if pattern is None or fnmatchcase(name, pattern)]
    for name in counted(names, progress):
        copied = ancestry.copied.get(name, {})
        last = introduced(points, name)
        last = copied.get(last, last)
        lost = {i for i, point in enumerate(points) if point.model.objects.get(name) in gone}
        seen = read if exact or not lost else None
        shares, displacement = _contributions(points, name, copied, seen, lost - {len(points) - 1} if exact else ())
        rows.append(
            TensorBlame(
                name=name,
                numel=points[-1].model.specs[name].numel,
                commit=points[last].commit,
                relation=points[last].relation,
                contributions=shares,
                displacement=displacement,
                layer=layer_of(name),
            )
        )
    return tuple(rows)


def _contributions(
    points: Sequence[Point], name: str, copied: Mapping[int, int], read: Read | None, lost: Collection[int]
) -> tuple[tuple[Contribution, ...], float | None]:
    """Shares in the order of the points, none that are nothing, and how far the tensor has come."""
    spec = points[-1].model.specs[name]
    if name not in points[-1].model.signatures:
        return (), None
    usable = {
        i
        for i, point in enumerate(points)
        if name in point.model.signatures and point.model.specs[name].shape == spec.shape and i not in lost
    }
    sketched = spec.numel > EXACT and read is None
    values: Read = read if read is not None and spec.numel > EXACT else lambda i, _: _signature(points[i], name)
    weights, sources = _weights(points, usable, copied)
    whole = sum((-w * values(i, name) for i, w in weights.items() if not sources[i]), values(len(points) - 1, name))
    squared = float(whole @ whole)
    if squared == 0:
        return (), 0.0
    along = _products(points, name, weights, values, whole)
    shares = []
    for i in sorted(weights):
        share = weights[i] * (along[i] - sum(w * along[j] for j, w in sources[i].items())) / squared
        if sources[i] and share:
            error = 0.0
            if sketched:
                step = values(i, name) - sum(w * values(j, name) for j, w in sources[i].items())
                rest = weights[i] * step - share * whole
                error = math.sqrt(float(rest @ rest) / squared / WIDTH)
            shares.append(Contribution(points[i].commit, float(share), error))
    return tuple(shares), math.sqrt(squared)


def _weights(
    points: Sequence[Point], usable: set[int], copied: Mapping[int, int]
) -> tuple[dict[int, float], dict[int, Mapping[int, float]]]:
    """How much of each point's values is in the last one's, and the sources that it has this tensor of.

    A point of whose sources one lacks the tensor, or has it in another shape, is a root for it.
    """
    weights, sources = {len(points) - 1: 1.0}, {}
    for i in range(len(points) - 1, -1, -1):
        if i not in weights:
            continue
        own = {copied[i]: 1.0} if i in copied else points[i].sources
        sources[i] = own if own.keys() <= usable else {}
        for j, weight in sources[i].items():
            weights[j] = weights.get(j, 0.0) + weights[i] * weight
    return weights, sources


def _products(
    points: Sequence[Point], name: str, needed: Mapping[int, float], values: Read, whole: Doubles
) -> dict[int, float]:
    """Inner product of each point's values with ``whole``; equal tensors are read once."""
    known: dict[ObjectId, float] = {}
    for i in needed:
        held = points[i].model.objects[name]
        if held not in known:
            known[held] = float(values(i, name) @ whole)
    return {i: known[points[i].model.objects[name]] for i in needed}


def _signature(point: Point, name: str) -> Doubles:
    found: Doubles = point.model.signatures[name].values.astype(np.float64)
    return found


def _large(ancestry: Ancestry, pattern: str | None) -> dict[ObjectId, int]:
    """Distinct large tensors behind the last point's, and its own → their values."""
    last = ancestry.points[-1].model
    large = [name for name in last.signatures if last.specs[name].numel > EXACT]
    found: dict[ObjectId, int] = {}
    for point in ancestry.points:
        for name in large:
            held: Any = point.model.objects.get(name)
            if held is not None and (pattern is None or fnmatchcase(name, pattern)):
                found[held] = point.model.specs[name].numel
    return found


def _cut(ancestry: Ancestry, gone: Collection[ObjectId]) -> tuple[str, ...]:
    """Commits before the last point that lack any of the tensors that are ``gone``, in the order of the points."""
    before = ancestry.points[:-1]
    return tuple(point.commit for point in before if not set(gone).isdisjoint(point.model.objects.values()))


def _place(history: History, point: Point) -> BlamedCommit:
    row, placed = history.lineage(point.commit), history.placed(point.commit)
    if row is None or placed is None:
        return BlamedCommit(point.commit, point.relation, None, None)
    return BlamedCommit(point.commit, point.relation, row.name, placed.position)
