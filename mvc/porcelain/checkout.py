"""Restores a committed checkpoint, byte for byte. Owns what is verified before a file appears.

Every tensor is hashed as it is read and every file as it is put together; a file gets its name only if its digest is
the one recorded at commit. A checkpoint of several files is built as a directory beside its place and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import blake3

from mvc.errors import ExistsError, InputError, IntegrityError
from mvc.formats import assemble
from mvc.objects import DTYPES, FileEntry, Manifest, ObjectId, TensorEntry
from mvc.odb import Lanes
from mvc.porcelain.pointers import target_path
from mvc.porcelain.progress import Report, counted, silent
from mvc.porcelain.results.commits import CheckoutResult
from mvc.porcelain.revisions import locate
from mvc.porcelain.standing import complete, missing_files
from mvc.porcelain.targets import base_name, check_recorded_set, check_target
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.storage import atomic_write, disk_errors, exists, make_directories, temporary_name

Chunks = Iterator[bytes | memoryview]


def checkout(
    workspace: Workspace,
    revision: str,
    *,
    directory: Path,
    target: Path | None = None,
    tensor: str | None = None,
    force: bool = False,
    progress: Report = silent,
) -> CheckoutResult:
    """Writes ``revision`` to ``target``, seen from ``directory`` (its recorded name unless given); with ``tensor``,
    a shell pattern, a safetensors file of the weights whose names match. The file of a pointer goes beside it; where
    the same content is there already, nothing is written.

    Raises InputError for a place where it will not write, ExistsError where something stands there and ``force`` is not
    set, IntegrityError where what is stored is damaged; then nothing has appeared.
    """
    repository = workspace.repository
    commit_id, pointer = locate(workspace, revision, directory)
    commit = repository.commit(commit_id)
    manifest = repository.manifest(commit.manifest)
    if pointer is not None and target is None and tensor is None:
        # from a pointer that is named with "..", the place is named whole: only a target given must not go up
        target = target_path(Path(os.path.abspath(pointer)) if ".." in Path(revision).parts else Path(revision))
    elif target is None:
        name = base_name(commit.path)
        target = Path(name if tensor is None else f"{PurePosixPath(name).stem}.part.safetensors")
    place = check_target(target, directory)
    many = tensor is None and [file.path for file in manifest.files] != [""]
    if pointer is not None and tensor is None and exists(repository.fs, place):
        missing = missing_files(place, manifest, force=force)
        if missing is not None:
            written = complete(repository.fs, place, missing, lambda file: file_bytes(repository, file, progress))
            return CheckoutResult(commit_id, tuple(map(str, written)), sum(file.size for file in missing))
    if exists(repository.fs, place) and not force:
        raise ExistsError(
            f"{str(target)!r} is already there", hint="overwrite it with --force, or name another with -o"
        )
    if not many and place.is_dir() and not place.is_symlink():
        raise ExistsError(
            f"{str(target)!r} is a directory", hint=f"name a file with -o {target / base_name(commit.path)}"
        )
    make_directories(repository.fs, place.parent)
    if tensor is not None:
        chunks, size = _part(repository, manifest, tensor)
        atomic_write(repository.fs, place, chunks, overwrite=force)
        return CheckoutResult(commit_id, (str(place),), size)
    if many:
        paths = _directory(repository, manifest, place, force=force, progress=progress)
        return CheckoutResult(commit_id, tuple(str(place / path) for path in paths), manifest.nbytes)
    atomic_write(repository.fs, place, file_bytes(repository, manifest.files[0], progress), overwrite=force)
    return CheckoutResult(commit_id, (str(place),), manifest.nbytes)


def file_bytes(repository: Repository, file: FileEntry, progress: Report = silent) -> Chunks:
    """The original file, piece by piece; ``progress`` is told of its tensors. Raises IntegrityError, at the end at the
    latest, if it is not that file."""
    hasher = blake3.blake3()
    size = 0
    skeleton = repository.skeleton(file.skeleton)
    # a hole that names no tensor is refused when it is filled
    wanted = [file.tensors[hole.tensor] for hole in skeleton.holes if hole.tensor < len(file.tensors)]
    with Lanes(threaded=repository.fs.sync_threads > 0) as lanes:
        sizes = ((entry.spec.nbytes, entry.object) for entry in wanted)
        ahead = lanes.map(lambda object_id: repository.tensor(object_id)[1], sizes)
        names = counted([entry.name for entry in wanted], progress)

        def read(_: ObjectId) -> bytes | memoryview:
            next(names, "")
            return next(ahead)

        for chunk in assemble(skeleton, file.tensors, read):
            hasher.update(chunk)
            size += memoryview(chunk).nbytes
            yield chunk
    if size != file.size or hasher.hexdigest() != file.digest:
        raise IntegrityError("the restored file is not the one that was committed", hint="run: mvc fsck")


def _directory(
    repository: Repository, manifest: Manifest, place: Path, *, force: bool, progress: Report
) -> Sequence[PurePosixPath]:
    """Builds all files in a directory beside ``place``, then renames it."""
    fs = repository.fs
    paths = check_recorded_set(file.path for file in manifest.files)
    replaced = exists(fs, place)
    if replaced:
        _check_replaceable(place, {str(path) for path in paths})
    building = temporary_name(place.parent)
    try:
        with disk_errors(building, "create"):
            fs.make_directory(building)
        for path, file in zip(paths, manifest.files, strict=True):
            make_directories(fs, (building / path).parent)
            atomic_write(fs, building / path, file_bytes(repository, file, progress), overwrite=False)
        with disk_errors(place, "write"):
            if replaced:
                # two renames: after a crash between them the old files stand under the temporary name
                aside = temporary_name(place.parent)
                fs.rename_directory(place, aside)
                fs.rename_directory(building, place)
                _remove_tree(aside)
            else:
                fs.rename_directory(building, place)
            fs.fsync_directory(place.parent)
    except BaseException:
        _remove_tree(building)
        raise
    return paths


def _check_replaceable(place: Path, ours: set[str]) -> None:
    """Raises ExistsError where overwriting would take away files that the checkpoint does not have."""
    if place.is_symlink() or not place.is_dir():
        raise ExistsError(f"{str(place)!r} is in the way: the checkpoint is a directory", hint="name another with -o")
    for parent, _, names in os.walk(place):
        for name in names:
            path = (Path(parent) / name).relative_to(place).as_posix()
            if path not in ours:
                raise ExistsError(
                    f"{str(place)!r} holds {path!r}, which is not part of the checkpoint",
                    hint="move it away, or name another directory with -o",
                )


def _remove_tree(directory: Path) -> None:
    """Takes away a directory of ours, as far as the disk lets it."""
    with contextlib.suppress(OSError):
        for parent, directories, names in os.walk(directory, topdown=False):
            for name in names:
                os.unlink(os.path.join(parent, name))
            for name in directories:
                os.rmdir(os.path.join(parent, name))
        os.rmdir(directory)


def _part(repository: Repository, manifest: Manifest, pattern: str) -> tuple[Chunks, int]:
    """A safetensors file of the weights that match, and its size."""
    chosen = [entry for entry in manifest.weights.values() if fnmatchcase(entry.name, pattern)]
    if not chosen:
        raise InputError(f"no tensor matches {pattern!r}", hint="list the tensors with: mvc show REV")
    # widest dtype first, as the safetensors library does: every tensor is aligned then
    chosen.sort(key=lambda entry: (-DTYPES[entry.spec.dtype].bits, entry.name))
    header = _header(chosen)
    return _safetensors(repository, header, chosen), len(header) + sum(entry.spec.nbytes for entry in chosen)


def _header(entries: Iterable[TensorEntry]) -> bytes:
    table = {}
    at = 0
    for entry in entries:
        end = at + entry.spec.nbytes
        table[entry.name] = {"dtype": entry.spec.dtype, "shape": list(entry.spec.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _safetensors(repository: Repository, header: bytes, entries: Iterable[TensorEntry]) -> Chunks:
    yield header
    for entry in entries:
        spec, data = repository.tensor(entry.object)
        if spec != entry.spec:
            raise IntegrityError(f"object {entry.object} is not what its manifest says", hint="run: mvc fsck")
        yield data
