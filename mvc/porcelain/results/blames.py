"""What `blame` returns."""

from __future__ import annotations

from dataclasses import dataclass

from mvc.porcelain.results.logs import Relation


@dataclass(frozen=True)
class Contribution:
    """``error`` is the standard error of a share that was read from sketches; 0 where it is exact."""

    commit: str
    share: float
    error: float = 0.0


@dataclass(frozen=True)
class TensorBlame:
    """``commit`` last changed the tensor. ``displacement``: how far it has come from its roots; None where nothing
    tells. ``layer``: its module."""

    name: str
    numel: int
    commit: str
    relation: Relation
    contributions: tuple[Contribution, ...]
    displacement: float | None = None
    layer: str = ""


@dataclass(frozen=True)
class BlamedCommit:
    """A commit that tensors came through, with its place; of a file that is none, ``commit`` is its path."""

    commit: str
    relation: Relation
    lineage: str | None
    position: int | None


@dataclass(frozen=True)
class BlameResult:
    """``trajectory``: all commits behind it, sources before what was made of them. ``cut``: those of them whose
    tensors were given up, which exact shares do not reach behind."""

    commit: str
    lineage: str | None
    tensors: tuple[TensorBlame, ...]
    trajectory: tuple[BlamedCommit, ...] = ()
    cut: tuple[str, ...] = ()
