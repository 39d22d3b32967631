"""Real git repositories with `mvc` on PATH, away from this user's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Place:
    """A directory in which git and mvc run."""

    root: Path
    env: dict[str, str]

    def run(self, *command: str, ok: bool = True, stdin: str = "", **env: str) -> Done:
        done = subprocess.run(
            command, cwd=self.root, env={**self.env, **env}, input=stdin, capture_output=True, text=True, timeout=600
        )
        assert not ok or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr and "a defect of mvc" not in done.stderr, done.stderr
        return done

    def git(self, *arguments: str, ok: bool = True, **env: str) -> Done:
        return self.run("git", *arguments, ok=ok, **env)

    def mvc(self, *arguments: str, ok: bool = True, stdin: str = "") -> Done:
        return self.run("mvc", *arguments, ok=ok, stdin=stdin)

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").stdout.strip()

    def weights(self, name: str, step: int = 0, **others: np.ndarray) -> Path:
        """A checkpoint ``step`` steps from the first one of a run."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        value = rng.normal(size=(16, 16))
        for _ in range(step):
            value = value + 0.05 * rng.normal(size=value.shape)
        save_file({"w": value.astype(np.float32), **others}, str(path))
        return path

    def script(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path


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
