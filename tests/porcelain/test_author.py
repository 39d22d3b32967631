"""Who commits, where nobody said so: as git has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import mvc
from mvc.porcelain.author import author


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without settings, and an environment without any of git's."""
    for name in [key for key in os.environ if key.startswith("GIT_") or key in ("EMAIL", "MVC_AUTHOR")]:
        monkeypatch.delenv(name)
    place = tmp_path / "home"
    place.mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return place


def test_what_is_said_of_it_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "@" in author(home)
    (home / ".gitconfig").write_text('[core]\n\tname = no\n[user]\n\tname = "Ada L"\n\temail = ada@example.org\n')
    assert author(home) == "Ada L <ada@example.org>"
    with (home / ".gitconfig").open("a") as file:
        file.write("[author]\n\tname = Countess\n")
    assert author(home) == "Countess <ada@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "G")
    assert author(home) == "G <ada@example.org>"
    monkeypatch.setenv("MVC_AUTHOR", "M <m@example.org>")
    assert author(home) == "M <m@example.org>"


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_the_settings_of_a_repository_hold_in_all_its_working_trees(home: Path) -> None:
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    one, two = home / "one", home / "two"
    subprocess.run([*git, "init", "-q", str(one)], check=True)
    subprocess.run([*git, "-C", str(one), "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "-C", str(one), "worktree", "add", "-q", str(two)], check=True, capture_output=True)
    subprocess.run(["git", "-C", str(one), "config", "user.email", "here@example.org"], check=True)
    (two / "sub").mkdir()
    assert author(one) == author(two / "sub") == "here <here@example.org>"


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_settings_that_are_included_for_some_places(home: Path) -> None:
    (home / "work" / "repo").mkdir(parents=True)
    (home / "job").write_text("[user]\n\tname = At Work\n\temail = w@example.org\n")
    own = '[user]\n\tname = Own\n\temail = o@example.org\n[includeIf "gitdir:~/work/"]\n\tpath = ~/job\n'
    (home / ".gitconfig").write_text(own)
    subprocess.run(["git", "init", "-q", str(home / "work" / "repo")], check=True)
    assert author(home / "work" / "repo") == "At Work <w@example.org>"
    assert author(home) == "Own <o@example.org>"


def test_a_script_commits_as_the_command_line_does(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    repo = mvc.Repository.init(home / "repo")
    save_file({"w": np.ones((4, 4), np.float32)}, home / "repo" / "a.safetensors")
    (row,) = repo.commit(home / "repo" / "a.safetensors").commits
    assert repo.show(row.id).facts["author"] == "Ada <ada@example.org>"
