"""Which commits may give up their tensors. Owns the rules (``last=3,every=10,best=loss``) and what is always kept;
changes nothing.

Rules are kept to per lineage, and add up: a commit is kept where any of them names it. Always kept are what people
named or declared (tags, pins, declared parents) and what trajectories rest on (tips, fork points, averages and their
sources, what is shared with other architectures).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mvc.errors import InputError
from mvc.objects import ObjectId
from mvc.porcelain.declarations import PIN
from mvc.porcelain.results.logs import LogCommit, LogLineage

_HINT = "write it like last=3,every=10,best=loss:min"
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
    last, every, best = 0, 0, []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        if name in ("last", "every") and value.isdecimal() and 0 < int(value) < 1 << 31:
            last, every = (int(value), every) if name == "last" else (last, int(value))
        elif name == "best" and value:
            metric, colon, way = value.rpartition(":")
            if not colon:
                metric, way = value, _way(value)
            if way not in ("min", "max") or not metric:
                raise InputError(
                    f"{part!r}: is more or less of {value!r} better?", hint=f"say best={value}:min or :max"
                )
            best.append((metric, way == "max"))
        else:
            raise InputError(f"{part!r} says nothing of what to keep", hint=_HINT, code="usage")
    if not (last or every or best):
        raise InputError("nothing is said of what to keep", hint=_HINT, code="usage")
    return Keep(text, last, every, tuple(best))


def _way(metric: str) -> str:
    last = metric.lower().replace("/", "_").replace("-", "_").replace(".", "_").split("_")[-1]
    return "min" if last in _LOWER else "max" if last in _HIGHER else ""


def chosen(lineage: LogLineage, keep: Keep, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Commits of a lineage that the rules keep → the first rule that does. ``metrics``: those of each commit."""
    found: dict[str, str] = {}
    commits = lineage.commits
    ends = [commits[max(0, len(commits) - keep.last) :]] if keep.last else []
    if ends and lineage.direction.source == "undecided":  # the last ones may be the first
        ends.append(commits[: keep.last])
    for commit in (commit for end in ends for commit in end):
        found.setdefault(commit.id, f"last={keep.last}")
    for metric, more in keep.best:
        scored = [commit for commit in commits if metric in metrics.get(commit.id, {})]
        if scored:
            sign = -1 if more else 1
            winner = min(scored, key=lambda commit: (sign * metrics[commit.id][metric], commit.position, commit.id))
            found.setdefault(winner.id, f"best={metric}")
    for commit in commits:
        if keep.every and commit.position % keep.every == 0:
            found.setdefault(commit.id, f"every={keep.every}")
    return found


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
        if lineage.direction.source == "undecided":
            yield lineage.commits[0].id, "the other end, as the direction is undecided"
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


def as_ids(commits: list[LogCommit]) -> list[ObjectId]:
    return [ObjectId(commit.id) for commit in commits]
