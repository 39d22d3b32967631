"""The map: commits of one architecture in a plane, from their signatures. Owns which maps there are, and their rows."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mvc.errors import InputError
from mvc.porcelain.points import read_points
from mvc.porcelain.reporting.stock import Stock
from mvc.report import ASPECT, Picture, Table
from mvc.trajectory.scaling import LANDMARKS, landmark_scaling, stress

Method = Literal["mds", "umap"]
Places = npt.NDArray[np.float64]

#: maps of single families beside those of architectures, lineages that are named on a map, points that UMAP takes
FAMILIES, NAMED, UMAP_POINTS = 60, 16, 3000
#: width and height of a name on the map, as shares of the map's
_LABEL = np.array([0.14, 0.035])
#: above this stress a map shows neighbourhoods, no distances (Kruskal 1964 calls .2 poor)
_POOR = 0.2


def draw_maps(stock: Stock, method: Method = "mds") -> tuple[Picture, ...]:
    """One map of each architecture with two points or more, and one of each family in it if there are several."""
    architectures: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(stock.lineages):
        architectures[row.architecture].append(number)
    families = stock.families()
    found, left = [], FAMILIES
    for architecture, whole in architectures.items():
        own = [group for group in families if stock.lineages[group[0]].architecture == architecture]
        alone = len(own) == 1
        if len({stock.contents[i] for lineage in whole for i in stock.members[lineage]}) < 2:
            continue
        found.append(draw_map(stock, whole, method, None if alone else all_of(stock, whole)))
        if not alone:
            large = [group for group in own if sum(len(stock.members[i]) for i in group) > 2]
            found.extend(draw_map(stock, group, method) for group in large[:left])
            if len(large) > left:
                stock.notes.append(f"{len(large) - left} of {len(large)} families have no map of their own")
            left = max(0, left - len(large))
    return tuple(found)


def draw_map(stock: Stock, lineages: Sequence[int], method: Method = "mds", title: str | None = None) -> Picture:
    """The map of the commits of these ``lineages``, of one architecture. Raises InputError where UMAP cannot do it."""
    numbers = [commit for lineage in lineages for commit in stock.members[lineage]]

    def read(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.floating]:
        return _vectors(stock, [numbers[i] for i in rows])

    plane = landmark_scaling(len(numbers), read)
    places, worth, how = plane.places, plane.stress, "Multidimensional scaling"
    if len(numbers) > LANDMARKS:
        how = f"Landmark multidimensional scaling ({LANDMARKS} landmarks)"
    about = f"the axes hold {plane.explained[0]:.0%} and {plane.explained[1]:.0%} of the variance; "
    if method == "umap":
        places, worth = _umap(_vectors(stock, numbers))
        how, about = "UMAP (seed 0)", ""
    advice = " (poor: trust neighbourhoods, not distances)" if worth > _POOR else ""
    note = f"Checkpoints that lie close have similar weights; a line follows each lineage. {how} of the sketched "
    note += f"weights of {len(numbers):,} commits; {about}stress {worth:.2f}{advice}."
    if title is None:
        first = stock.lineages[max(lineages, key=lambda lineage: len(stock.members[lineage]))].name
        title = first if len(lineages) == 1 else f"{first} and {len(lineages) - 1} more that forks join to it"
    tables = {
        "points": _points(stock, numbers, places),
        "links": _links(stock, numbers, places),
        "labels": _labels(stock, lineages, numbers, places),
        "frame": _frame(places),
    }
    return Picture("map", title, note, tables, tuple(lineages), {"method": method, "stress": round(worth, 4)})


def all_of(stock: Stock, lineages: Sequence[int]) -> str:
    """What a map of all lineages of an architecture is called, whether forks join them or not."""
    row = stock.lineages[lineages[0]]
    tensors = "1 tensor" if row.tensors == 1 else f"{row.tensors} tensors"
    if len(lineages) == 1:
        return row.name
    return f"All {len(lineages)} lineages of {row.weights:,} weights in {tensors}"


def _vectors(stock: Stock, numbers: Sequence[int]) -> npt.NDArray[np.float32]:
    """Signatures [n, k]; what the index lacks of a commit counts as zeros."""
    commits = [stock.commits[i].id for i in numbers]
    points = stock.workspace.read(lambda connection: read_points(connection, commits))
    vectors = [points[commit].vector for commit in commits]
    width = max(vector.size for vector in vectors)
    return np.stack([vector if vector.size == width else np.zeros(width, np.float32) for vector in vectors])


def _umap(vectors: npt.NDArray[np.float32]) -> tuple[Places, float]:
    if importlib.util.find_spec("umap") is None:
        hint = "run: pip install 'modelvc[papers]'"
        raise InputError("this map needs umap-learn, which mvc does without otherwise", hint=hint, code="missing-extra")
    if not 4 < len(vectors) <= UMAP_POINTS:
        message = f"UMAP is for 5 to {UMAP_POINTS:,} commits, these are {len(vectors):,}"
        raise InputError(message, hint="leave out --method umap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed rules out threads
        umap: Any = importlib.import_module("umap")
        learner = umap.UMAP(n_neighbors=min(15, len(vectors) - 1), random_state=0)
        places: Places = learner.fit_transform(vectors).astype(np.float64)
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), LANDMARKS)).astype(np.intp))
    return places, stress(vectors[rows].astype(np.float64), places[rows])


def _points(stock: Stock, numbers: Sequence[int], places: Places) -> Table:
    commits = [stock.commits[i] for i in numbers]
    last = {stock.members[lineage][-1] for lineage in {stock.home[i] for i in numbers}}
    small = 12 if len(numbers) > 1000 else 22
    return Table(
        {
            "c": list(numbers),
            "x": _rounded(places[:, 0]),
            "y": _rounded(places[:, 1]),
            "t": [commit.position for commit in commits],
            "lineage": [stock.home[i] for i in numbers],
            "colour": [stock.colour(i) for i in numbers],
            "kind": ["mixture" if commit.mixture else "commit" for commit in commits],
            "size": [
                3 * small if i in last or commit.mixture else small for i, commit in zip(numbers, commits, strict=True)
            ],
            "broken": [bool(commit.flags) for commit in commits],
        }
    )


def _links(stock: Stock, numbers: Sequence[int], places: Places) -> Table:
    """From where lineages forked, and from what averages were made of."""
    place = {number: row for row, number in enumerate(numbers)}

    def joined() -> Iterator[tuple[int, int, str]]:
        for number in numbers:
            commit = stock.commits[number]
            for part in commit.mixture:
                yield stock.numbers.get(part.commit, -1), number, "mixture"
        for lineage in sorted({stock.home[number] for number in numbers}):
            origin = stock.lineages[lineage].forked_from
            first = stock.members[lineage][0]
            if origin is not None and not stock.commits[first].mixture:
                yield stock.numbers.get(origin.commit, -1), first, "fork"

    found = [(place[a], place[b], kind) for a, b, kind in joined() if a in place]
    xs, ys = _rounded(places[:, 0]), _rounded(places[:, 1])
    return Table(
        {
            "x": [xs[a] for a, _, _ in found],
            "y": [ys[a] for a, _, _ in found],
            "x2": [xs[b] for _, b, _ in found],
            "y2": [ys[b] for _, b, _ in found],
            "kind": [kind for _, _, kind in found],
            "colour": [stock.colour(numbers[b]) for _, b, _ in found],
        }
    )


def _labels(stock: Stock, lineages: Sequence[int], numbers: Sequence[int], places: Places) -> Table:
    """Names at the tips of the largest lineages, where no larger one's is in the way."""
    named = sorted(lineages, key=lambda lineage: -len(stock.members[lineage]))[:NAMED]
    named = named if len(lineages) <= 2 * NAMED else []
    place = {number: row for row, number in enumerate(numbers)}
    tips = {lineage: place[stock.members[lineage][-1]] for lineage in named}
    frame = _frame(places).columns
    room = _LABEL * np.array([frame[axis][1] - frame[axis][0] for axis in "xy"])
    kept: list[int] = []
    for lineage in named:
        if all((abs(places[tips[lineage]] - places[tips[other]]) > room).any() for other in kept):
            kept.append(lineage)
    rows = [tips[lineage] for lineage in kept]
    return Table(
        {
            "x": [_rounded(places[:, 0])[row] for row in rows],
            "y": [_rounded(places[:, 1])[row] for row in rows],
            "text": [stock.lineages[lineage].name for lineage in kept],
        }
    )


def _frame(places: Places) -> Table:
    """Corners of a map that has the picture's shape, so that distances are alike in all directions."""
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (
        (low + high) / 2,
        0.56 * max(float(((high - low) / [1.0, ASPECT]).max()), 1e-12) * np.array([1.0, ASPECT]),
    )
    return Table({axis: [float(middle[i] - half[i]), float(middle[i] + half[i])] for i, axis in enumerate("xy")})


def _rounded(values: Places) -> list[float]:
    """Four digits of the widest span: a picture shows no more."""
    span = float(np.ptp(values)) if len(values) else 0.0
    digits = 0 if span == 0 else int(np.clip(4 - np.floor(np.log10(span)), 0, 12))
    found: list[float] = np.round(values, digits).tolist()
    return found
