"""Who commits. Owns the order in which environment and git's settings are asked."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from mvc.cli import environment


def author(directory: Path) -> str:
    """Who commits, as ``Name <email>``: MVC_AUTHOR, git's variables, git's settings, else user@host."""
    if environment.variable("MVC_AUTHOR"):
        return environment.variable("MVC_AUTHOR")
    settings: dict[str, str] = {}
    for path in _git_settings(directory):
        settings.update(_user_section(path))
    name = environment.variable("GIT_AUTHOR_NAME") or settings.get("name", "")
    email = environment.variable("GIT_AUTHOR_EMAIL") or settings.get("email", "") or environment.variable("EMAIL")
    if name or email:
        return f"{name or email.partition('@')[0]} <{email}>" if email else name
    return f"{_user()}@{socket.gethostname() or 'localhost'}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _git_settings(directory: Path) -> Iterator[Path]:
    """git's configuration files, the strongest last. Their includes are not followed: a name is not worth it."""
    home = Path(environment.variable("HOME") or "/nonexistent")
    yield Path(environment.variable("XDG_CONFIG_HOME") or home / ".config") / "git" / "config"
    yield home / ".gitconfig"
    for parent in (directory, *directory.parents):
        if (parent / ".git").is_dir():
            yield parent / ".git" / "config"
            return


def _user_section(path: Path) -> dict[str, str]:
    """``name`` and ``email`` of a git configuration's [user] section; {} where there is none to be read."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip().lower()
        elif section == "user" and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            if key.strip().lower() in ("name", "email"):
                found[key.strip().lower()] = value.strip().strip('"')
    return found
