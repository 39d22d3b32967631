"""Lost objects brought back from where they still are. Owns the places to look; what is lost is fsck's to say.

An object's name is its hash, so it does not matter who hands it over: another repository, such as a backup, or the
checkpoint files themselves, which hold tensors and what is between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from mvc.errors import FormatError, InputError, IntegrityError, NotFoundError
from mvc.formats import find_checkpoints, open_checkpoint, skeleton_of
from mvc.index import CommitRow
from mvc.objects import Commit, ObjectId, tensor_id
from mvc.porcelain.workspace import Workspace
from mvc.repository import FsckReport, Layout, Repository
from mvc.repository.layout import DIRECTORY, HEAD

#: one place to look: a repository, or checkpoints
Source = Repository | tuple[Path, ...]


def open_sources(repository: Repository, paths: Sequence[Path]) -> dict[Path, Source]:
    """What these paths are, before anything is touched: repositories, copies of their ``.mvc``, checkpoints, or
    directories of these. Raises NotFoundError, InputError, FormatError for what is none."""
    return {path: _source(repository, path) for path in paths}


def _source(repository: Repository, path: Path) -> Source:
    if not path.exists():
        raise NotFoundError(f"there is no {str(path)!r}", hint="name a repository, a checkpoint or a directory of them")
    bare = (path / HEAD).is_file() and (path / "format").is_file()
    if bare or (path / DIRECTORY).is_dir():
        other = Repository.at(Layout(path.absolute())) if bare else Repository.open(path)
        if other.directory.samefile(repository.directory):
            raise InputError("a repository cannot be mended from itself", hint="name a backup of it")
        return other
    if not path.is_dir():
        open_checkpoint(path).close()
        return (path,)
    if found := tuple(item.path for item in find_checkpoints(path) if item.state == "complete"):
        return found
    raise InputError(f"there is no repository and no checkpoint in {str(path)!r}", hint="name a backup, or checkpoints")


def bring_back(
    repository: Repository, report: FsckReport, sources: Mapping[Path, Source], check: Callable[[], FsckReport]
) -> tuple[FsckReport, dict[ObjectId, Path]]:
    """Stores what ``report`` finds lost and a source has, and looks again with ``check`` for what was lost behind it.

    Returns the last report, and where each object came from. Needs the repository's lock.
    """
    found: dict[ObjectId, Path] = {}
    while lost := _lost(report) - found.keys():
        before = len(found)
        with repository.odb.batch():
            for path, source in sources.items():
                for object_id in _take(repository, lost - found.keys(), source):
                    found[object_id] = path
        if len(found) == before:
            break
        report = check()
    return report, found


def _lost(report: FsckReport) -> set[ObjectId]:
    codes = ("missing", "damaged")
    return {ObjectId(item.object) for item in report.findings if item.code in codes and len(item.object) == 64}


def _take(repository: Repository, lost: Collection[ObjectId], source: Source) -> Iterator[ObjectId]:
    """Stores those of ``lost`` that one source has."""
    if isinstance(source, Repository):
        yield from _from_repository(repository, lost, source)
    else:
        for path in source:
            yield from _from_checkpoint(repository, lost, path)


def _from_repository(repository: Repository, lost: Collection[ObjectId], other: Repository) -> Iterator[ObjectId]:
    for object_id in sorted(lost):
        try:
            kind = other.odb.kind_of(object_id)
            if kind == "tensor":
                repository.odb.put_tensor(*other.odb.get_tensor(object_id))
                repository.odb.verify(object_id)
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
                        object_id = repository.odb.put_tensor(tensor.spec, data)
                        repository.odb.verify(object_id)
                        yield object_id
                skeleton = skeleton_of(file)
                if skeleton.id in lost:
                    yield repository.put(skeleton)
    except FormatError:  # one of many files; what is lost stays lost, and is told
        return


def restore_record(workspace: Workspace, commit_id: ObjectId) -> None:
    """Stores a commit's lost record again, as the index remembers it. Needs the repository's lock. Raises
    IntegrityError where that is not how it was."""
    row = workspace.look_up(lambda reader: CommitRow.find(reader, id=commit_id)[0])
    record = Commit(**{one.name: getattr(row, one.name) for one in fields(Commit) if one.init})
    if record.id != commit_id:
        message = f"the record of commit {commit_id[:12]} is missing, and the index does not have it as it was"
        raise IntegrityError(message, hint="take it from a backup: mvc fsck --repair --from PATH")
    workspace.repository.put(record)
