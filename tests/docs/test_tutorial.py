"""The tutorial runs as it stands, in a real shell's stead, and every command is documented."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mvc.cli.table import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


def console_commands(page: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    commands = console_commands(DOCS / "tutorial.md")
    assert len(commands) > 15
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "mvc"
        done = subprocess.run(
            [sys.executable, "-m", "mvc.cli.main", *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip() or arguments[0] in ("zoo",), line


def test_the_tutorial_knows_most_commands() -> None:
    text = (DOCS / "tutorial.md").read_text("utf-8")
    missing = {name for name in COMMANDS if f"mvc {name}" not in text}
    assert missing <= {"completion"}, missing
