"""Lost objects brought back from where they still are. Owns the places to look; what is lost is fsck's to say.

An object's name is its hash, so it does not matter who hands it over: another repository, such as a backup, or the
checkpoint files themselves, which hold tensors and what is between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from mvc.errors import FormatError, InputError, IntegrityError, NotFoundError
from mvc.formats import find_checkpoints, open_checkpoint, skeleton_of
from mvc.objects import ObjectId, tensor_id
from mvc.repository import FsckReport, Repository
from mvc.repository.layout import DIRECTORY


def bring_back(
    repository: Repository, report: FsckReport, sources: Sequence[Path], check: Callable[[], FsckReport]
) -> tuple[FsckReport, dict[ObjectId, Path]]:
    """Stores what ``report`` finds lost and a source has, and looks again with ``check`` for what was lost behind it.

    Returns the last report, and where each object came from. Needs the repository's lock. Raises NotFoundError,
    InputError for what is no source.
    """
    found: dict[ObjectId, Path] = {}
    while lost := _lost(report) - found.keys():
        before = len(found)
        with repository.odb.batch():
            for source in sources:
                for object_id in _take(repository, lost - found.keys(), source):
                    found[object_id] = source
        if len(found) == before:
            break
        report = check()
    return report, found


def _lost(report: FsckReport) -> set[ObjectId]:
    codes = ("missing", "damaged")
    return {ObjectId(item.object) for item in report.findings if item.code in codes and len(item.object) == 64}


def _take(repository: Repository, lost: Collection[ObjectId], source: Path) -> Iterator[ObjectId]:
    """Stores those of ``lost`` that one source has."""
    if not source.exists():
        raise NotFoundError(
            f"there is no {str(source)!r}", hint="name a repository, a checkpoint or a directory of them"
        )
    if (source / DIRECTORY).is_dir():
        yield from _from_repository(repository, lost, Repository.open(source))
        return
    paths = (
        [item.path for item in find_checkpoints(source) if item.state == "complete"] if source.is_dir() else [source]
    )
    for path in paths:
        yield from _from_checkpoint(repository, lost, path)


def _from_repository(repository: Repository, lost: Collection[ObjectId], other: Repository) -> Iterator[ObjectId]:
    if other.directory.samefile(repository.directory):
        raise InputError("a repository cannot be mended from itself", hint="name a backup of it")
    for object_id in sorted(lost):
        try:
            kind = other.odb.kind_of(object_id)
            if kind == "tensor":
                repository.odb.put_tensor(*other.odb.get_tensor(object_id))
            else:
                repository.odb.put(kind, other.odb.get(kind, object_id))
        except IntegrityError:  # the other one does not have it either
            continue
        yield object_id


def _from_checkpoint(repository: Repository, lost: Collection[ObjectId], path: Path) -> Iterator[ObjectId]:
    try:
        with open_checkpoint(path) as opened:
            for _, file in opened.files:
                for index, tensor in enumerate(file.tensors):
                    data = file.read(index)
                    if tensor_id(tensor.spec, data) in lost:
                        yield repository.odb.put_tensor(tensor.spec, data)
                skeleton = skeleton_of(file)
                if skeleton.id in lost:
                    yield repository.put(skeleton)
    except FormatError:  # one of many files; what is lost stays lost, and is told
        return
