"""``post-commit``: commits to mvc what a git commit has of checkpoints. Owns what is left out, and why.

A checkpoint is recorded from the working tree, where it is still what git has just committed; the git commit's id is
kept in mvc's facts, under "git". Never fails: git's commit is made already.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from mvc.errors import MvcError
from mvc.formats import checkpoint_with
from mvc.integrations.git.places import Open, mvc_root
from mvc.integrations.git.reading import Blob, GitRepository
from mvc.integrations.git.results import HookEntry
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace


def post_commit(git: GitRepository, blobs: Sequence[Blob], open_workspace: Open) -> Iterator[HookEntry]:
    """Commits the checkpoints that HEAD's commit brought, each mvc repository's in one transaction."""
    head = blobs[0].commit
    changed = git.modified()
    homes: dict[Path, dict[Path, str]] = {}
    for blob in blobs:
        file = git.top / blob.path
        found = checkpoint_with(file) if file.is_file() and blob.path not in changed else None
        if blob.path in changed:
            hint = f"commit what is there now: mvc commit {shlex.quote(blob.path)}"
            yield HookEntry(blob.path, head, None, "skip", "changed since it was added to git", hint)
        elif found is None or found.state == "pointer":
            continue
        elif found.state != "complete":
            hint = f"when it is whole: mvc commit {shlex.quote(blob.path)}"
            yield HookEntry(blob.path, head, None, "warn", found.reason, hint)
        elif (root := mvc_root(file.parent)) is None:
            hint = "run: mvc init, then mvc commit ."
            yield HookEntry(blob.path, head, None, "warn", "is in no mvc repository", hint)
        else:
            homes.setdefault(root, {})[found.path] = found.path.relative_to(git.top).as_posix()
    subject = git.ask("log", "-1", "--format=%s", "--no-show-signature", head).decode("utf-8", "replace").strip()
    for root, paths in homes.items():
        yield from _record(git, open_workspace(root), paths, head, subject)


def _record(
    git: GitRepository, workspace: Workspace, paths: dict[Path, str], head: str, subject: str
) -> Iterator[HookEntry]:
    try:
        result = commit(workspace, list(paths), message=subject, extra={"git": head}, search=False)
    except MvcError as error:
        # one bad file must not keep the others out
        if len(paths) > 1:
            for path, name in paths.items():
                yield from _record(git, workspace, {path: name}, head, subject)
            return
        name = next(iter(paths.values()))
        told = error.message.replace(f"{git.top}/", "")
        yield HookEntry(name, head, None, "warn", told, error.hint or f"run: mvc commit {shlex.quote(name)}")
        return
    for name, row in zip(paths.values(), result.commits, strict=True):
        known = row.relation in ("duplicate", "restores")
        reason = f"{row.lineage}@{row.position}"
        yield HookEntry(name, head, row.id, "known" if known else "committed", reason)
