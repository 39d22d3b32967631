"""Which commit last changed each tensor, and where its displacement comes from. Owns the attribution.

Reads ids and signatures from the index, no tensor: signatures are linear, so inner products of steps come from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.porcelain.reading import History, open_side, read_model
from mvc.porcelain.results import BlameResult, Contribution, Relation, TensorBlame
from mvc.porcelain.workspace import Workspace

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """One commit of a trajectory: where it stands and its weights' objects. ``commit`` is a path for a file."""

    commit: str
    relation: Relation
    objects: Mapping[str, ObjectId]
    numel: Mapping[str, int]


def blame(workspace: Workspace, revision: str, *, tensor: str | None = None, directory: Path = Path()) -> BlameResult:
    """Blame of a commit, or of a file as if it went on from the nearest lineage tip; ``tensor`` is a shell pattern.

    Raises InputError where no tensor matches.
    """
    history = History(workspace)
    with open_side(workspace, revision, directory) as side:
        if side.commit is not None:
            name: str = side.commit
            model = history.model(name)
            path = history.trajectory(name)[:-1]
            placed = history.placed(name)
            relation: Relation = placed.relation if placed is not None else "starts"
            lineage = history.lineage(name)
        else:
            name = revision
            model = read_model(side.checkpoint)
            same = history.same(model)
            tip = history.nearest_tip(model)
            place = same or (None if tip is None else tip.id)
            path = () if place is None else history.trajectory(place)[: None if same is None else -1]
            relation = "starts" if not path else "extends"
            lineage = None if place is None else history.lineage(place)
    known = history.models(commit.id for commit in path)
    models = [*((c.id, c.relation, found) for c, found in zip(path, known, strict=True)), (name, relation, model)]
    points = [Point(c, r, m.objects, {n: s.numel for n, s in m.specs.items()}) for c, r, m in models]
    signatures = {m.objects[n]: s.values for _, _, m in models for n, s in m.signatures.items()}
    rows = attribute(points, signatures, tensor)
    if tensor is not None and not rows:
        raise InputError(f"no tensor matches {tensor!r}", hint=f"list them with: mvc show {revision}")
    return BlameResult(name, None if lineage is None else lineage.name, rows)


def attribute(
    trajectory: Sequence[Point], signatures: Mapping[ObjectId, Vector], pattern: str | None = None
) -> tuple[TensorBlame, ...]:
    """Blame of the last point's tensors, in its order; ``trajectory`` runs from the root.

    With w_0 … w_n one tensor's values along it, the share of commit i is ⟨w_i − w_{i−1}, w_n − w_0⟩ / |w_n − w_0|².
    Shares sum to 1; a commit that turned back has a negative one. A tensor without signatures (integers, say) or
    without displacement has none.
    """
    now = trajectory[-1]
    rows = []
    for name, object_id in now.objects.items():
        if pattern is not None and not fnmatchcase(name, pattern):
            continue
        ids = [point.objects.get(name) for point in trajectory]
        last = next((i for i in range(len(ids) - 1, 0, -1) if ids[i - 1] != object_id), 0)
        rows.append(
            TensorBlame(
                name=name,
                numel=now.numel[name],
                commit=trajectory[last].commit,
                relation=trajectory[last].relation,
                contributions=_contributions(trajectory, ids, signatures),
            )
        )
    return tuple(rows)


def _contributions(
    trajectory: Sequence[Point], ids: Sequence[ObjectId | None], signatures: Mapping[ObjectId, Vector]
) -> tuple[Contribution, ...]:
    known = [
        (point, signatures[i]) for point, i in zip(trajectory, ids, strict=True) if i is not None and i in signatures
    ]
    if len(known) < 2 or len({vector.size for _, vector in known}) > 1:
        return ()
    origin = known[0][1].astype(np.float64)
    whole = known[-1][1].astype(np.float64) - origin
    squared = float(whole @ whole)
    if squared == 0:
        return ()
    along = [float((vector.astype(np.float64) - origin) @ whole) / squared for _, vector in known]
    shares = np.diff(along)
    return tuple(
        Contribution(point.commit, float(share)) for (point, _), share in zip(known[1:], shares, strict=True) if share
    )
