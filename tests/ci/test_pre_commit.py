"""The hooks for the pre-commit framework, run by the framework itself at a real push."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[2]
HOOKS = ROOT / ".pre-commit-hooks.yaml"
Tool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """Runs a program away from this user's settings, with `mvc` and `pre-commit` on the path."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    for name, module in {"mvc": "mvc.cli.main", "pre-commit": "pre_commit"}.items():
        script = home / "bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        script.chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "MVC_", "PRE_COMMIT"))}
    names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    own = {"HOME": str(home), "PRE_COMMIT_HOME": str(home / "cache"), "GIT_CONFIG_NOSYSTEM": "1", "PATH": path}

    def run(*args: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(args, cwd=cwd, env={**clean, **names, **own}, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{args}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def work(tmp_path: Path, tool: Tool) -> Path:
    """A git repository with a remote, mvc beside it, and both hooks installed for the push."""
    hooks, work, remote = tmp_path / "hooks", tmp_path / "work", tmp_path / "remote.git"
    for directory in (hooks, work):
        directory.mkdir()
        tool("git", "init", "-q", "-b", "main", cwd=directory)
    shutil.copy(HOOKS, hooks)
    tool("git", "add", "-A", cwd=hooks)
    tool("git", "commit", "-qm", "hooks", cwd=hooks)
    rev = tool("git", "rev-parse", "HEAD", cwd=hooks).stdout.strip()
    chosen = [{"id": "mvc-committed"}, {"id": "mvc-check"}]
    config = {"repos": [{"repo": str(hooks), "rev": rev, "hooks": chosen}]}
    (work / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    tool("git", "init", "-q", "--bare", str(remote), cwd=tmp_path)
    tool("git", "remote", "add", "origin", str(remote), cwd=work)
    tool("mvc", "init", cwd=work)
    tool("pre-commit", "install", "--hook-type", "pre-push", cwd=work)
    return work


def save(path: Path, value: float) -> None:
    weights = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    save_file({"w": weights * np.float32(value)}, path)


def push(tool: Tool, work: Path, message: str, code: int = 0) -> str:
    tool("git", "add", "-A", cwd=work)
    tool("git", "commit", "-qm", message, cwd=work)
    done = tool("git", "push", "-q", "origin", "main", cwd=work, code=code)
    return done.stdout + done.stderr


def test_the_manifest_is_what_the_framework_takes(tool: Tool) -> None:
    tool("pre-commit", "validate-manifest", str(HOOKS), cwd=ROOT)
    hooks = yaml.safe_load(HOOKS.read_text("utf-8"))
    assert [hook["id"] for hook in hooks] == ["mvc-committed", "mvc-check"]
    assert all(hook["stages"] == ["pre-push", "manual"] and hook["args"] == ["--"] for hook in hooks)


@pytest.mark.slow
def test_a_push_carries_only_what_mvc_has_and_passes(work: Path, tool: Tool) -> None:
    save(work / "model.safetensors", 1)
    tool("mvc", "commit", "--pointer", "model.safetensors", cwd=work)
    told = push(tool, work, "a model")
    assert told.count("Passed") == 2, told

    save(work / "-odd name.safetensors", 1.01)  # git carries the weights themselves, and mvc does not know them
    told = push(tool, work, "weights", code=1)
    assert "mvc-committed" in told and "Not committed (1)" in told and "-odd name.safetensors" in told
    tool("mvc", "commit", "--", "-odd name.safetensors", cwd=work)
    assert tool("git", "push", "-q", "origin", "main", cwd=work).returncode == 0

    save(work / "model.safetensors", np.nan)
    tool("mvc", "commit", "--pointer", "model.safetensors", cwd=work)
    told = push(tool, work, "a broken model", code=1)
    assert "MVC001" in told and "mvc check" in told and "Failed" in told


@pytest.mark.slow
def test_shards_are_one_checkpoint_and_code_is_none_of_ours(work: Path, tool: Tool) -> None:
    directory = work / "big"
    directory.mkdir()
    shards = {f"w{n}": f"model-{n:05}-of-00002.safetensors" for n in (1, 2)}
    for name, shard in shards.items():
        save_file({name: np.ones((4, 4), np.float32)}, directory / shard)
    index = '{"metadata": {"total_size": 128}, "weight_map": ' + str(shards).replace("'", '"') + "}"
    (directory / "model.safetensors.index.json").write_text(index)
    tool("mvc", "commit", "big", cwd=work)
    assert push(tool, work, "shards").count("Passed") == 2
    told = tool("pre-commit", "run", "--hook-stage", "manual", "--all-files", "--verbose", cwd=work).stdout
    assert "1 checkpoint here, all committed" in told
    assert "1 checkpoint checked" in told
    (work / "code.py").write_text("pass\n")
    assert push(tool, work, "code").count("Skipped") == 2
