"""The tensors of two checkpoints held against each other, and summed up by layer. Owns these rows; knows no lineage.

Reads two tensors at a time and none that both sides share: equal ids mean equal bytes. Only where units may have moved,
both models' tensors that they move through are held at once (`mvc.porcelain.moved`).
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import numpy.typing as npt

from mvc.geometry import TensorComparison, combine, compare_tensors, trainable
from mvc.geometry.changes import rank_of_change, spectra_of_change
from mvc.objects import DTYPES, Checkpoint, ObjectId, TensorSpec, read_array
from mvc.porcelain.progress import Report, counted, silent
from mvc.porcelain.results.diffs import LayerDiff, MovedUnits, TensorDiff, TensorStatus
from mvc.porcelain.results.shows import SpectraResult, SpectrumResult

#: squared norm of a tensor that need not be read again; None where it is not known
KnownNorm = Callable[[ObjectId], float | None]
#: figures of a tensor that need not be read, by its name; None where they are not known
Figures = Callable[[str], TensorComparison | None]
Values = npt.NDArray[np.generic]
#: units may have moved where a matrix of theirs has a smaller cosine, if none has a larger one than that
FAR, NEAR = 0.5, 0.95
#: what is found in values alone
LOW_RANK, FEW_VALUES, MOVED_UNITS = "low rank", "sparse", "moved units"
_ORDER = {"reshaped": 1, "added": 2, "removed": 3}


@dataclass(frozen=True)
class Comparison:
    """Every tensor of either side that matches, the largest share of the squared distance first, and so the layers.

    ``overall`` is the sum over the trainable tensors that both have in equal shape; ``moved`` where units moved;
    ``unseen`` what would have taken reading them.
    """

    rows: tuple[TensorDiff, ...]
    layers: tuple[LayerDiff, ...]
    overall: TensorComparison
    moved: MovedUnits | None
    unseen: tuple[str, ...] = ()


def compare(
    a: Checkpoint,
    b: Checkpoint,
    *,
    pattern: str | None = None,
    known: KnownNorm,
    figures: Figures | None = None,
    depth: int | None = None,
    spectra: bool = False,
    progress: Report = silent,
) -> Comparison:
    """``pattern`` is a shell pattern on names, ``depth`` the number of parts of a layer's name; ``spectra`` asks for
    those of matrices, which take longer. With ``figures``, what they know is not read, and ranks and units that moved
    are not looked for."""
    comparing = _Comparing(a, b, known, figures or (lambda _: None), depth, spectra)
    names = [*b.specs, *(name for name in a.specs if name not in b.specs)]
    names = [name for name in names if pattern is None or fnmatchcase(name, pattern)]
    rows = [comparing.row(name) for name in counted(names, progress)]
    points = trainable(a.specs).keys() & trainable(b.specs).keys()
    parts = {name: part for name, part in comparing.parts.items() if name in points}
    overall = combine(parts.values())
    total = overall.squared_distance
    rows = [replace(row, share=_share(parts[row.name], total)) if row.name in parts else row for row in rows]
    unseen = () if figures is None else _unseen(b, parts, overall)
    progress(len(names), len(names), "")
    moved, rows = _with_moved(a, b, parts, rows) if figures is None else (None, rows)
    rows.sort(key=lambda row: (row.status == "identical", -(row.share or 0.0), _ORDER.get(row.status, 0), row.name))
    return Comparison(tuple(rows), _layers(rows, parts, total), overall, moved, unseen)


def layer_of(name: str, depth: int | None = None) -> str:
    """The module that a tensor belongs to: its name without the last part, or its first ``depth`` parts if these are
    fewer; the name itself where it has one part. Parts end at dots or slashes."""
    ends = [i for i, char in enumerate(name) if char in "./" and i > 0]
    if depth is not None:
        ends = ends[:depth]
    return name[: ends[-1]] if ends else name


class _Comparing:
    """Rows of single tensors; ``parts`` gathers the figures of those that have any."""

    def __init__(
        self, a: Checkpoint, b: Checkpoint, known: KnownNorm, figures: Figures, depth: int | None, spectra: bool
    ) -> None:
        self.a, self.b, self.known, self.figures, self.depth, self.spectra = a, b, known, figures, depth, spectra
        self.parts: dict[str, TensorComparison] = {}

    def row(self, name: str) -> TensorDiff:
        left, right = self.a.specs.get(name), self.b.specs.get(name)
        spec = right or left
        assert spec is not None
        plain = TensorDiff(name, "changed", spec.numel, None, None, None, None, layer=layer_of(name, self.depth))
        if left is None or right is None:
            return replace(plain, status="added" if left is None else "removed")
        if left.shape != right.shape:
            return replace(plain, status="reshaped")
        if self.a.object_id(name) == self.b.object_id(name):
            part = self._identical(name, right)
            cosine = None if part is None else part.cosine
            return replace(
                plain, status="identical", distance=0.0, relative_distance=0.0, cosine=cosine, max_abs=0.0, changed=0
            )
        status: TensorStatus = "changed" if left.dtype == right.dtype else "recast"
        return self._changed(replace(plain, status=status))

    def _changed(self, plain: TensorDiff) -> TensorDiff:
        name = plain.name
        part = self.figures(name)
        if part is not None:
            return self._told(plain, part)
        x, y = _values(self.a, name), _values(self.b, name)
        if x is None or y is None:
            return plain
        part = compare_tensors(x, y)
        floats = self.a.specs[name].is_float and self.b.specs[name].is_float
        return replace(
            self._told(plain, part),
            rank=rank_of_change(x, y) if floats and part.squared_distance and not part.nonfinite else None,
            spectra=_spectra(x, y) if floats and self.spectra else None,
        )

    def _told(self, plain: TensorDiff, part: TensorComparison) -> TensorDiff:
        self.parts[plain.name] = part
        return replace(
            plain,
            distance=part.distance,
            relative_distance=part.relative_distance if part.squared_distance else 0.0,
            cosine=part.cosine,
            max_abs=part.max_abs,
            nonfinite=part.nonfinite,
            changed=part.changed,
            error=part.error,
        )

    def _identical(self, name: str, spec: TensorSpec) -> TensorComparison | None:
        """Figures of a tensor with itself; only trainable ones need any, read only if nobody knows them."""
        if not spec.is_float or not spec.numel:
            return None
        squared = self.known(self.b.object_id(name))
        told = self.figures(name)
        if told is not None:
            part = told
        elif squared is None:
            values = _values(self.b, name)
            if values is None:
                return None
            part = compare_tensors(values, values)
        else:
            part = TensorComparison(spec.numel, 0.0, squared, squared, squared, 0.0, 0)
        self.parts[name] = part
        return part


def _values(checkpoint: Checkpoint, name: str) -> Values | None:
    """Values to compare; complex ones as pairs of reals. None where a dtype has no values that NumPy knows."""
    dtype = DTYPES[checkpoint.specs[name].dtype]
    if dtype.numpy is None:
        return None
    array = read_array(checkpoint, name)
    if dtype.number == "complex":
        return array.reshape(-1).view(np.float32 if dtype.bits == 64 else np.float64)
    return array


def _share(part: TensorComparison, total: float) -> float:
    return part.squared_distance / total if total > 0 else 0.0


def _spectra(x: Values, y: Values) -> SpectraResult | None:
    found = spectra_of_change(x, y)
    if found is None:
        return None
    sides = (found.before, found.after, found.change)
    return SpectraResult(*(SpectrumResult(one.spectral_norm, one.stable_rank) for one in sides))


def _cosines(b: Checkpoint, parts: Mapping[str, TensorComparison]) -> dict[str, float]:
    """Of matrices and kernels."""
    return {name: part.cosine or 0.0 for name, part in parts.items() if len(b.specs[name].shape) > 1}


def _may_have_moved(cosines: Mapping[str, float]) -> bool:
    return any(cosine < FAR for cosine in cosines.values())


def _unseen(b: Checkpoint, parts: Mapping[str, TensorComparison], overall: TensorComparison) -> tuple[str, ...]:
    cosines = _cosines(b, parts)
    said = {
        LOW_RANK: bool(overall.squared_distance and cosines),
        FEW_VALUES: overall.changed is None,
        MOVED_UNITS: _may_have_moved(cosines),
    }
    return tuple(what for what, holds in said.items() if holds)


def _with_moved(
    a: Checkpoint, b: Checkpoint, parts: Mapping[str, TensorComparison], rows: Sequence[TensorDiff]
) -> tuple[MovedUnits | None, list[TensorDiff]]:
    """The units that moved, if any did, and the rows with what is left once they are put back."""
    cosines = _cosines(b, parts)
    if not _may_have_moved(cosines) or any(part.nonfinite for part in parts.values()):
        return None, list(rows)
    found = importlib.import_module("mvc.porcelain.moved").moved_units(a, b, parts.keys(), cosines, (FAR, NEAR))
    if found is None:
        return None, list(rows)
    back: Mapping[str, TensorComparison] = found.parts
    whole = combine({**parts, **back}.values())
    moved = MovedUnits(found.moved, found.units, whole.distance, whole.relative_distance, whole.cosine)
    return moved, [replace(row, matched=back[row.name].distance) if row.name in back else row for row in rows]


def _layers(rows: Sequence[TensorDiff], parts: Mapping[str, TensorComparison], total: float) -> tuple[LayerDiff, ...]:
    """Layers in the order of their shares; those with no trainable tensor in common are left out."""
    members: dict[str, list[TensorDiff]] = defaultdict(list)
    for row in rows:
        members[row.layer].append(row)
    found = []
    for name, held in members.items():
        own = [parts[row.name] for row in held if row.name in parts]
        if own:
            part = combine(own)
            found.append(
                LayerDiff(
                    name=name,
                    tensors=len(held),
                    identical=sum(row.status == "identical" for row in held),
                    numel=part.numel,
                    distance=part.distance,
                    relative_distance=part.relative_distance if part.squared_distance else 0.0,
                    cosine=part.cosine,
                    max_abs=part.max_abs,
                    share=_share(part, total),
                    changed=part.changed,
                    error=part.error,
                )
            )
    found.sort(key=lambda layer: (-(layer.share or 0.0), layer.name))
    return tuple(found)
