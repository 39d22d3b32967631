"""When a checkpoint that somebody else writes is complete and at rest. Owns that judgement; commits nothing.

Saving takes seconds to minutes and looks like this from outside: a file that grows, or has its full size and holes; a
torch archive without its end; shards whose index comes last; a directory into which a trainer writes weights first,
then the optimizer, and ``trainer_state.json`` last; a directory ``tmp-checkpoint-…`` that is renamed in the end; an old
checkpoint that disappears file by file (``save_total_limit``). So a checkpoint counts only if nothing about the files
that belong together has changed for a while, by this process's own clock: file servers have others. They are looked at
by ``stat``, as network file systems tell nobody of changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mvc.formats import Found, find_checkpoints
from mvc.porcelain.stamps import Stamp, stamp_of, tree_stamp

#: directories of trainers; without the file that is written last they are waited for longer
_TRAINER, _LAST = re.compile(r"checkpoint-\d+"), "trainer_state.json"
_LONGER = 10
#: a shard on its own: its index is still to come
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.\w+$")
#: names that stand for something that will be renamed
_TEMPORARY = re.compile(r"^(tmp-|tmp_|temp-)|\.(tmp|part|partial|temp)$|\.tmp[-_.]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checkpoint that was looked at. ``reason`` says why it has to wait, '' where it need not."""

    path: Path
    stamp: Stamp
    reason: str


@dataclass(slots=True)
class _Seen:
    stamp: Stamp
    since: float


class Settling:
    """What lies below ``root``, look by look. ``settle`` is in seconds; with ``writing`` somebody may still be at work
    on it, for whom half-written directories of trainers are given longer. Remembers nothing of what is gone."""

    def __init__(self, root: Path, settle: float, *, writing: bool = True) -> None:
        self._root, self._settle, self._writing = root, settle, writing
        self._seen: dict[Path, _Seen] = {}
        self._done: dict[Path, Stamp] = {}
        self._tree: Stamp | None = None

    def done(self, candidate: Candidate) -> None:
        """Says nothing of it any more until its files change."""
        self._done[candidate.path] = candidate.stamp

    def is_done(self, candidate: Candidate) -> bool:
        return self._done.get(candidate.path) == candidate.stamp

    def look(self, now: float) -> list[Candidate]:
        """Checkpoints that are not done, by path; ``now`` in seconds of a clock that never goes back.

        Raises OSError where there is no directory any more.
        """
        tree = tree_stamp(self._root)
        if tree == self._tree and not self._seen:
            return []  # finding opens every file; nothing happened since all was done
        self._tree = tree
        found = [self._judge(item, now) for item in find_checkpoints(self._root) if not self._is_temporary(item.path)]
        looked = [item for item in found if item is not None]
        here = {item.path for item in looked}
        self._done = {path: stamp for path, stamp in self._done.items() if path in here}
        open_ones = [item for item in looked if not self.is_done(item)]
        waiting = {item.path for item in open_ones}
        self._seen = {path: seen for path, seen in self._seen.items() if path in waiting}
        return open_ones

    def _judge(self, found: Found, now: float) -> Candidate | None:
        """None for what is no checkpoint to commit, or gone."""
        if found.state in ("pointer", "blocked"):
            return None
        around = (at for at in (found.path, *found.path.parents) if _TRAINER.fullmatch(at.name) and at.is_dir())
        home = next((at for at in around if at != self._root and at.is_relative_to(self._root)), None)
        try:
            stamp = stamp_of(found.path) if home is None else tree_stamp(home)
        except OSError:
            return None
        seen = self._seen.get(found.path)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[found.path] = _Seen(stamp, now)
        needed, reason = self._settle, found.reason if found.state != "complete" else ""
        if home is not None and self._writing and _LAST not in stamp:
            needed *= _LONGER
        if not reason and _SHARD.search(found.path.name):
            reason = "a shard whose index is not here"
        elif not reason and now - seen.since < needed:
            reason = f"not at rest for {needed:g} s yet"
        return Candidate(found.path, stamp, reason)

    def _is_temporary(self, path: Path) -> bool:
        return any(_TEMPORARY.search(part) for part in path.relative_to(self._root).parts)
