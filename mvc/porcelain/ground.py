"""Where a case stands among the points that the index knows. Owns the view that judges of steps share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvc.index import ArchitectureRow, Reader
from mvc.objects import as_array, read_array
from mvc.porcelain.case import Case
from mvc.porcelain.ledger import Ledger, Point
from mvc.porcelain.points import read_contents
from mvc.porcelain.stepping import NO_STEPS, open_ledger


@dataclass(frozen=True)
class Ground:
    """``past``: contents of what came before, oldest first, without what is no step of training. ``point`` is the
    case's own; a file's has no content. The ledger reads through the connection as it is asked.
    """

    architecture: ArchitectureRow
    ledger: Ledger
    past: tuple[str, ...]
    point: Point


def stand(reader: Reader, case: Case) -> Ground | None:
    """None where nothing of the case's architecture is committed."""
    known = ArchitectureRow.find(reader, id=case.model.architecture)
    if not known:
        return None
    repository = case.history.workspace.repository
    ledger = open_ledger(reader, known[0], lambda tensor: as_array(*repository.tensor(tensor)), case.steps)
    past = contents_of(reader, [row.id for row in case.past if row.relation not in NO_STEPS])
    point = point_of(case) if case.commit is None else ledger.point(contents_of(reader, [case.commit])[0])
    return Ground(known[0], ledger, tuple(dict.fromkeys(past)), point)


def point_of(case: Case) -> Point:
    """A file's weights, which nobody committed."""
    tensors = {name: case.model.objects[name] for name in sorted(case.model.signatures)}
    return Point("", tensors, lambda name: read_array(case.checkpoint, name))


def contents_of(reader: Reader, commits: Sequence[str]) -> list[str]:
    """Contents of commits, in order."""
    found = read_contents(reader, commits)
    return [found[commit] for commit in commits]
