"""One commit: what was recorded and what was inferred. Owns nothing but bringing both together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mvc.index import Reader, SettingRow, TagRow
from mvc.objects import GONE, ObjectId
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reading import History
from mvc.porcelain.results.logs import MixtureWeight
from mvc.porcelain.results.plain import to_json
from mvc.porcelain.results.shows import ShowResult, TensorRow
from mvc.porcelain.revisions import resolve
from mvc.porcelain.spectra import layer_spectra
from mvc.porcelain.workspace import Workspace


def show(
    workspace: Workspace,
    revision: str,
    *,
    directory: Path = Path(),
    spectra: bool = False,
    bootstrap: int = 0,
    progress: Report | None = None,
) -> ShowResult:
    """``revision`` may be a pointer, seen from ``directory``. ``spectra`` reads every trainable tensor; ``bootstrap``
    samples then say whether its tail is a power law's. Raises NotFoundError, IntegrityError.
    """
    repository = workspace.repository
    commit_id = resolve(workspace, revision, directory)
    commit = repository.commit(commit_id)
    manifest = repository.manifest(commit.manifest)
    tags, kept = workspace.look_up(lambda reader: _declared(reader, commit_id))
    memory = None if kept is None else repository.memory(kept)
    given_up = () if memory is None else [one for one in memory.tensors if not repository.odb.contains(one)]
    sizes = dict.fromkeys(given_up, 0)
    sizes |= {one: repository.odb.stored_size(one) for one in manifest.objects() if one not in sizes}
    gone = {} if memory is None else {"gone": {"time": memory.time, "reason": memory.reason}}
    return ShowResult(
        id=commit_id,
        facts={**asdict(commit), "tags": tags, **gone},
        inference=inference_of(History(workspace), commit_id),
        files=tuple(
            {"path": file.path, "format": file.format, "size": file.size, "digest": file.digest}
            for file in manifest.files
        ),
        tensors=tuple(
            TensorRow(
                entry.name,
                entry.object,
                entry.spec.dtype,
                entry.spec.shape,
                entry.role,
                entry.spec.nbytes,
                sizes[entry.object],
            )
            for file in manifest.files
            for entry in file.tensors
        ),
        spectra=layer_spectra(repository.checkpoint(commit_id), bootstrap=bootstrap, progress=progress or silent)
        if spectra
        else None,
    )


def _declared(reader: Reader, commit: ObjectId) -> tuple[list[str], ObjectId | None]:
    """A commit's tags, and the id of what was kept of it if its tensors were given up."""
    tags = sorted(name for (name,) in TagRow.pick(reader, "name", commit=commit))
    gone = SettingRow.find(reader, key=GONE + commit)
    return tags, ObjectId(gone[0].value) if gone else None


def inference_of(history: History, commit_id: str) -> dict[str, Any]:
    """Where the commit stands, by what evidence; {} for one without trainable tensors."""
    row, placed = history.lineage(commit_id), history.placed(commit_id)
    if row is None or placed is None:
        return {}
    evidence = dict(placed.evidence)
    return {
        "lineage": row.name,
        "position": placed.position,
        "relation": placed.relation,
        "parent": placed.parent,
        "distance": placed.distance,
        "turning_angle": placed.turning_angle,
        "confidence": placed.confidence,
        "architecture": row.architecture,
        "direction": to_json(row.direction),
        "forked_from": to_json(row.forked_from),
        "overlaps": to_json(row.overlaps),
        "adapter": row.adapter,
        "mixture": [_source(history, part) for part in placed.mixture] or None,
        "runner_up": evidence.pop("runner_up", None),
        "evidence": evidence,
    }


def _source(history: History, part: MixtureWeight) -> dict[str, Any]:
    row, placed = history.lineage(part.commit), history.placed(part.commit)
    where = {} if row is None or placed is None else {"lineage": row.name, "position": placed.position}
    return {"commit": part.commit, "weight": part.weight, **where}
