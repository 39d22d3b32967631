"""Who commits. Owns the order in which environment and git's settings are asked, for whoever was not told."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

#: seconds that git has for an answer
_PATIENCE = 5.0
_SECTION = re.compile(r"\[\s*([\w.-]+)")


def author(directory: Path) -> str:
    """Who commits in a directory, as ``Name <email>``: MVC_AUTHOR, git's variables, git's settings, else user@host."""
    told = os.environ.get
    if told("MVC_AUTHOR"):
        return told("MVC_AUTHOR", "")
    settings: dict[str, str] = {}
    for path in _git_settings(directory.absolute()):
        settings.update(_named_in(path))
    name = told("GIT_AUTHOR_NAME") or settings.get("author.name") or settings.get("user.name", "")
    email = told("GIT_AUTHOR_EMAIL") or settings.get("author.email") or settings.get("user.email") or told("EMAIL", "")
    if "include" in settings and (asked := _git_itself(directory)):
        return asked
    if name or email:
        return f"{name or email.partition('@')[0]} <{email}>" if email else name
    return f"{_user()}@{socket.gethostname() or 'localhost'}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _git_settings(directory: Path) -> Iterator[Path]:
    """git's configuration files, the strongest last."""
    home = Path(os.environ.get("HOME") or "/nonexistent")
    yield Path("/etc/gitconfig")
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "git" / "config"
    yield home / ".gitconfig"
    for parent in (directory, *directory.parents):
        if (parent / ".git").exists():
            yield _common(parent / ".git") / "config"
            return


def _common(git: Path) -> Path:
    """The git directory that all working trees share, of the ``.git`` in one of them."""
    with contextlib.suppress(OSError):
        if git.is_file():
            git = git.parent / git.read_text("utf-8", "replace").removeprefix("gitdir:").strip()
        return git / (git / "commondir").read_text("utf-8", "replace").strip()
    return git


def _named_in(path: Path) -> Mapping[str, str]:
    """``user.name``, ``author.email`` and the like of a configuration file, "include" if others are part of it; {}
    where it cannot be read."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except (OSError, ValueError):
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in map(str.strip, lines):
        if head := _SECTION.match(line):
            section = head[1].lower()
            if section in ("include", "includeif"):
                found["include"] = section
        elif section in ("user", "author") and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            if key.strip().lower() in ("name", "email"):
                found[f"{section}.{key.strip().lower()}"] = value.strip().strip('"')
    return found


def _git_itself(directory: Path) -> str:
    """What git says, which knows its includes; "" where it does not know, or is not there."""
    command = ["git", "var", "GIT_AUTHOR_IDENT"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True
        )
        return done.stdout.decode("utf-8", "replace").rsplit(" ", 2)[0].strip()
    return ""
