"""How far two models are apart as their lineage counts: in steps, and against other pairs of its commits. Owns the
words for it. Reads places and signatures from the index, no tensor: distances of pairs that are no neighbours are
those of signatures, a few per cent off for large tensors.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from mvc.porcelain.reading import History, signature_distance
from mvc.porcelain.results.diffs import CourseResult, Parting, UsualDistance
from mvc.porcelain.results.logs import LogCommit

#: pairs that a pair is held against, and how few say nothing
PAIRS, FEWEST = 8, 3
#: commits around a place that show how distance grows with the number of steps
WINDOW = 24
#: how far from what usual pairs span a distance still is like theirs
ROOM = 1.15


def course(history: History, commits: Sequence[str | None], distance: float) -> CourseResult | None:
    """The course of a difference between a and b, ``commits`` being theirs or None. None where no lineage tells."""
    known = [commit for commit in commits if commit is not None and history.lineage(commit) is not None]
    if not known:
        return None
    if len(known) == 2 and (between := _between(history, known[0], known[1])) is not None:
        return between
    parted = _parting(history, known[0], known[1]) if len(known) == 2 else None
    at = known[-1]
    row = history.lineage(at)
    assert row is not None
    path = history.trajectory(row.commits[-1].id)
    place = next(i for i, commit in enumerate(path) if commit.id == at)
    usual, grown = _usual(history, path, place, 1, None), _grown(history, path, place)
    like = float(np.interp(distance, grown, range(len(grown)))) if grown and distance <= grown[-1] else None
    return CourseResult(row.name, None, None, usual, like, grown[-1] if grown else None, parted)


def _between(history: History, a: str, b: str) -> CourseResult | None:
    """Where one of both lies on the other's way from the root."""
    for first, last in ((a, b), (b, a)):
        ids = [commit.id for commit in history.trajectory(last)]
        row = history.lineage(last)
        if first in ids[:-1] and row is not None:
            path = history.trajectory(row.commits[-1].id)
            start, stop = ids.index(first), len(ids) - 1
            steps = [commit.distance for commit in path[start + 1 : stop + 1]]
            length = None if None in steps else sum(step for step in steps if step is not None)
            usual = _usual(history, path, start, stop - start, start)
            return CourseResult(row.name, stop - start, length, usual, None, None)
    return None


def _parting(history: History, a: str, b: str) -> Parting | None:
    paths = [[commit.id for commit in history.trajectory(one)] for one in (a, b)]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*paths, strict=False)))
    if not shared:
        return None
    at = paths[0][shared - 1]
    row, placed = history.lineage(at), history.placed(at)
    assert row is not None and placed is not None
    return Parting(at, row.name, placed.position, len(paths[0]) - shared, len(paths[1]) - shared)


def _usual(
    history: History, path: Sequence[LogCommit], place: int, apart: int, left_out: int | None
) -> UsualDistance | None:
    """Of the pairs on the path that are nearest to a place, each named by its first."""
    # the way from a fork point to a fork's first commit is no step: other data, and commits may be missing
    starts = [i for i in range(len(path) - apart) if i != left_out and (apart > 1 or path[i + 1].relation != "forks")]
    starts = sorted(starts, key=lambda i: (abs(i - place), i))[:PAIRS]
    if apart == 1:
        found = [path[i + 1].distance for i in starts]
        distances = [value for value in found if value is not None]
    else:
        distances = _distances(history, [(path[i].id, path[i + apart].id) for i in starts])
    if len(distances) < FEWEST:
        return None
    spared = 1 if len(distances) > 2 * FEWEST else 0  # one spike makes no others usual
    low, *_, high = sorted(distances)[spared : len(distances) - spared]
    return UsualDistance(statistics.median(distances), low, high, len(distances))


def _grown(history: History, path: Sequence[LogCommit], place: int) -> list[float]:
    """How far commits around a place usually are that stand 0, 1, 2 … steps apart; [] where there are too few."""
    start = max(0, min(place - WINDOW // 2, len(path) - WINDOW))
    models = history.models(commit.id for commit in path[start : start + WINDOW])
    if len(models) <= FEWEST or len({model.vector.size for model in models}) > 1:
        return []
    points = np.stack([model.vector for model in models]).astype(np.float64)
    away = (np.linalg.norm(points[apart:] - points[:-apart], axis=1) for apart in range(1, len(points)))
    return [0.0, *np.maximum.accumulate([float(np.median(distances)) for distances in away]).tolist()]


def _distances(history: History, pairs: Sequence[tuple[str, str]]) -> list[float]:
    models = history.models(commit for pair in pairs for commit in pair)
    return [signature_distance(a, b) for a, b in zip(models[::2], models[1::2], strict=True)]


def words(course: CourseResult, distance: float, steps: float | None) -> str:
    """One sentence: in line with the lineage's own steps or not."""
    usual, name = course.usual, course.lineage
    if course.apart is not None:
        number = "one step" if course.apart == 1 else f"{course.apart} steps apart"
        start = f"{number} {'of' if course.apart == 1 else 'on'} {name}"
        if usual is None:
            return f"{start}; too few other commits to say whether that is usual"
        times = distance / usual.median
        ratio = f"{times:.2f} times their median, over {usual.pairs} others"
        such = "its steps" if course.apart == 1 else "such pairs"
        return f"{start}, {_held(distance, usual, such)} ({ratio})"
    if steps is None:
        return ""
    parted = course.parted
    if parted is not None:
        beyond = f"{parted.a} and {parted.b} steps beyond {parted.lineage}@{parted.position}, where they parted"
        return f"{beyond}; {_far(course, distance, steps)}"
    return _far(course, distance, steps)


def _far(course: CourseResult, distance: float, steps: float) -> str:
    usual, name = course.usual, course.lineage
    if usual is not None and distance <= ROOM * usual.high:
        if distance < usual.low / ROOM:
            return f"closer than one step of {name} ({steps:.2f} of its median step)"
        return f"in line with the steps of {name} ({steps:.2f} of its median step)"
    if course.farthest is None:
        return f"{steps:.1f} median steps of {name}"
    if course.like is None:
        return f"farther than commits of {name} near there lie apart ({steps:.1f} of its median steps)"
    return f"more than one step of {name}: as far as its commits about {course.like:.0f} steps apart"


def _held(distance: float, usual: UsualDistance, such: str) -> str:
    if distance > ROOM * usual.high:
        return f"farther than {such} usually are"
    if distance < usual.low / ROOM:
        return f"closer than {such} usually are"
    return f"as far as {such} usually are"
