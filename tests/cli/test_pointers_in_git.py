"""Pointers as a user meets them: real git carries the text, mvc the weights."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_git_carries_the_pointer_and_mvc_the_weights(tmp_path: Path, mvc: Run, git: Callable[..., str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    git("init", "-q", cwd=work)
    contents = []
    assert mvc("init", cwd=work).returncode == 0
    for epoch in range(2):
        save_file({"w": np.full((8, 8), float(epoch), np.float32)}, work / "model.safetensors")
        contents.append((work / "model.safetensors").read_bytes())
        done = mvc("commit", "--pointer", "model.safetensors", "-m", f"epoch {epoch}", cwd=work)
        assert done.returncode == 0 and "1 pointer" in done.stdout, done.stderr
        git("add", "-A", cwd=work)
        git("commit", "-qm", f"epoch {epoch}", cwd=work)
    assert git("ls-files", cwd=work).split() == [".gitignore", "model.safetensors.mvc"]

    git("checkout", "-q", "HEAD~1", cwd=work)
    refused = mvc("checkout", "model.safetensors.mvc", cwd=work)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert mvc("checkout", "model.safetensors.mvc", "--force", cwd=work).returncode == 0
    assert (work / "model.safetensors").read_bytes() == contents[0]
    assert git("status", "--short", cwd=work) == ""

    clone = tmp_path / "clone"
    git("clone", "-q", str(work), str(clone), cwd=tmp_path)
    assert mvc("checkout", "model.safetensors.mvc", cwd=clone).returncode == 2  # no repository of mvc's
    mvc("init", cwd=clone)
    for command in ("checkout", "show", "check", "diff HEAD", "blame", "identify"):
        done = mvc(*command.split(), "model.safetensors.mvc", "--json", cwd=clone)
        error = json.loads(done.stderr.splitlines()[-1])
        assert done.returncode == 2, command
        assert error["code"] == ("no-commits" if "HEAD" in command else "unknown-commit"), command
    assert json.loads(mvc("status", "--json", cwd=clone).stdout)["entries"][0]["state"] == "blocked"
    shutil.rmtree(clone / ".mvc")
    shutil.copytree(work / ".mvc", clone / ".mvc")
    assert mvc("status", cwd=clone).stdout.startswith("Pointers whose files are not here (1)")
    value = json.loads(mvc("-C", str(clone), "checkout", "model.safetensors.mvc", "--json").stdout)
    assert value["paths"] == [str(clone / "model.safetensors")]
    assert (clone / "model.safetensors").read_bytes() == contents[0]


def test_weights_that_git_tracks_are_named(tmp_path: Path, mvc: Run, git: Callable[..., str]) -> None:
    work = tmp_path / "work"
    (work / "runs").mkdir(parents=True)
    git("init", "-q", cwd=work)
    mvc("init", cwd=work)
    for name, value in {"my model.safetensors": 0.0, "other.safetensors": 1.0}.items():
        save_file({"w": np.full((8, 8), value, np.float32)}, work / "runs" / name)
    git("add", "runs/my model.safetensors", cwd=work)
    done = mvc("commit", "--pointer", "my model.safetensors", "other.safetensors", cwd=work / "runs")
    assert done.returncode == 0
    assert "git rm -r --cached -- 'my model.safetensors'" in done.stderr and "other" not in done.stderr
    git("rm", "-q", "-r", "--cached", "--", "my model.safetensors", cwd=work / "runs")
    again = mvc("commit", "--pointer", "my model.safetensors", cwd=work / "runs")
    assert "git rm" not in again.stderr
    assert git("status", "--short", "-uall", cwd=work).split("\n")[:-1] == [
        "?? runs/.gitignore",
        '?? "runs/my model.safetensors.mvc"',
        "?? runs/other.safetensors.mvc",
    ]


def test_status_tells_a_script_whether_all_is_committed(tmp_path: Path, mvc: Run) -> None:
    path, pointer = tmp_path / "model.safetensors", tmp_path / "model.safetensors.mvc"
    save_file({"w": np.ones((8, 8), np.float32)}, path)
    mvc("init")

    def codes(*paths: Path) -> tuple[int, int]:
        plain = [str(path) for path in paths]
        return mvc("status", *plain).returncode, mvc("status", "--exit-code", "--json", *plain).returncode

    assert codes() == (0, 1)
    mvc("commit", "--pointer", "model.safetensors")
    assert codes() == (0, 0)
    path.unlink()
    assert codes(pointer) == (0, 0), "nothing is lost: mvc has it"
    save_file({"w": np.zeros((8, 8), np.float32)}, path)
    assert codes(pointer) == (0, 1)
    pointer.write_text("anything")
    assert codes(pointer) == (0, 1)
