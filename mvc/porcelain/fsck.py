"""Whether what is stored is what it should be, and whether the index agrees. Owns joining the two reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from mvc.objects import ObjectId
from mvc.porcelain.agreement import disagreement
from mvc.porcelain.mending import bring_back, open_sources
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reindex import reindex
from mvc.porcelain.results.states import FsckFinding, FsckResult
from mvc.porcelain.workspace import Workspace
from mvc.repository import Finding, FsckReport, check_repository


def fsck(
    workspace: Workspace,
    *,
    repair: bool = False,
    full: bool = False,
    sources: Sequence[Path] = (),
    progress: Report | None = None,
) -> FsckResult:
    """Verifies every stored byte, follows every reference, and compares the index with what is committed. Tensors are
    compared with the checksums of when they were proved to be what they are; with ``full`` they are decoded again.

    ``repair`` quarantines what is damaged and rebuilds an index that disagrees; what is lost then is brought back from
    ``sources`` that have it: other repositories, checkpoints, directories of these. Raises BusyError; before
    anything is touched, NotFoundError, InputError, FormatError for what is no source.
    """
    report, repository = progress or silent, workspace.repository
    opened = open_sources(repository, sources)

    def check() -> FsckReport:
        return check_repository(
            repository,
            repair=repair,
            full=full,
            progress=lambda done, total: report(done, total, "objects" if total is None else "decoding"),
        )

    with repository.lock(command="fsck --repair") if repair else nullcontext():
        found = first = check()
        back: dict[ObjectId, Path] = {}
        if repair and opened:
            found, back = bring_back(repository, first, opened, check)
    findings = [_told(item, back) for item in first.findings]
    known = {item.object for item in findings}
    findings += [_told(item, back) for item in found.findings if item.object not in known]
    # an index built on damaged objects says nothing: it is looked at only where they are sound
    stale = _index_findings(workspace) if found.ok else []
    if stale and repair:
        reindex(workspace, progress=report)
        stale = [FsckFinding(item.code, item.object, item.message, True) for item in stale]
    ok = found.ok and all(item.repaired for item in stale)
    return FsckResult(ok, found.objects, found.undecoded, (*findings, *stale))


def _told(finding: Finding, back: Mapping[ObjectId, Path]) -> FsckFinding:
    source = back.get(ObjectId(finding.object))
    message = finding.message if source is None else f"{finding.message}; brought back from {str(source)!r}"
    repaired = finding.repaired or source is not None
    return FsckFinding(finding.code, finding.object, message, repaired, finding.blocks, finding.commits)


def _index_findings(workspace: Workspace) -> list[FsckFinding]:
    """Commits that the index invents, and whether the state that is kept beside it is what the operations say."""
    repository = workspace.repository
    state = repository.state_at(repository.head())
    if repository.state() != state:
        message = "the kept state is not what the operations add up to; run: mvc reindex"
        return [FsckFinding("index-stale", state.head or "", message, False)]
    # one that is behind, or cannot be read at all, is built again on the way
    found = workspace.look_up(lambda reader: disagreement(repository, reader))
    message = f"the index is not what it should be: {found}; run: mvc reindex"
    return [] if found is None else [FsckFinding("index-stale", state.head or "", message, False)]
