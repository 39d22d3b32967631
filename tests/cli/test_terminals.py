"""What only a terminal shows: completion in real shells, the pager, colours."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("terminals")
    save_file({"w": np.arange(64, dtype=np.float32).reshape(8, 8)}, str(root / "zero.safetensors"))
    for args in (["init"], ["commit", ".", "--run", "night-run"], ["tag", "first-light", "HEAD"]):
        subprocess.run([sys.executable, "-m", "mvc.cli.main", *args], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """With `mvc` on PATH, and nothing of this user's."""
    program = tmp_path / "bin" / "mvc"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mvc.cli.main "$@"\n')
    program.chmod(0o755)
    keep = {"HOME": str(tmp_path), "TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2])}
    return {**keep, "PATH": f"{program.parent}:{os.environ['PATH']}"}


def typed(command: Sequence[str], keys: Sequence[str], until: str, cwd: Path, env: dict[str, str]) -> str:
    """What a terminal shows of a program that is typed to, till the pattern ``until`` is seen."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as run:
        os.close(theirs)
        seen, last = b"", time.monotonic() + 60
        for key in keys:
            os.write(ours, key.encode())
        while time.monotonic() < last and not re.search(until, seen.decode("utf-8", "replace")):
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    seen += os.read(ours, 1 << 16)
                except OSError:
                    break  # the program has ended
        run.kill()
    os.close(ours)
    return seen.decode("utf-8", "replace")


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


def test_tab_completes_in_bash(repo: Path, env: dict[str, str]) -> None:
    keys = ['eval "$(mvc completion bash)"\n', "mvc show fir\t", "--json \x01echo 'got:' \n"]
    shown = typed(["bash", "--norc", "--noprofile", "-i"], keys, r"got: mvc show .*--json", repo, env)
    assert "got: mvc show first-light --json" in shown.replace("\r", "")


CASES = [
    ("mvc show ", "HEAD", "first-light", "night-run"),
    ("mvc lineage rename n", "night-run"),
    ("mvc check --against n", "night-run"),
    ("mvc tag -d ", "first-light"),
    ("mvc diff HEAD f", "first-light"),
    ("mvc explain MVC00", "MVC001", "MVC009"),
    ("mvc explain not-f", "not-finite"),
    ("mvc help rev", "revisions"),
    ("mvc com", "commit", "completion"),
]


def test_bash_is_told_names(repo: Path, env: dict[str, str]) -> None:
    lines = ['eval "$(mvc completion bash)" 2>/dev/null']
    for line, *_ in CASES:
        words = " ".join(f"'{word}'" for word in line.split(" "))
        count = len(line.split(" ")) - 1
        lines.append(f"COMP_WORDS=({words}) COMP_CWORD={count} COMPREPLY=()")
        lines.append("_mvc_completion mvc 2>/dev/null; echo ${COMPREPLY[@]}")
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=repo, env=env, capture_output=True, text=True, check=True
    )
    for (line, *expected), told in zip(CASES, done.stdout.splitlines(), strict=True):
        assert set(expected) <= set(told.split()), line


@needs("fish")
@pytest.mark.parametrize(("line", "expected"), [(line, expected) for line, *expected in CASES[:4]])
def test_fish_is_told_names(line: str, expected: list[str], repo: Path, env: dict[str, str]) -> None:
    script = f'mvc completion fish | source; complete -C "{line}"'
    done = subprocess.run(["fish", "-c", script], cwd=repo, env=env, capture_output=True, text=True, check=True)
    assert set(expected) <= {row.split("\t")[0] for row in done.stdout.splitlines()}


@needs("fish")
def test_fish_is_told_files(repo: Path, env: dict[str, str]) -> None:
    script = 'mvc completion fish | source; complete -C "mvc commit z"; complete -C "mvc blame z"'
    done = subprocess.run(["fish", "-c", script], cwd=repo, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zero.safetensors"] * 2


@needs("zsh")
def test_tab_completes_in_zsh(repo: Path, env: dict[str, str]) -> None:
    keys = [
        'autoload -U compinit; compinit -u; eval "$(mvc completion zsh)"\n',
        "mvc show fir\t",
        "--json \x01echo 'got:' \n",
    ]
    shown = typed(["zsh", "-f", "-i"], keys, r"got: mvc show .*--json\s*\r?\n", repo, env)
    assert "got: mvc show first-light --json" in shown.replace("\r", "")


def test_a_terminal_gets_colours_and_the_pager(repo: Path, env: dict[str, str], tmp_path: Path) -> None:
    pager = tmp_path / "bin" / "paging"
    pager.write_text("#!/bin/sh\nsed 's/^/paged: /'\n")
    pager.chmod(0o755)
    shown = typed(["mvc", "log"], [], "zero", repo, {**env, "MVC_PAGER": "paging"})
    assert "paged: \x1b[" in shown and "night-run" in shown
    assert "paged" not in typed(["mvc", "--no-pager", "log"], [], "zero", repo, {**env, "MVC_PAGER": "paging"})


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(setting: dict[str, str], repo: Path, env: dict[str, str]) -> None:
    shown = typed(["mvc", "--no-pager", "log"], [], "zero", repo, {**env, **setting})
    assert "night-run" in shown and "\x1b[" not in shown
    assert "\x1b[" not in typed(["mvc", "--no-color", "--no-pager", "log"], [], "zero", repo, env)


def test_findings_are_broken_at_the_width_of_a_terminal_only(repo: Path, env: dict[str, str]) -> None:
    broken = np.full((8, 8), np.nan, np.float32)
    save_file({f"a.rather.long.name.of.a.tensor.in.layer.{i}": broken for i in range(2)}, str(repo / "bad.safetensors"))
    command = ["mvc", "check", "./bad.safetensors"]
    shown = typed(command, [], "checkpoint checked", repo, {**env, "NO_COLOR": "1", "COLUMNS": "70"})
    assert "MVC001" in shown and max(map(len, shown.splitlines())) <= 70
    piped = subprocess.run(command, cwd=repo, env=env, capture_output=True, text=True, check=False).stdout
    assert len(re.findall(r"MVC001 .*layer\.\d: .*", piped)) == 2
