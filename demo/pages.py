"""Runs what a page of the documentation shows, and brings what it prints up to date.

python -m demo.pages docs/tutorial.md docs/how-to/*.md

A block marked ``console`` holds commands behind ``$ `` and below each one what it prints, stdout and stderr. All blocks
of a page run in one new directory, by bash; lines of a comment ``<!-- before:`` run before them, unseen.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_BEFORE = re.compile(r"<!-- before:\n(.*?)-->", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A command of a page, what the page says it prints, and what it printed now."""

    command: str
    written: str
    printed: str
    code: int


class Bench:
    """A new directory with `mvc` and git set up as for somebody who has just installed both."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "work"
        self.place.mkdir()
        programs = directory / "bin"
        programs.mkdir()
        program = programs / "mvc"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mvc "$@"\n')
        program.chmod(0o755)
        settings = "[user]\n\tname = Ann\n\temail = ann@example.org\n[init]\n\tdefaultBranch = main\n"
        (directory / ".gitconfig").write_text(settings)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "MVC_"))}
        self.env = {
            **clean,
            "HOME": str(directory),
            "PATH": f"{programs}{os.pathsep}{clean['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
        }

    def run(self, command: str) -> tuple[str, int]:
        """What a command prints, and its exit code."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.place, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        return done.stdout.replace(f"{self.place}/", "").replace(str(self.place), "."), done.returncode


def shown_by(page: str) -> Iterator[Shown]:
    """Runs a page, a command at a time. Raises CalledProcessError where what comes before it fails."""
    with tempfile.TemporaryDirectory(prefix="mvc-page-") as name:
        bench = Bench(Path(name).resolve())
        for lines in _BEFORE.findall(page):
            printed, code = bench.run(f"set -e\n{lines}")
            if code:
                raise subprocess.CalledProcessError(code, lines, printed)
        for block in _BLOCK.findall(page):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, written = part.partition("\n")
                yield Shown(command, written, *bench.run(command))


def brought_up_to_date(page: str) -> str:
    """The page with what its commands print now."""
    now = iter(list(shown_by(page)))

    def again(block: re.Match[str]) -> str:
        commands = re.findall(r"^\$ ", block[0], re.MULTILINE)
        return "".join(f"$ {one.command}\n{one.printed}" for one in (next(now) for _ in commands))

    return _BLOCK.sub(again, page)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(brought_up_to_date(Path(name).read_text("utf-8")), "utf-8")
