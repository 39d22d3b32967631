"""Results as porcelain returns them, made up, to see how they look in text."""

from __future__ import annotations

import hashlib
import math

from mvc.porcelain.results.logs import DirectionResult, ForkedFrom, LogCommit, LogLineage, LogResult


def commit_id(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def lineage(
    name: str,
    length: int,
    *,
    fork: tuple[str, int] | None = None,
    source: str = "weights",
    flags: dict[int, tuple[str, ...]] | None = None,
    tags: dict[int, tuple[str, ...]] | None = None,
    message: str = "",
    path: str = "pool/{name}-{index}.safetensors",
) -> LogLineage:
    """A lineage of ``length`` commits; ``fork`` = (parent lineage's name, position)."""
    commits = tuple(
        LogCommit(
            id=commit_id(f"{name}{index}"),
            path=path.format(name=name, index=index),
            message=message,
            time="2026-01-01T00:00:00.000000+00:00",
            step=float(100 * index) if source == "declared" else None,
            distance=None if index == 0 and fork is None else 4.0 if index == 0 else 1.2 / math.sqrt(index),
            turning_angle=None if index < 2 else 40 + (index * 37) % 60,
            relation="extends" if index else "forks" if fork else "starts",
            flags=(flags or {}).get(index, ()),
            position=index,
            confidence=0.98,
            tags=(tags or {}).get(index, ()),
            evidence={"source": source},
        )
        for index in range(length)
    )
    parent = None if fork is None else ForkedFrom(fork[0], commit_id(f"{fork[0]}{fork[1]}"), 0.93)
    confidence = {"weights": 0.97, "declared": 1.0, "undecided": 0.5}[source]
    direction = DirectionResult(confidence, source)  # type: ignore[arg-type]
    root = commits[0].id
    return LogLineage(root, name, "a1b2c3d4e5f6", parent, direction, commits, tensors=3, weights=2160)


def forest() -> LogResult:
    return LogResult(
        (
            lineage("brave-otter", 20, flags={13: ("turning-angle",)}, tags={19: ("v1.0",)}),
            lineage("fine-tune", 6, fork=("brave-otter", 9), source="declared", message="colder learning rate"),
            lineage("again", 3, fork=("fine-tune", 2)),
            lineage("tip-fork", 2, fork=("brave-otter", 19)),
            lineage("lonely", 1),
            lineage("quiet-heron", 12, source="undecided"),
        )
    )
