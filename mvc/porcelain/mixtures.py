"""Whether a file is a weighted average of commits. Owns the rounding that is allowed for and the exact check.

Sources and weights are found on signatures, which are linear; where these are only sketches, the average of the
sources' values is held against the file's, one tensor at a time. Values that are not finite are no average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry import EXACT
from mvc.objects import DTYPES, Checkpoint, ObjectId, read_array
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results import Identified, Match, MixtureWeight
from mvc.porcelain.workspace import Workspace
from mvc.trajectory import Mixture, explain_mixture

#: dtypes that averages are rounded to, with bits of their mantissa and smallest normal exponent
_NARROW = (("F16", 10, -14), ("BF16", 7, -126))
#: how much more the values may leave than their sketches say, and what single precision leaves beside the norm
_TIMES, _SINGLE = 1.5, 1e-6


def mixture_of(
    workspace: Workspace, history: History, file: Checkpoint, path: str, model: Model, commits: Sequence[str]
) -> Identified | None:
    """The file as an average of some of the ``commits``, None where it is none."""
    if len(commits) < 2 or any(signature.nonfinite for signature in model.signatures.values()):
        return None
    vectors = np.stack([known.vector for known in history.models(commits)])
    found = explain_mixture(vectors, model.vector, rounding=_rounding(file, sorted(model.signatures)))
    if found is None:
        return None
    sources = [commits[i] for i in found.sources]
    if any(signature.numel > EXACT for signature in model.signatures.values()):
        left, norm = _residual(workspace, file, sorted(model.signatures), sources, found)
        if left > _TIMES * found.residual + _SINGLE * norm:
            return None
    row = history.lineage(sources[0])
    return Identified(
        path=path,
        match=Match(sources[0], "" if row is None else row.name, "mixes", None, found.confidence),
        runner_up=None,
        mixture=tuple(MixtureWeight(*part) for part in zip(sources, found.weights, strict=True)),
        reason="a source is missing: the weights are those of the commits that come nearest"
        if found.incomplete
        else "",
    )


def _residual(
    workspace: Workspace, file: Checkpoint, names: Sequence[str], sources: Sequence[str], found: Mixture
) -> tuple[float, float]:
    """What the average of the sources leaves of the file, and the file's norm, from all their values."""
    known = [workspace.repository.checkpoint(ObjectId(commit)) for commit in sources]
    left, norm = 0.0, 0.0
    for name in names:
        rest = read_array(file, name).astype(np.float64).reshape(-1)
        norm += float(rest @ rest)
        for checkpoint, weight in zip(known, found.weights, strict=True):
            rest -= weight * read_array(checkpoint, name).astype(np.float64).reshape(-1)
        left += float(rest @ rest)
    return math.sqrt(left), math.sqrt(norm)


def _rounding(file: Checkpoint, names: Sequence[str]) -> float:
    """Norm of the error that rounding made if every value went through a narrow dtype, 0 where they did not."""
    for kind, bits, smallest in _NARROW:
        narrow = DTYPES[kind].numpy
        if narrow is None:
            continue
        squares = 0.0
        for name in names:
            array = read_array(file, name)
            if not _passes(array, narrow):
                break
            exponents = np.frexp(np.abs(array.astype(np.float64)))[1] - 1
            squares += float((4.0 ** (np.maximum(exponents, smallest) - bits)).sum()) / 12  # units in the last place
        else:
            return math.sqrt(squares)
    return 0.0


def _passes(array: npt.NDArray[Any], narrow: np.dtype[Any]) -> bool:
    with np.errstate(over="ignore"):
        return bool((array.astype(narrow).astype(array.dtype) == array).all())
