"""Real git repositories with `mvc` on PATH, away from this user's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integrations.gitplace import Place


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    program = programs / "mvc"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mvc.cli.main "$@"\n')
    program.chmod(0o755)
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ann\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n"
        '[protocol "file"]\n\tallow = always\n'
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "MVC_"))}
    path = f"{programs}{os.pathsep}{clean['PATH']}"
    package = str(Path(__file__).parents[2])
    return {
        **clean,
        "HOME": str(home),
        "PATH": path,
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
        "PYTHONPATH": package,
    }


@pytest.fixture
def place(tmp_path: Path, env: dict[str, str]) -> Callable[..., Place]:
    """``place("name", *options)``: a new git repository; with "--bare" a server's."""

    def make(name: str, *options: str) -> Place:
        subprocess.run(["git", "init", "-q", *options, str(tmp_path / name)], env=env, check=True)
        return Place(tmp_path / name, env)

    return make


@pytest.fixture
def work(place: Callable[..., Place]) -> Place:
    """A git repository with a server, an mvc repository and mvc's hooks."""
    server = place("server.git", "--bare")
    made = place("work")
    made.git("remote", "add", "origin", str(server.root))
    made.mvc("init")
    made.mvc("git", "install")
    return made


@pytest.fixture
def server(work: Place) -> Place:
    return Place(work.root.parent / "server.git", work.env)
