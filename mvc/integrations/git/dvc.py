"""What DVC keeps for git: files named by their MD5 in a cache, listed in ``*.dvc`` files and ``dvc.lock``.

Owns reading these lists and the cache on this machine; runs no DVC and fetches nothing. A file of the cache is believed
only after its MD5 was seen to be its name. Format: https://dvc.org/doc/user-guide/project-structure
"""

from __future__ import annotations

import configparser
import hashlib
import io
import json
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import fsencode
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from mvc.errors import FormatError, PointerError
from mvc.formats.source import printable
from mvc.integrations.git.reading import Blob, GitRepository

LOCK, PIPELINE, SUFFIX = "dvc.lock", "dvc.yaml", ".dvc"
FETCH = "run: dvc fetch --all-commits"
#: bytes of a list that are read
_LARGEST = 1 << 26
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_PIECE = 1 << 20


def is_list(path: str) -> bool:
    """Whether a file in git may list what DVC keeps."""
    name = path.rpartition("/")[2]
    return name == LOCK or (name.endswith(SUFFIX) and name != SUFFIX)


@dataclass
class DvcFiles:
    """Files that the lists of one git commit stand for, under the paths that they have in a working tree.

    ``lfs`` is git-lfs's store, ``cache`` where DVC keeps contents on this machine. ``own``: what DVC was told not to
    cache (``cache: false``), which is git's to keep, or nobody's.
    """

    lfs: Path
    cache: Path
    _files: dict[str, str] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    def add(self, path: str, content: bytes, commit: str, pipeline: bytes = b"") -> list[Blob]:
        """Takes in what a list says, and gives its files; ``pipeline`` is the dvc.yaml beside a dvc.lock.

        Raises FormatError for a list that is none, PointerError where the list of a directory is not at hand.
        """
        found: dict[str, str] = {}
        uncached = _uncached(path, pipeline)
        for name, digest, cached in _outputs(path, content):
            if not cached or name in uncached:
                self.own.add(name)
            elif digest.endswith(".dir"):
                found |= {f"{name}/{below}": md5 for below, md5 in self._listed(name, digest)}
            else:
                found[name] = digest
        self._files |= found
        return [Blob(commit, name, md5) for name, md5 in found.items()]

    def files_in(self, commit: str, directory: str, *, below: bool = False) -> list[Blob]:
        within = f"{directory}/" if directory else ""
        names = (name for name in self._files if name.startswith(within))
        return [Blob(commit, name, self._files[name]) for name in names if below or "/" not in name[len(within) :]]

    def write_blob(self, blob_id: str, target: BinaryIO) -> None:
        """Raises PointerError where the cache lacks it, FormatError where it is not what its name says."""
        hasher = hashlib.md5(usedforsecurity=False)
        place = self._place(blob_id)
        try:
            with place.open("rb") as source:
                while piece := source.read(_PIECE):
                    hasher.update(piece)
                    target.write(piece)
        except FileNotFoundError:
            raise PointerError("DVC keeps it, and it is not in the cache here", hint=FETCH) from None
        if hasher.hexdigest() != blob_id.removesuffix(".dir"):
            raise FormatError(f"{printable(place)} is not the file that its name says", hint=f"remove it, then {FETCH}")

    def _place(self, digest: str) -> Path:
        """DVC 3 keeps contents below files/md5, earlier ones beside it."""
        name = Path(digest[:2], digest[2:])
        new, old = self.cache / "files" / "md5" / name, self.cache / name
        return old if old.is_file() and not new.is_file() else new

    def _listed(self, name: str, digest: str) -> Iterator[tuple[str, str]]:
        """Path below a directory and MD5 of each of its files."""
        content = io.BytesIO()
        if (place := self._place(digest)).is_file() and place.stat().st_size > _LARGEST:
            raise FormatError(f"DVC's list of {name!r} is too large", hint="import its checkpoints with: mvc commit")
        self.write_blob(digest, content)
        try:
            rows = json.loads(content.getvalue())
            found = [(str(row["relpath"]), str(row["md5"])) for row in rows]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise FormatError(f"DVC's list of {name!r} is malformed", hint=f"remove it, then {FETCH}") from None
        for path, md5 in found:
            if not _MD5.fullmatch(md5) or path != posixpath.normpath(path) or path.startswith(("/", "../")):
                raise FormatError(f"DVC's list of {name!r} names {path[:300]!r}", hint="run: dvc status")
        yield from found


def cache_of(top: Path, directory: str) -> Path:
    """Where DVC keeps contents for the lists in a directory of a working tree: by its settings there, else the user's
    or the machine's, else in ``.dvc/cache``."""
    dvc = next(
        (
            top / parts / SUFFIX
            for parts in (Path(directory), *Path(directory).parents)
            if (top / parts / SUFFIX).is_dir()
        ),
        top / SUFFIX,
    )
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    for place in (dvc / "config.local", dvc / "config", home / "dvc" / "config", Path("/etc/xdg/dvc/config")):
        settings = configparser.RawConfigParser(strict=False, inline_comment_prefixes=("#",))
        try:
            settings.read_string(place.read_text("utf-8", "replace"))
        except (OSError, configparser.Error):
            continue
        if told := settings.get("cache", "dir", fallback="").strip("'\""):
            return place.parent / Path(told).expanduser()
    return dvc / "cache"


def read_list(git: GitRepository, blob: Blob) -> bytes:
    """Content of a list in git. Raises FormatError for one that is too large to be one."""
    if int(git.ask("cat-file", "-s", blob.id)) > _LARGEST:
        raise FormatError(f"{blob.path!r} is too large for a list of DVC's", hint="run: dvc status")
    content = io.BytesIO()
    git.write_blob(blob.id, content)
    return content.getvalue()


def _outputs(path: str, content: bytes) -> Iterator[tuple[str, str, bool]]:
    """Path from the top and MD5 of what a list names, and whether DVC caches it. What other tools than the cache keep
    has no MD5: left out."""
    home, whole = posixpath.dirname(path), _mapping(path, content)
    if path.rpartition("/")[2] == LOCK:
        stages = whole.get("stages") if "schema" in whole else whole
        lists = list(stages.values()) if isinstance(stages, Mapping) else []
    else:
        lists, home = [whole], posixpath.join(home, str(whole.get("wdir") or "."))
    for stage in lists:
        outs = stage.get("outs") if isinstance(stage, Mapping) else None
        for out in outs if isinstance(outs, list) else ():
            if isinstance(out, Mapping) and _MD5.fullmatch(digest := str(out.get("md5"))):
                name = posixpath.normpath(posixpath.join(home, str(out.get("path"))))
                if not name.startswith(("/", "../")) and "\0" not in name and _can_be_a_name(name):
                    yield name, digest, out.get("cache") is not False


def _uncached(path: str, pipeline: bytes) -> set[str]:
    """Paths from the top of what the stages beside a dvc.lock are not to cache, as far as they say so in plain words:
    names that are put together from parameters are not."""
    found: set[str] = set()
    stages = _mapping(posixpath.join(posixpath.dirname(path), PIPELINE), pipeline).get("stages")
    for stage in stages.values() if isinstance(stages, Mapping) else ():
        parts = stage.get("do", stage) if isinstance(stage, Mapping) else {}
        home = posixpath.join(posixpath.dirname(path), str(parts.get("wdir") or "."))
        for kind in ("outs", "metrics", "plots"):
            outs = parts.get(kind)
            for out in outs if isinstance(outs, list) else ():
                for name, told in out.items() if isinstance(out, Mapping) else ():
                    if isinstance(told, Mapping) and told.get("cache") is False:
                        found.add(posixpath.normpath(posixpath.join(home, str(name))))
    return found


def _mapping(path: str, content: bytes) -> Mapping[str, Any]:
    """What a YAML file maps. Raises FormatError for what is no YAML."""
    try:
        # the loader in C, where there is one: a dvc.lock may have thousands of lines
        value: Any = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        raise FormatError(f"{path!r} is no YAML", hint="run: dvc status") from None
    return value if isinstance(value, Mapping) else {}


def _can_be_a_name(name: str) -> bool:
    """Whether this can name a file."""
    try:
        return bool(fsencode(name))
    except UnicodeEncodeError:
        return False
