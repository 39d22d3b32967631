"""How far two models are apart: the figures of their tensors, and what their lineage says of it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mvc.errors import InputError
from mvc.geometry import EXACT, trainable
from mvc.objects import Checkpoint, ObjectId, TensorSpec
from mvc.porcelain.comparing import MOVED_UNITS, Comparison, KnownNorm, compare
from mvc.porcelain.course import course, words
from mvc.porcelain.kept import kept_figures
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reading import History
from mvc.porcelain.results.diffs import CourseResult, DiffResult
from mvc.porcelain.sides import committed_as, open_side
from mvc.porcelain.workspace import Workspace

#: the share of a distance that rounding leaves where units only moved
_SAME = 1e-6


def diff(
    workspace: Workspace,
    a: str,
    b: str,
    *,
    tensor: str | None = None,
    depth: int | None = None,
    spectra: bool = False,
    exact: bool = False,
    directory: Path = Path(),
    progress: Report = silent,
) -> DiffResult:
    """Compares revisions or checkpoint files ``a`` and ``b``; ``tensor`` is a shell pattern on names.

    The overall figures are those of the shared trainable tensors that match. A layer is a module, or ``depth`` parts of
    its name. ``spectra`` asks for spectral norms and stable ranks of matrices, which take longer. Commits of more than
    `kept.READ` values are compared by what the index keeps of them, unless ``exact`` or ``spectra`` has them read.

    Raises InputError where no tensor matches.
    """
    with open_side(workspace, a, directory) as left, open_side(workspace, b, directory) as right:
        known = _known(workspace, left.checkpoint, right.checkpoint)
        kept = None
        if left.commit is not None and right.commit is not None and not (exact or spectra):
            sides = (left.commit, left.checkpoint), (right.commit, right.checkpoint)
            kept = kept_figures(workspace, *sides, tensor)
        found = compare(
            left.checkpoint,
            right.checkpoint,
            pattern=tensor,
            known=known,
            figures=kept,
            depth=depth,
            spectra=spectra,
            progress=progress,
        )
        places = [side.commit or committed_as(workspace, side.checkpoint) for side in (left, right)]
        weights = min(weights_of(side.checkpoint.specs) for side in (left, right))
    if tensor is not None and not found.rows:
        raise InputError(f"no tensor of either side matches {tensor!r}", hint=f"list them with: mvc show {a}")
    overall, moved = found.overall, found.moved
    median, where = None, None
    commits = [commit for commit in places if commit is not None]
    if tensor is None and overall.numel and commits:
        history = History(workspace)
        median = next((step for commit in reversed(commits) if (step := history.median_step(commit))), None)
        where = course(history, commits, overall.distance if moved is None else moved.distance)
    return DiffResult(
        a=a,
        b=b,
        distance=overall.distance,
        relative_distance=overall.relative_distance,
        cosine=overall.cosine,
        tensors=found.rows,
        steps=None if median is None else overall.distance / median,
        verdict=_verdict(found, median, where),
        exact=overall.exact,
        error=overall.error,
        unseen=found.unseen,
        compared=overall.numel,
        coverage=overall.numel / weights if weights else 0.0,
        layers=found.layers,
        moved=moved,
        course=where,
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


def _verdict(found: Comparison, median: float | None, where: CourseResult | None) -> str:
    """One sentence for people."""
    overall, moved = found.overall, found.moved
    statuses = {row.status for row in found.rows}
    if statuses <= {"identical"}:
        return "the same weights"
    if overall.numel == 0:
        return "no trainable tensor in common"
    if overall.distance == 0:
        if statuses & {"added", "removed", "reshaped"}:
            return "what both sides have is the same"
        return "the same weights in another dtype" if "recast" in statuses else "only untrained tensors differ"
    if moved is not None and moved.distance <= _SAME * overall.distance:
        return "the same model with its units in another order"
    # gains near 1 and the like are alike in all models: a small cosine is no kinship, however many weights there are
    cosine = overall.cosine if moved is None else moved.cosine
    if cosine is not None and abs(cosine) < max(0.1, 4 / overall.numel**0.5):
        if MOVED_UNITS in found.unseen:
            return "as far apart as independent models, unless units are in another order: --exact looks for that"
        return "independent models: their weights are as far apart as chance puts them"
    distance = overall.distance if moved is None else moved.distance
    said = "" if where is None else words(where, distance, None if median is None else distance / median)
    return said if moved is None else f"units in another order, and then {said or 'changed'}"
