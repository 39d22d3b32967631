"""How a model's spectra look in a terminal: a row for each matrix, and below it what was left out and why."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from mvc.cli.messages import paint
from mvc.cli.text import columns, count, escape, fit, number
from mvc.porcelain.results.shows import SpectralRow

_HEAD = ("tensor", "shape", "sd", "norm", "edge", "spikes", "rank", "α ± error", "D")
#: columns beside the tensor's name
_BESIDE = 66
_NONE = "–"


def spectral_lines(rows: Sequence[SpectralRow], room: int, most: int | None) -> Iterator[str]:
    """A table of ``most`` rows. Norm and edge are singular values: a layer's largest, and its random bulk's; rank is
    the stable one. With ``most`` None vectors have their rows too."""
    listed = rows if most is None else [row for row in rows if len(row.shape) > 1]
    shown = listed[:most]
    tested = any(row.plausibility is not None for row in shown)
    head = (*_HEAD, "p") if tested else _HEAD
    cells = [(*_cells(row, room), *([number(row.plausibility, 2)] if tested else [])) for row in shown]
    table = columns([head, *cells], right=range(2, len(head)))
    yield paint(f"  {table[0]}", "head")
    yield from (f"  {line}" for line in table[1:])
    if len(rows) > len(shown):
        yield paint(f"  … {len(rows) - len(shown):,} more (--all shows them)", "dim")
    for reason, tensors in Counter(reason for row in listed for reason in row.silence).most_common():
        yield paint(f"  {_NONE} in {count(tensors, 'tensor')}: {escape(reason)}", "dim")


def _cells(row: SpectralRow, room: int) -> tuple[str, ...]:
    variance, tail, bulk = row.statistics["variance"], row.tail, row.bulk
    return (
        fit(escape(row.name), max(20, room - _BESIDE), keep="both"),
        "×".join(map(str, row.shape)) or "scalar",
        _NONE if variance is None else number(math.sqrt(variance), 2),
        number(row.spectral_norm),
        _NONE if bulk is None else number(math.sqrt(bulk["edge"])),
        _NONE if bulk is None else f"{int(bulk['spikes']):,}",
        number(row.stable_rank),
        _NONE if tail is None else f"{tail['alpha']:.2f} ± {tail['error']:.2f}",
        _NONE if tail is None else f"{tail['distance']:.3f}",
    )
