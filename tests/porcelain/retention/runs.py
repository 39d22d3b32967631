"""What these tests ask of a repository, and how."""

from __future__ import annotations

from mvc.porcelain.log import log
from mvc.porcelain.results.logs import LogCommit
from mvc.porcelain.workspace import Workspace

SHAPES = {"w": (80, 70), "b": (80,)}
RULE = "last=2,every=4"


def rows(workspace: Workspace) -> dict[str, LogCommit]:
    """By the ends of their paths: run, number and suffix."""
    return {row.path[-17:]: row for lineage in log(workspace).lineages for row in lineage.commits}
