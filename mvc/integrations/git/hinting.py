"""``post-checkout`` and ``post-merge``: says which checkpoints in the working tree are behind, or are not what their
pointers say. Owns which files are worth a look; changes nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from mvc.formats import checkpoint_with
from mvc.index import LineageRow, PlacementRow, Reader
from mvc.integrations.git.places import Open, mvc_root
from mvc.integrations.git.reading import Blob, GitRepository
from mvc.integrations.git.results import HookEntry
from mvc.porcelain.status import status


def hints(git: GitRepository, blobs: Sequence[Blob], open_workspace: Open) -> Iterator[HookEntry]:
    """What is to know of these files, as they lie in the working tree."""
    homes: dict[Path, list[Path]] = {}
    for blob in blobs:
        file = git.top / blob.path
        root = mvc_root(file.parent)
        found = checkpoint_with(file) if root is not None and file.is_file() else None
        if root is not None and found is not None and found.path not in homes.setdefault(root, []):
            homes[root].append(found.path)
    for root, paths in homes.items():
        workspace = open_workspace(root)
        named = {str(path) for path in paths}
        for entry in status(workspace, paths).entries:
            if entry.path not in named:
                continue  # it lies in a directory that is a checkpoint
            name = os.path.relpath(entry.path, git.top)
            if entry.state in ("missing", "differs"):
                force = " --force" if entry.state == "differs" else ""
                hint = f"bring it back with: mvc checkout {shlex.quote(name)}{force}"
                yield HookEntry(name, None, entry.commit, "hint", entry.reason, hint)
            elif entry.state == "blocked":
                yield HookEntry(name, None, entry.commit, "hint", entry.reason)
            elif entry.state == "committed" and entry.commit is not None:
                behind = workspace.look_up(partial(_behind, commit=entry.commit))
                if behind is not None:
                    reason, tip = behind
                    hint = f"bring the tip here with: mvc checkout {tip} -o {shlex.quote(name)} --force"
                    yield HookEntry(name, None, entry.commit, "hint", reason, hint)


def _behind(reader: Reader, commit: str) -> tuple[str, str] | None:
    """How far a commit is behind its lineage's tip, in words, and the tip's name; None for a tip."""
    for place in PlacementRow.find(reader, commit=commit):
        name = LineageRow.find(reader, id=place.lineage)[0].name
        [[last]] = PlacementRow.pick(reader, "position", lineage=place.lineage, ordered_by=("-position",), most=1)
        if place.position < last:
            return f"is {name}@{place.position}, {last - place.position} behind the tip {name}@{last}", f"{name}@{last}"
    return None
