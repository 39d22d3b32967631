"""What porcelain returns: frozen values from which both the text and the JSON of a command are made.

Field names are those of the JSON (``docs/json.md``); ``to_json`` turns any of them into plain JSON-able data. Tuples
become lists; nothing else is renamed or dropped. Longer than other files because it is one thing, the JSON's schema: it
is read beside ``docs/json.md`` from top to bottom, its values refer to each other, and nothing in it computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

Relation = Literal["starts", "extends", "inserts", "forks", "copies", "mixes", "duplicate"]
TensorStatus = Literal["identical", "changed", "added", "removed", "reshaped", "recast"]
VerdictName = Literal["pass", "warn", "fail", "skip"]


def to_json(value: Any, schema: str | None = None) -> Any:
    """JSON-able form of a result; with ``schema`` (as "log"), an object that names its schema, ``mvc.log/v1``."""
    head = {} if schema is None else {"schema": f"mvc.{schema}/v1"}
    if is_dataclass(value) and not isinstance(value, type):
        return head | {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return head | {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


@dataclass(frozen=True)
class Committed:
    """One path of `commit`. For "duplicate" ``id`` is the commit that already holds this content.

    ``evidence`` says in numbers why it stands where it stands; ``runner_up`` names the next best lineage, if any.
    ``overlaps`` are those of its lineage that rest on this very commit.
    """

    id: str
    path: str
    architecture: str
    lineage: str
    position: int
    relation: Relation
    parent: str | None
    distance: float | None
    confidence: float
    bytes: int
    stored_bytes: int
    evidence: Mapping[str, Any] = field(default_factory=dict)
    overlaps: tuple[OverlapResult, ...] = ()
    pointer: str | None = None


@dataclass(frozen=True)
class CommitResult:
    commits: tuple[Committed, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MixtureWeight:
    commit: str
    weight: float


@dataclass(frozen=True)
class LogCommit:
    """``flags`` are ids of the rules that `check` finds broken. ``declared`` says which facts were declared.

    ``mixture``: of which commits this one is the weighted average, the largest weight first; else empty.
    """

    id: str
    path: str
    message: str
    time: str
    step: float | None
    distance: float | None
    turning_angle: float | None
    relation: Relation
    flags: tuple[str, ...] = ()
    position: int = 0
    confidence: float = 0.0
    parent: str | None = None
    tags: tuple[str, ...] = ()
    run: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    mixture: tuple[MixtureWeight, ...] = ()


@dataclass(frozen=True)
class ForkedFrom:
    lineage: str
    commit: str
    confidence: float


@dataclass(frozen=True)
class OverlapResult:
    """A lineage beside another architecture, on what both share. ``order``: which of the two it came after or before,
    with ``confidence``, or "undecided".

    ``own`` is the commit of the lineage that is nearest, or was declared, ``commit`` the one of ``lineage`` there.
    ``kind`` "shared": ``tensors`` of equal name and shape with ``shared`` values, ``coverage`` of the smaller model,
    were compared, ``identical`` of the values lie in equal tensors. ``kind`` "adapter": ``own`` changes so many tensors
    and values of ``commit``, a ``coverage`` of it. ``source`` "declared": ``commit`` is the declared parent.
    """

    lineage: str
    commit: str
    own: str
    kind: Literal["shared", "adapter"]
    source: Literal["weights", "declared"]
    order: Literal["after", "before", "undecided"]
    confidence: float | None
    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float | None
    sigmas: float | None
    runner_up: str | None


@dataclass(frozen=True)
class DirectionResult:
    confidence: float
    source: Literal["weights", "declared", "undecided"]


@dataclass(frozen=True)
class LogLineage:
    """``id`` is stable while the lineage's root is: it is the root commit's. ``name_source``: "given" by mvc,
    "declared" by --run, "renamed" by the user. ``tensors`` and ``weights`` count the trainable ones. ``overlaps``:
    where it came from first, then by how much both have in common. ``adapter``: its tensors change another model's.
    """

    id: str
    name: str
    architecture: str
    forked_from: ForkedFrom | None
    direction: DirectionResult
    commits: tuple[LogCommit, ...]
    name_source: Literal["given", "declared", "renamed"] = "given"
    tensors: int = 0
    weights: int = 0
    overlaps: tuple[OverlapResult, ...] = ()
    adapter: bool = False


@dataclass(frozen=True)
class LogResult:
    lineages: tuple[LogLineage, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TensorRow:
    """One tensor of a commit, as `show` lists it."""

    name: str
    object: str
    dtype: str
    shape: tuple[int, ...]
    role: str
    bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class SpectralRow:
    """One trainable tensor as `show --spectra` lists it; what is None, ``silence`` says why.

    ``statistics`` is s(W): mean, variance and percentiles 0, 25, 50, 75, 100. ``slices`` matrices of ``rows`` ×
    ``columns`` are pooled. ``bulk`` and ``tail`` are those of `mvc.geometry`, in eigenvalues of WᵀW; ``plausibility``
    is the tail's bootstrap p where it was asked for.
    """

    name: str
    shape: tuple[int, ...]
    statistics: Mapping[str, float | None]
    rows: int | None = None
    columns: int | None = None
    slices: int | None = None
    spectral_norm: float | None = None
    stable_rank: float | None = None
    bulk: Mapping[str, float] | None = None
    tail: Mapping[str, float] | None = None
    plausibility: float | None = None
    silence: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShowResult:
    """``facts`` is everything recorded; ``inference`` the lineage's placement with evidence and runner-up. ``spectra``
    only where they were asked for.
    """

    id: str
    facts: Mapping[str, Any]
    inference: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...]
    tensors: tuple[TensorRow, ...]
    spectra: tuple[SpectralRow, ...] | None = None


@dataclass(frozen=True)
class SpectrumResult:
    """Of a matrix [rows, all else]: the largest singular value, and the squared norm in units of its square."""

    spectral_norm: float
    stable_rank: float | None


@dataclass(frozen=True)
class SpectraResult:
    before: SpectrumResult
    after: SpectrumResult
    change: SpectrumResult


@dataclass(frozen=True)
class TensorDiff:
    """``cosine`` is None where one side is zero; distances are None where shapes differ or a side is missing.

    ``changed`` counts values that differ; ``rank`` is that of the change where it is low, else None. ``matched``: the
    distance after the units of b were put into a's order, where units moved in this tensor. ``layer``: its module.
    """

    name: str
    status: TensorStatus
    numel: int
    distance: float | None
    relative_distance: float | None
    cosine: float | None
    max_abs: float | None
    share: float | None = None
    nonfinite: int = 0
    changed: int | None = None
    rank: int | None = None
    matched: float | None = None
    spectra: SpectraResult | None = None
    layer: str = ""


@dataclass(frozen=True)
class LayerDiff:
    """Figures of one module's tensors that were compared, as of one long vector. ``tensors`` counts all of them."""

    name: str
    tensors: int
    identical: int
    numel: int
    distance: float
    relative_distance: float | None
    cosine: float | None
    max_abs: float
    share: float | None
    changed: int


@dataclass(frozen=True)
class MovedUnits:
    """``moved`` of ``units`` hidden units of b stand elsewhere in a. Distances are those with all of them put back."""

    moved: int
    units: int
    distance: float
    relative_distance: float | None
    cosine: float | None


@dataclass(frozen=True)
class UsualDistance:
    """Distances of ``pairs`` other pairs of commits that stand as many steps apart, near by on the same trajectory.

    ``low`` and ``high`` leave out the smallest and the largest of more than six.
    """

    median: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Parting:
    """The last commit that two trajectories share, and how many steps a and b are beyond it."""

    commit: str
    lineage: str
    position: int
    a: int
    b: int


@dataclass(frozen=True)
class CourseResult:
    """How a difference stands to a lineage's steps. ``apart``: how many steps lie between two commits of one
    trajectory, of ``path`` together; distance / path is 1 on a straight line and 1/√apart on a random walk. ``usual``:
    of pairs as far ``apart``, of neighbours where ``apart`` is None. ``like``: as far as commits so many steps apart
    near by, None where it is beyond the ``farthest`` of these. ``parted``: of two commits of which none is on the
    other's way, where their ways parted.
    """

    lineage: str
    apart: int | None
    path: float | None
    usual: UsualDistance | None
    like: float | None
    farthest: float | None
    parted: Parting | None = None


@dataclass(frozen=True)
class DiffResult:
    """``relative_distance`` is distance / rms of the two norms (independent models ≈ 1.41). ``steps`` is the distance
    in units of the lineage's median step where a side stands in a lineage, else None; ``verdict`` says it in words.
    ``compared`` counts the trainable values that all this is about, ``coverage`` is their share of the smaller model.
    """

    a: str
    b: str
    distance: float
    relative_distance: float | None
    cosine: float | None
    tensors: tuple[TensorDiff, ...]
    steps: float | None = None
    verdict: str = ""
    compared: int = 0
    coverage: float = 1.0
    layers: tuple[LayerDiff, ...] = ()
    moved: MovedUnits | None = None
    course: CourseResult | None = None


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
    """``trajectory``: all commits behind it, sources before what was made of them."""

    commit: str
    lineage: str | None
    tensors: tuple[TensorBlame, ...]
    trajectory: tuple[BlamedCommit, ...] = ()


@dataclass(frozen=True)
class IgnoredFor:
    """Why a policy ignores a finding, and the last day (ISO 8601) on which it does; None: for ever."""

    reason: str
    expires: str | None


@dataclass(frozen=True)
class Finding:
    """``ignore``: what the policy says of it. Among the ignored findings it holds, among the others it has expired."""

    rule: str
    severity: Literal["warn", "fail"]
    commit: str | None
    path: str | None
    tensor: str | None
    value: float | None
    limit: float | None
    probability: float | None
    message: str
    name: str = ""
    ignore: IgnoredFor | None = None


@dataclass(frozen=True)
class LikelyCause:
    cause: Literal["data shift", "label corruption", "learning rate", "corruption", "wrong checkpoint"]
    probability: float


@dataclass(frozen=True)
class CheckedCommit:
    """``score``: larger is more abnormal, comparable across commits; None where there was nothing to judge by.

    ``blocked``: nothing was judged, as the weights that the pointer under ``path`` stands for were not fetched.
    ``lineage`` is the name of the one that it stands in, or, for a file, that it was judged by. ``pointer`` is the path
    of the pointer that named the commit. ``causes``: what may be wrong, the likeliest first; empty where nothing is.
    """

    id: str | None
    path: str | None
    verdict: VerdictName
    score: float | None
    reason: str = ""
    blocked: bool = False
    lineage: str | None = None
    pointer: str | None = None
    causes: tuple[LikelyCause, ...] = ()

    @property
    def key(self) -> tuple[str | None, str | None]:
        """What its findings have as ``commit`` and ``path``."""
        return self.id, self.path if self.id is None else None


@dataclass(frozen=True)
class CheckResult:
    """``ignored`` findings count for no verdict. ``policy`` is the file that says so, None for the defaults."""

    verdict: VerdictName
    checked: int
    findings: tuple[Finding, ...]
    commits: tuple[CheckedCommit, ...]
    ignored: tuple[Finding, ...] = ()
    policy: str | None = None


@dataclass(frozen=True)
class Match:
    commit: str
    lineage: str
    relation: Literal["same", "copy", "descends", "precedes", "mixes", "overlaps"]
    transform: str | None
    confidence: float


@dataclass(frozen=True)
class FileOverlap:
    """What was compared of a file and a commit of another architecture; see `OverlapResult`. Names of tensors that only
    the file has (``added``), that only the commit has (``removed``), and that have another shape (``reshaped``).
    """

    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float
    sigmas: float
    added: tuple[str, ...]
    removed: tuple[str, ...]
    reshaped: tuple[str, ...]


@dataclass(frozen=True)
class Identified:
    path: str
    match: Match | None
    runner_up: Match | None
    mixture: tuple[MixtureWeight, ...] | None
    reason: str = ""
    overlap: FileOverlap | None = None


@dataclass(frozen=True)
class IdentifyResult:
    results: tuple[Identified, ...]


@dataclass(frozen=True)
class FsckFinding:
    code: str
    object: str | None
    message: str
    repaired: bool


@dataclass(frozen=True)
class FsckResult:
    ok: bool
    objects: int
    findings: tuple[FsckFinding, ...]


@dataclass(frozen=True)
class StatusEntry:
    """A pointer is present, missing or differs as the file that it stands for does, and blocked where this repository
    does not have its commit; ``commit`` is the one that it names.
    """

    path: str
    state: Literal["new", "committed", "incomplete", "blocked", "changed", "bad", "present", "missing", "differs"]
    reason: str = ""
    commit: str | None = None


@dataclass(frozen=True)
class StatusResult:
    entries: tuple[StatusEntry, ...]


@dataclass(frozen=True)
class CheckoutResult:
    commit: str
    paths: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class TagRow:
    name: str
    commit: str


@dataclass(frozen=True)
class TagResult:
    tags: tuple[TagRow, ...]


@dataclass(frozen=True)
class LineageRow:
    id: str
    name: str
    name_source: Literal["given", "declared", "renamed"]
    architecture: str
    commits: int
    tip: str
    forked_from: ForkedFrom | None
    direction: DirectionResult


@dataclass(frozen=True)
class LineageResult:
    lineages: tuple[LineageRow, ...]


@dataclass(frozen=True)
class DuRow:
    kind: Literal["lineage", "commit", "total"]
    name: str
    commits: int
    bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class DuResult:
    """``stored_bytes`` of a row counts every object it uses; shared objects count in each row, once in the total."""

    rows: tuple[DuRow, ...]


@dataclass(frozen=True)
class ReindexResult:
    commits: int
    lineages: int


@dataclass(frozen=True)
class InitResult:
    path: str
    created: bool


@dataclass(frozen=True)
class ZooCard:
    """A population that can be trained; the demo's is mixed and has no single size."""

    name: str
    about: str
    seeds: int | None
    epochs: int | None
    weights: int | None


@dataclass(frozen=True)
class ZooListResult:
    cards: tuple[ZooCard, ...]


@dataclass(frozen=True)
class ZooTrainResult:
    card: str
    out: str
    truth: str
    runs: int
    checkpoints: int
