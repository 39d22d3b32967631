"""What git ignores beside a pointer: exactly that file, whatever its name is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvc.porcelain.pointing import ignore_line, with_line


@pytest.mark.parametrize(
    "name",
    ["a.pt", "#a.pt", "!a.pt", "a*b?[c].pt", "a\\b.pt", "a b.pt ", "ü\u202e.pt", "-a.pt", "tab\t.pt", "\\", "[a-z]  "],
)
def test_git_ignores_exactly_that_file(name: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env={**os.environ, "HOME": str(tmp_path)})
    (tmp_path / ".gitignore").write_bytes(with_line(b"", ignore_line(tmp_path / name)))
    others = ["aXbYc.pt", "a.pt.mvc", f"{name}.mvc", f"x{name}", f"sub/{name}", "q"]
    asked = "\0".join([name, *others])
    command = ["git", "-C", str(tmp_path), "check-ignore", "-z", "--stdin"]
    done = subprocess.run(command, input=asked.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [name]


def test_git_ignores_exactly_those_of_many_odd_names(tmp_path: Path, git: Callable[..., str]) -> None:
    """Names of characters that mean something to git, each alone in the .gitignore of a directory of its own."""
    rng = np.random.default_rng(0)
    letters = np.array([*"ab", *"*?[]!#\\ \t-^{}~$'\"`.:,", "ü", "\u202e", "\x7f", "\udcff"])
    names = {"".join(rng.choice(letters, rng.integers(1, 7))) for _ in range(400)} - {".", ".."}
    git("init", "-q", cwd=tmp_path)
    wanted, asked = [], []
    for number, name in enumerate(sorted(names)):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / ".gitignore").write_bytes(with_line(b"", ignore_line(directory / name)))
        wanted.append(f"{number}/{name}")
        near = {f"{name}.mvc", f"x{name}", f"{name}x", f"sub/{name}", name.strip(), name[:-1], name.replace("\\", "")}
        asked += [f"{number}/{other}" for other in [name, *sorted(near - {name, "", ".", ".."})]]
    text = "\0".join(asked).encode("utf-8", "surrogateescape")
    command = ["git", "-C", str(tmp_path), "check-ignore", "-z", "--stdin", "--no-index"]
    done = subprocess.run(command, input=text, capture_output=True, check=True)
    assert done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1] == wanted


@pytest.mark.parametrize("before", [b"", b"*.log", b"*.log\n", b"# x\r\n*.log\r\n", b"\xff\xfe\n\n/a.pt.mvc\n"])
def test_what_git_ignored_before_stays(before: bytes) -> None:
    once = with_line(before, b"/a.pt")
    assert once.startswith(before) and once.endswith(b"/a.pt\n")
    assert once.count(b"\n/a.pt\n") + once.startswith(b"/a.pt\n") == 1
    assert with_line(once, b"/a.pt") == once
    assert with_line(b"/a.pt\r\n", b"/a.pt") == b"/a.pt\r\n"
