"""The composite action: its structure, and its shell steps run with bash as a runner runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
INPUT = re.compile(r"\$\{\{ *inputs\.([\w-]+) *\}\}")
HOSTILE = [
    '"; touch owned; "',
    "$(touch owned)",
    "`touch owned`",
    "' || touch owned '",
    "a\n::error::b",
    "--help",
    "-o",
]


def expressions() -> str:
    """Everything outside of scripts and descriptions."""
    return json.dumps([{key: value for key, value in step.items() if key != "run"} for step in STEPS])


def test_it_has_the_shape_of_a_composite_action() -> None:
    assert set(ACTION) == {"name", "description", "branding", "inputs", "outputs", "runs"}
    assert ACTION["runs"]["using"] == "composite"
    for name, declared in ACTION["inputs"].items():
        assert set(declared) == {"description", "default"} and isinstance(declared["default"], str), name
    for step in STEPS:
        assert set(step) <= {"name", "id", "if", "uses", "with", "shell", "run", "env", "working-directory"}
        assert ("uses" in step) != ("run" in step)
        assert step.get("shell") == ("bash" if "run" in step else None)
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@v\d+", step["uses"]), "pinned by major version"


def test_every_name_is_declared_and_used() -> None:
    used = set(re.findall(r"inputs\.([\w-]+)", expressions()))
    assert used == set(ACTION["inputs"])
    ids = {step["id"] for step in STEPS if "id" in step}
    outputs = json.dumps(ACTION["outputs"]) + expressions()
    assert set(re.findall(r"steps\.([\w-]+)\.outputs", outputs)) == ids
    check = next(step for step in STEPS if step.get("id") == "check")
    for name in re.findall(r"steps\.check\.outputs\.([\w-]+)", outputs):
        assert f'"{name}=$' in check["run"]


def test_inputs_reach_the_shell_through_the_environment_alone() -> None:
    for step in STEPS:
        assert "${{" not in step.get("run", "")
        for name, value in step.get("env", {}).items():
            assert value == f"${{{{ inputs.{name.removeprefix('INPUT_').lower()} }}}}"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    summary: str
    outputs: dict[str, str]
    report: Path


def commands(done: Ran) -> list[str]:
    """What the runner takes for commands in the log: lines that begin with ``::``, unless commands are stopped."""
    found, token = [], ""
    for line in map(str.lstrip, done.out.splitlines()):
        if token:
            token = "" if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    # what goes to stderr comes anywhere between
    return found + [line for line in map(str.lstrip, done.err.splitlines()) if line.startswith("::")]


@pytest.fixture
def runner(tmp_path: Path) -> Callable[..., Ran]:
    """Runs a shell step with these inputs, in ``work``; `mvc` is this one, and pip only says what it was asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "mvc": f'exec "{sys.executable}" -m mvc.cli.main "$@"',
        "python": f'[ "$1" = -m ] && {{ shift; echo "$@"; exit; }}; exec "{sys.executable}" "$@"',
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "work").mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("GIT", "MVC_", "INPUT_"))}

    def run(name: str, **inputs: str) -> Ran:
        step = next(step for step in STEPS if step["name"] == name)
        values = {key: declared["default"] for key, declared in ACTION["inputs"].items()} | inputs
        env = {key: INPUT.sub(lambda match: values[match[1]], text) for key, text in step.get("env", {}).items()}
        files = {variable: tmp_path / variable for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        for path in files.values():
            path.write_text("")
        own = {"RUNNER_TEMP": str(tmp_path / "temp"), "GITHUB_ACTION_PATH": str(ROOT), "HOME": str(tmp_path)}
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        # the command line that a runner starts for `shell: bash`
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=tmp_path / "work",
            env={**clean, **env, **own, **{key: str(value) for key, value in files.items()}, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        outputs = dict(line.split("=", 1) for line in lines)
        summary = files["GITHUB_STEP_SUMMARY"].read_text()
        return Ran(done.returncode, done.stdout, done.stderr, summary, outputs, tmp_path / "temp" / "mvc-check")

    return run


@pytest.fixture
def work(tmp_path: Path, runner: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one healthy checkpoint, and files of which one is broken."""
    work = tmp_path / "work"
    arrays = {"w": np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)}
    save_file(arrays, work / "good.safetensors")
    save_file({"w": arrays["w"] * np.float32(1.01)}, work / "other one.safetensors")
    save_file({"w": arrays["w"] * np.nan}, work / "bad.safetensors")
    for args in (["init"], ["commit", "--pointer", "good.safetensors"]):
        subprocess.run([sys.executable, "-m", "mvc.cli.main", *args], cwd=work, check=True, capture_output=True)
    return work


def test_installing_takes_the_action_itself(runner: Callable[..., Ran]) -> None:
    done = runner("Install mvc")
    assert done.code == 0
    assert done.out.split() == [
        *("pip", "install", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(ROOT))
    ]


def test_what_cannot_be_judged_passes_as_skipped(work: Path, runner: Callable[..., Ran]) -> None:
    done = runner("Check", revision="HEAD", paths="good.safetensors.mvc\r\n\nother one.safetensors\n")
    assert done.code == 0, done.err
    assert done.outputs == {"verdict": "skip", "report": str(done.report)}
    assert done.summary.startswith("### mvc check: skip\n\n    ") and "other one.safetensors" in done.summary
    assert {path.name for path in done.report.iterdir()} == {"check.json", "check.sarif", "check.xml", "check.txt"}
    value = json.loads((done.report / "check.json").read_text())
    assert (value["schema"], value["verdict"], value["checked"]) == ("mvc.check/v1", "skip", 2)
    assert json.loads((done.report / "check.sarif").read_text())["version"] == "2.1.0"
    assert (done.report / "check.xml").read_text().startswith("<?xml")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["github", "text"])
def test_what_fails_fails_the_job_and_is_reported(form: str, work: Path, runner: Callable[..., Ran]) -> None:
    done = runner("Check", paths="bad.safetensors", format=form)
    assert done.code == 1, done.err
    assert done.outputs["verdict"] == "fail"
    assert "MVC001" in done.out
    assert [line.startswith("::error ") for line in commands(done)] == ([True] if form == "github" else [])
    assert "MVC001" in done.summary
    assert all(line.startswith("    ") for line in done.summary.splitlines()[2:])
    assert json.loads((done.report / "check.sarif").read_text())["runs"][0]["results"]


@pytest.mark.slow
def test_a_policy_is_passed_on(work: Path, runner: Callable[..., Ran]) -> None:
    (work / "my policy.toml").write_text('[rules]\nMVC001 = "warn"\n')
    done = runner("Check", paths="bad.safetensors", policy="my policy.toml")
    assert (done.code, done.outputs["verdict"]) == (0, "warn"), done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["revision", "paths", "policy", "format"])
def test_hostile_inputs_are_only_words(name: str, work: Path, runner: Callable[..., Ran]) -> None:
    before = {path.name for path in work.iterdir()}
    for text in (" ".join(HOSTILE), *HOSTILE[-3:]):
        done = runner("Check", **{name: text})
        assert done.code == 2, f"{text}\n{done.out}{done.err}"
        assert done.outputs == {} and commands(done) == []
    assert {path.name for path in work.iterdir()} == before
