"""Whether a file is a weighted average of commits. Owns the answer and the exact check.

Sources and weights are found on signatures, which are linear; where these are only sketches, the average of the
sources' values is held against the file's, one tensor at a time. Values that are not finite are no average.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from mvc.geometry import EXACT
from mvc.objects import Checkpoint, ObjectId, read_array
from mvc.porcelain.averages import residual, rounding
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results.logs import MixtureWeight
from mvc.porcelain.results.matches import Identified, Match
from mvc.porcelain.workspace import Workspace
from mvc.trajectory import Mixture, explain_mixture

#: how much more the values may leave than their sketches say, and what single precision leaves beside the norm
_TIMES, _SINGLE = 1.5, 1e-6


def mixture_of(
    workspace: Workspace, history: History, file: Checkpoint, path: str, model: Model, commits: Sequence[str]
) -> Identified | None:
    """The file as an average of some of the ``commits``, None where it is none."""
    if len(commits) < 2 or any(signature.nonfinite for signature in model.signatures.values()):
        return None
    vectors = np.stack([known.vector for known in history.points(commits)])
    names, read = sorted(model.signatures), partial(read_array, file)
    found = explain_mixture(vectors, model.vector, rounding=rounding(names, read))
    if found is None:
        return None
    sources = [commits[i] for i in found.sources]
    if any(signature.numel > EXACT for signature in model.signatures.values()):
        known = [workspace.repository.checkpoint(ObjectId(commit)) for commit in sources]
        values = [lambda place, one=one: read_array(one, names[place]) for one in known]
        left, norm = residual(names, read, values, found.weights)
        if left > _TIMES * found.residual + _SINGLE * norm:
            return None
    row = history.lineage(sources[0])
    return Identified(
        path=path,
        match=Match(sources[0], "" if row is None else row.name, "mixes", None, found.confidence),
        runner_up=None,
        mixture=tuple(MixtureWeight(*part) for part in zip(sources, found.weights, strict=True)),
        reason=_reason(found),
    )


def _reason(found: Mixture) -> str:
    if found.incomplete:
        return "a source is missing: the weights are those of the commits that come nearest"
    return "" if found.unique else "other weights give the same: some of the commits are averages of each other"
