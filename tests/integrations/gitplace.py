"""A directory in which git and mvc run as a user's shell runs them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
