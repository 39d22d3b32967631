"""Who commits. Owns the order in which environment and git's settings are asked, for whoever was not told."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mvc.formats.git_settings import parse_settings

#: seconds that git has for an answer
_PATIENCE = 5.0


def author(directory: Path) -> str:
    """Who commits in a directory, as ``Name <email>``: MVC_AUTHOR, git's variables, git's settings, else user@host."""
    told = os.environ.get
    if told("MVC_AUTHOR"):
        return told("MVC_AUTHOR", "")
    settings: dict[str, str] = {}
    for path in _git_settings(directory.absolute()):
        with contextlib.suppress(OSError, ValueError):
            settings.update(parse_settings(path.read_text("utf-8", "replace")))
    name = told("GIT_AUTHOR_NAME") or settings.get("author.name") or settings.get("user.name", "")
    email = told("GIT_AUTHOR_EMAIL") or settings.get("author.email") or settings.get("user.email") or told("EMAIL", "")
    if any(key.startswith(("include.", "includeif.")) for key in settings) and (asked := _git_itself(directory)):
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


def _git_itself(directory: Path) -> str:
    """What git says, which knows its includes; "" where it does not know, or is not there."""
    command = ["git", "var", "GIT_AUTHOR_IDENT"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=True
        )
        return done.stdout.decode("utf-8", "replace").rsplit(" ", 2)[0].strip()
    return ""
