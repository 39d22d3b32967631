"""Runs `mvc` in a process of its own, as a user's shell does, or within this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Invoke = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mvc(tmp_path: Path) -> Run:
    """``mvc(*args, cwd=..., env=...)``: a finished process with text output, away from this user's settings."""

    def run(*args: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "MVC_")) and k != "NO_COLOR"}
        return subprocess.run(
            [sys.executable, "-m", "mvc.cli.main", *args],
            cwd=cwd or tmp_path,
            env={**clean, "HOME": str(home), "MVC_AUTHOR": "A Tester <t@example.org>", **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def invoke(capfd: pytest.CaptureFixture[str]) -> Invoke:
    """``invoke(*args)``: exit code, stdout and stderr of a run in this process."""

    def call(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main.run(list(args))
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call
