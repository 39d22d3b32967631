"""Gates on what is pushed: ``pre-push`` where it leaves, ``pre-receive`` where it arrives. Owns what each demands.

What is refused is said with what to do about it. Nothing is written to git, and nothing outside a scratch directory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mvc.integrations.git.extract import Extracted, extract
from mvc.integrations.git.judging import Refused, committed, judge, judge_file, pointed, readable
from mvc.integrations.git.places import Open, mvc_root
from mvc.integrations.git.reading import Blob, GitRepository
from mvc.integrations.git.results import HookEntry
from mvc.objects import ObjectId
from mvc.porcelain.pointers import is_pointer
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository


def pre_push(git: GitRepository, blobs: Sequence[Blob], open_workspace: Open) -> Iterator[HookEntry]:
    """Judges what is pushed: committed in mvc, complete, and passing `check`. Raises as porcelain does."""
    roots: dict[Path | None, list[Blob]] = {}
    for blob in blobs:
        roots.setdefault(mvc_root((git.top / blob.path).parent), []).append(blob)
    with _scratch() as scratch:
        for root, its in roots.items():
            if root is None:
                yield from _homeless(git, its, scratch)
                continue
            workspace = open_workspace(root)
            found: list[tuple[Extracted, ObjectId]] = []
            for item in extract(git, its, scratch):
                try:
                    commit = committed(workspace, item)
                except Refused as refused:
                    yield _refusal(item, refused)
                else:
                    found += [(item, commit)] if commit is not None else []
            yield from judge(workspace, found)


def pre_receive(git: GitRepository, blobs: Sequence[Blob], open_workspace: Open) -> Iterator[HookEntry]:
    """Judges what arrives: whole files, sound weights. Works in the quarantine of a push and writes nothing to git.

    An mvc repository in the git directory itself judges by its lineages and knows pointers' commits; without one, each
    checkpoint is judged alone.
    """
    with _scratch() as scratch:
        home = git.private / ".mvc"
        server = open_workspace(home.parent) if home.is_dir() else None
        judge_by = server or Workspace.of(Repository.init(scratch / "alone"))
        for item in extract(git, blobs, scratch):
            try:
                if is_pointer(item.file):
                    if server is not None and (commit := committed(server, item)) is not None:
                        yield from judge(server, [(item, commit)])
                    elif server is None:
                        yield HookEntry(item.path, item.git, pointed(item).commit, "pass")
                elif readable(item):
                    yield judge_file(judge_by, item, alone=server is None)
            except Refused as refused:
                yield _refusal(item, refused)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mvc-git-") as name:
        yield Path(name).resolve()


def _refusal(item: Extracted, refused: Refused) -> HookEntry:
    return HookEntry(item.path, item.git, None, refused.state, refused.reason, refused.hint)


def _homeless(git: GitRepository, blobs: list[Blob], scratch: Path) -> Iterator[HookEntry]:
    """Checkpoints where there is no mvc repository to know them."""
    for item in extract(git, blobs, scratch):
        if item.found is not None or is_pointer(item.file):
            yield _refusal(item, Refused("fail", "is in no mvc repository", "run: mvc init, then mvc commit PATH"))
