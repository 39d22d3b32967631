"""Whether the index is one that mvc would have written: it says of commits what they say of themselves, and nothing
that it infers is of a commit that is not there. Owns the comparison, for `mvc fsck` and for whoever found something
odd; mends nothing. That inferences are the right ones, only inferring them again can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from mvc.errors import IntegrityError
from mvc.geometry import VERSION, signature_length
from mvc.index import (
    ArchitectureRow,
    CommitRow,
    FileRow,
    ForestRow,
    InferenceRow,
    LineageRow,
    MetaRow,
    PlacementRow,
    PointRow,
    Reader,
    SettingRow,
    SignatureRow,
    TagRow,
    UnitRow,
    WalkRow,
    check_sound,
)
from mvc.objects import ObjectId
from mvc.porcelain.engine import ENGINE
from mvc.porcelain.facts import read_facts
from mvc.repository import Repository, State


def disagreement(repository: Repository, reader: Reader) -> str | None:
    """What of the index cannot be so, in words; None where nothing is found, or where it is behind and built anew.

    Reads all of the index, and every commit and manifest. Raises as what ``reader`` is raises, IndexDamaged too.
    """
    check_sound(reader)
    stamp = {row.key: row.value for row in MetaRow.find(reader)}
    if stamp.get("engine") != ENGINE or "operation" not in stamp:
        return None
    try:
        state = repository.state_at(ObjectId(stamp["operation"]) if stamp["operation"] else None)
    except IntegrityError:  # an operation that was never this repository's, or is lost
        return None
    return next(_facts(repository, state, reader), None) or next(_inferences(reader), None)


def _facts(repository: Repository, state: State, reader: Reader) -> Iterator[str]:
    commits = {row.id: row for row in CommitRow.find(reader)}
    points = {row.content: row for row in PointRow.find(reader)}
    architectures = {row.id: row for row in ArchitectureRow.find(reader)}
    files: defaultdict[str, set[FileRow]] = defaultdict(set)
    for row in FileRow.find(reader):
        files[row.manifest].add(row)
    for arrival, commit in enumerate(state.commits):
        wanted = read_facts(repository, commit, arrival)
        known = commits.pop(commit, None)
        if "damaged" in (wanted.commit.architecture, known and known.architecture):
            continue  # what it was is not to be read any more, or was not when the index was written
        if (
            known != wanted.commit
            or points.get(known.content) != wanted.point
            or architectures.get(known.architecture) != wanted.architecture
            or files[known.manifest] != set(wanted.files)
        ):
            yield f"it does not say of commit {commit} what that says"
    if commits:
        yield f"it names commit {min(commits)}, which is not in the repository"
    if {row.name: row.commit for row in TagRow.find(reader)} != dict(state.tags):
        yield "its tags are not those of the repository"
    if {row.key: row.value for row in SettingRow.find(reader)} != dict(state.settings):
        yield "its settings are not those of the repository"


def _inferences(reader: Reader) -> Iterator[str]:
    commits: Collection[str] = {row.id for row in CommitRow.find(reader)}
    contents = {row.content for row in PointRow.find(reader)}
    places, widths = defaultdict(list), defaultdict(set)
    for place in PlacementRow.find(reader):
        places[place.lineage].append(place.position)
        if place.parent is not None and place.parent not in commits:
            yield f"commit {place.commit} has a parent that is not there"
    for lineage in LineageRow.find(reader):
        if sorted(places[lineage.id]) != list(range(len(places[lineage.id]))):
            yield f"lineage {lineage.id} has no order"
        if not {lineage.fork_commit, lineage.fork_runner_up} <= {None, *commits}:
            yield f"lineage {lineage.id} forks from what is not there"
    for walk in WalkRow.find(reader):
        if len(walk.path) < 2 or not all(isinstance(content, str) and content in contents for content in walk.path):
            yield f"the walk along lineage {walk.lineage} leads to what is not there"
        widths[walk.architecture].add(len(walk.figures) / (len(walk.path) - 1))
    if any(len(found) > 1 for found in widths.values()):
        yield "walks of one architecture have figures of different kinds"
    signed = {row.tensor for row in SignatureRow.find(reader, version=VERSION)}
    for point in PointRow.find(reader):
        if not signed.issuperset(point.tensors):
            yield f"of point {point.content} not all that is known is there"
    for signature in SignatureRow.find(reader, version=VERSION):
        if len(signature.sketch) != 4 * signature_length(signature.numel):
            yield f"what is known of tensor {signature.tensor} is cut"
    for inference in InferenceRow.find(reader):
        if not all(isinstance(text, str) for text in inference.warnings):
            yield f"what is said of family {inference.family} is no text"
    units = defaultdict(set)
    for unit in UnitRow.find(reader):
        units[unit.architecture].add(len(unit.unit))
    for forest in ForestRow.find(reader):
        if len(units[forest.architecture]) > 1 or not all(type(place) is int for place in forest.varying):
            yield f"the forest of architecture {forest.architecture} does not fit its points"
