"""Whether what is stored is what it should be, and whether the index agrees. Owns joining the two reports."""

from __future__ import annotations

from mvc.porcelain.log import log
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reindex import reindex
from mvc.porcelain.results.states import FsckFinding, FsckResult
from mvc.porcelain.workspace import Workspace
from mvc.repository.fsck import check_repository


def fsck(workspace: Workspace, *, repair: bool = False, progress: Report | None = None) -> FsckResult:
    """Reads and hashes every object, follows every reference, and compares the index with what is committed.

    ``repair`` quarantines what is damaged and rebuilds an index that disagrees. Raises BusyError.
    """
    report = progress or silent
    found = check_repository(workspace.repository, repair=repair, progress=lambda done: report(done, None, "objects"))
    findings = [FsckFinding(item.code, item.object, item.message, item.repaired) for item in found.findings]
    # an index built on damaged objects says nothing: it is looked at only where they are sound
    stale = _index_findings(workspace) if found.ok else []
    if stale and repair:
        reindex(workspace)
        stale = [FsckFinding(item.code, item.object, item.message, True) for item in stale]
    ok = found.ok and all(item.repaired for item in stale)
    return FsckResult(ok, found.objects, (*findings, *stale))


def _index_findings(workspace: Workspace) -> list[FsckFinding]:
    """Commits that the index lacks, and those that it invents."""
    stored = set(workspace.repository.state().commits)
    indexed = {commit.id for row in log(workspace).lineages for commit in row.commits}
    message = "the index names a commit that is not in the repository; run: mvc reindex"
    return [FsckFinding("index-stale", commit, message, False) for commit in sorted(indexed - stored)]
