"""Whether b is a with hidden units in other places. Owns that question for two models; decides nothing about lineages.

Asked only where matrices are as far apart as strangers' are, so that it costs nothing otherwise: of those that a group
of units moves through one must be, and none be nearly the same. Then both models' tensors of such groups are held in
memory. Refuses models without a permutation spec, and those too large to match at once. Imported by its name, and late:
it needs SciPy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mvc.geometry import PermutationSpec, TensorComparison, compare_tensors, head_sizes
from mvc.geometry.matching import apply, beyond_strangers, choose_heads, match_once, match_units, orders
from mvc.geometry.permutations import Floats
from mvc.objects import Checkpoint, read_array
from mvc.porcelain.permuted import BEYOND, symmetry

#: a cosine after one pass of matching that no copy is below, and one that no stranger reaches
HOPELESS, SURE = 0.5, 0.99


@dataclass(frozen=True)
class Moved:
    """``moved`` of ``units`` hidden units stand elsewhere; figures of the tensors they are in with all put back."""

    moved: int
    units: int
    parts: Mapping[str, TensorComparison]


def moved_units(
    a: Checkpoint, b: Checkpoint, names: Collection[str], cosines: Mapping[str, float], limits: tuple[float, float]
) -> Moved | None:
    """The units of b that stand elsewhere than in a; ``names`` of trainable tensors that both have.

    Looked for in groups of which some matrix's ``cosines`` are below the first of the ``limits``, and none's above the
    second. None where no units moved, or where b with its units put back is hardly nearer to a than a stranger is.
    """
    shapes = {name: b.specs[name].shape for name in names}
    spec = symmetry({name: b.specs[name] for name in names}, sorted(names))
    if spec is None:
        return None
    groups = _apart(spec, cosines, limits)
    if groups.units and match_once(*_both(a, b, groups.tensors), groups).cosine < HOPELESS:
        return None
    if head_sizes(shapes):
        spec = (choose_heads(*_both(a, b, names), shapes) or spec).among(sorted(names))
        groups = _apart(spec, cosines, limits)
    if not groups.units:
        return None
    x, y = _both(a, b, groups.tensors)
    matching = match_once(x, y, groups)
    if matching.cosine < SURE:
        matching = match_units(x, y, groups)
        if matching.cosine < BEYOND or beyond_strangers(x, y, groups, matching.cosine) < BEYOND:
            return None
    back = apply(y, groups, matching)
    moved = sum(int(np.count_nonzero(order != np.arange(order.size))) for order in orders(groups, matching))
    parts = {name: compare_tensors(x[name], back[name]) for name in sorted(groups.tensors)}
    return Moved(moved, sum(units.size for units in spec.units), parts) if moved else None


def _apart(spec: PermutationSpec, cosines: Mapping[str, float], limits: tuple[float, float]) -> PermutationSpec:
    found = []
    for units in spec.units:
        own = [cosines[axis.tensor] for axis in units.axes if axis.tensor in cosines]
        if own and min(own) < limits[0] and max(own) < limits[1]:
            found.append(units)
    return PermutationSpec(tuple(found), spec.heads)


def _both(a: Checkpoint, b: Checkpoint, names: Iterable[str]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    chosen = sorted(names)
    return _doubles(a, chosen), _doubles(b, chosen)


def _doubles(checkpoint: Checkpoint, names: Iterable[str]) -> dict[str, Floats]:
    return {name: read_array(checkpoint, name).astype(np.float64) for name in names}
