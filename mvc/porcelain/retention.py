"""Which commits may give up their tensors. Owns the rules (``last=3,every=10,best=loss``) and what is always kept;
changes nothing.

Rules are kept to per lineage, and add up: a commit is kept where any of them names it. Always kept are what people
named or declared (tags, pins, declared parents) and what trajectories rest on (tips, fork points, averages and their
sources, what is shared with other architectures).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from mvc.errors import InputError
from mvc.porcelain.declarations import PIN
from mvc.porcelain.results.logs import LogCommit, LogLineage

_HINT = "write it like last=3,every=10,best=loss:min"
_LARGEST = (1 << 31) - 1
#: endings of metrics of which everybody knows which way is better
_LOWER = ("loss", "error", "err", "perplexity", "ppl", "nll", "mse", "mae", "rmse")
_HIGHER = ("accuracy", "acc", "auc", "auroc", "f1", "bleu", "rouge", "score", "reward", "map", "iou")


@dataclass(frozen=True)
class Keep:
    """``last``: so many of each lineage. ``every``: positions that are its multiples (0: none). ``best``: metrics →
    whether more is better."""

    text: str
    last: int = 0
    every: int = 0
    best: tuple[tuple[str, bool], ...] = ()


def parse_keep(text: str) -> Keep:
    """Raises InputError for what is no rule, or a metric of which it is not known which way is better."""
    numbers: dict[str, int] = {}
    best: list[tuple[str, bool]] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        if name in numbers:
            raise InputError(f"{name!r} is said twice in {text!r}", hint="say it once", code="usage")
        if name in ("last", "every"):
            numbers[name] = _number(part, value)
        elif name == "best":
            best.append(_best(part, value))
        else:
            raise InputError(f"{part!r} says nothing of what to keep", hint=_HINT, code="usage")
    if not (numbers or best):
        raise InputError("nothing is said of what to keep", hint=_HINT, code="usage")
    return Keep(text, numbers.get("last", 0), numbers.get("every", 0), tuple(best))


def _number(part: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 0 < int(value[:11]) <= _LARGEST):
        raise InputError(f"{part!r}: this takes a number from 1 to {_LARGEST:,}", hint=_HINT, code="usage")
    return int(value)


def _best(part: str, value: str) -> tuple[str, bool]:
    """A metric, and whether more of it is better."""
    metric, colon, way = value.rpartition(":")
    if not colon:
        metric, way = value, _way(value)
    if not metric:
        raise InputError(f"{part!r} names no metric", hint=_HINT, code="usage")
    if metric.endswith((":min", ":max")):
        raise InputError(f"{part!r} says twice which way is better", hint=_HINT, code="usage")
    if way not in ("min", "max"):
        raise InputError(
            f"{part!r}: is more or less of {value!r} better?", hint=f"say best={value}:min or :max", code="usage"
        )
    return metric, way == "max"


def check_metrics(keep: Keep, known: Collection[str]) -> None:
    """Raises InputError for a metric that no commit has: a slip of the pen would give up everything."""
    for metric, _ in keep.best:
        if metric not in known:
            some = f"there are: {', '.join(sorted(known))}" if known else "record some with: mvc commit --metric KEY=N"
            raise InputError(f"no commit has a metric {metric!r}", hint=some)


def unscored(lineage: LogLineage, keep: Keep, metrics: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """Metrics that the rules ask for, and no commit has that could be the best of its lineage."""
    return tuple(metric for metric, _ in keep.best if not _scored(lineage, metric, metrics))


def _scored(lineage: LogLineage, metric: str, metrics: Mapping[str, Mapping[str, float]]) -> list[LogCommit]:
    return [one for one in lineage.commits if one.gone is None and metric in metrics.get(one.id, {})]


def _way(metric: str) -> str:
    last = metric.lower().replace("/", "_").replace("-", "_").replace(".", "_").split("_")[-1]
    return "min" if last in _LOWER else "max" if last in _HIGHER else ""


def chosen(lineage: LogLineage, keep: Keep, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Commits of a lineage that the rules keep → the first rule that does. ``metrics``: those of each commit.

    Where no commit has a metric, which one is the best cannot be told, and that rule keeps all of them.
    """
    found: dict[str, str] = {}
    commits = lineage.commits
    ends = [commits[max(0, len(commits) - keep.last) :]] if keep.last else []
    if ends and may_run_back(lineage):  # the last ones may be the first
        ends.append(commits[: keep.last])
    for commit in (commit for end in ends for commit in end):
        found.setdefault(commit.id, f"last={keep.last}")
    for metric, more in keep.best:
        scored = _scored(lineage, metric, metrics)
        sign = -1 if more else 1
        scored.sort(key=lambda commit: (sign * metrics[commit.id][metric], commit.position, commit.id))
        for commit in scored[:1] or commits:
            found.setdefault(commit.id, f"best={metric}")
    for commit in commits:
        if keep.every and commit.position % keep.every == 0:
            found.setdefault(commit.id, f"every={keep.every}")
    return found


def may_run_back(lineage: LogLineage) -> bool:
    """Whether the last commits of a lineage may be its first: nobody declared its direction, and it is undecided, or
    read from the weights against what steps or the times of the commits say. However sure a reading of weights is, what
    it is wrong about would be gone."""
    if lineage.direction.source != "weights":
        return lineage.direction.source == "undecided"
    steps = [commit.step for commit in lineage.commits if commit.step is not None]
    times = [_seconds(commit.time) for commit in lineage.commits]
    return any(sum(b < a for a, b in pairwise(one)) > sum(b > a for a, b in pairwise(one)) for one in (steps, times))


def _seconds(time: str) -> float:
    """Of a moment; 0 for one that says nothing."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def always_kept(
    lineages: tuple[LogLineage, ...], settings: Mapping[str, str], parents: Mapping[str, str | None]
) -> dict[str, str]:
    """Commits that no rule gives up → why. ``parents``: commit → its declared parent."""
    found: dict[str, str] = {}
    for lineage in lineages:
        for commit, why in _standing(lineage):
            found.setdefault(commit, why)
    for key, anchor in settings.items():
        if key.startswith(PIN):
            found.setdefault(key.removeprefix(PIN), "pinned")
            found.setdefault(anchor, "others are pinned to it")
    for parent in parents.values():
        if parent is not None:
            found.setdefault(parent, "a declared parent")
    return found


def _standing(lineage: LogLineage) -> Iterator[tuple[str, str]]:
    yield from ((commit.id, f"tag {commit.tags[0]}") for commit in lineage.commits if commit.tags)
    if lineage.commits:
        yield lineage.commits[-1].id, "the tip"
        if may_run_back(lineage):
            yield lineage.commits[0].id, "the other end, as the direction is not sure"
    if lineage.forked_from is not None:
        yield lineage.forked_from.commit, "a fork point"
    for commit in lineage.commits:
        if commit.mixture:
            yield commit.id, "an average"
            yield from ((part.commit, "the source of an average") for part in commit.mixture)
    for overlap in lineage.overlaps:
        yield overlap.own, "compared with another architecture"
        yield overlap.commit, "compared with another architecture"


def candidates(
    lineages: tuple[LogLineage, ...], keep: Keep, metrics: Mapping[str, Mapping[str, float]], held: Mapping[str, str]
) -> Iterator[tuple[LogLineage, list[LogCommit]]]:
    """Lineages and those of their commits that neither the rules keep nor ``held`` names."""
    for lineage in lineages:
        kept = chosen(lineage, keep, metrics)
        left = [one for one in lineage.commits if one.id not in kept and one.id not in held and one.gone is None]
        if left:
            yield lineage, left
