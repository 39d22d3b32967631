"""What people run all day imports nothing that takes seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.deferred import Deferred

_CODE = """
import sys
from mvc.cli.main import run
code = run(sys.argv[1:])
heavy = sorted(
    {name.split('.')[0] for name in sys.modules}
    & {'torch', 'scipy', 'sklearn', 'alembic', 'rich', 'git', 'sqlalchemy', 'numpy'}
)
print('HEAVY', heavy, code, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("startup")
    for index in range(3):
        save_file({"w": np.full((8, 8), float(index), np.float32)}, str(root / f"{index}.safetensors"))
    for args in (["init"], ["commit", "."]):
        subprocess.run([sys.executable, "-m", "mvc.cli.main", *args], cwd=root, check=True, capture_output=True)
    return root


@pytest.mark.parametrize(
    "args",
    [
        ["log"],
        ["log", "--graph"],
        ["log", "HEAD"],
        ["status"],
        ["--help"],
        ["tag"],
        ["lineage"],
    ],
    ids=" ".join,
)
def test_daily_commands_import_almost_nothing(args: list[str], repo: Path) -> None:
    assert _heavy(args, repo) == "HEAVY [] 0"


@pytest.mark.parametrize(
    "args",
    [
        ["show"],
        ["diff", "HEAD", "HEAD"],
        ["checkout", "HEAD", "-o", "again.safetensors", "--force"],
        ["op", "log"],
        ["blame", "HEAD"],
        ["check", "HEAD"],
        ["identify", "0.safetensors"],
        ["embed", "list"],
        ["fsck"],
        ["zoo", "list"],
        ["du"],
    ],
    ids=" ".join,
)
def test_light_commands_stay_light(args: list[str], repo: Path) -> None:
    assert _heavy(args, repo) in ("HEAVY [] 0", "HEAVY ['numpy'] 0")


def _heavy(args: list[str], repo: Path) -> str:
    done = subprocess.run([sys.executable, "-c", _CODE, *args], cwd=repo, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1]


def test_a_commit_that_is_judged_stays_light(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights, drift = rng.normal(size=(80, 80)), np.zeros((80, 80))
    (tmp_path / "before").mkdir()
    for step in range(9):
        where = tmp_path / "before" / f"{step}.safetensors" if step < 8 else tmp_path / "last.safetensors"
        save_file({"w": weights.astype(np.float32), "b": weights[0].astype(np.float32)}, str(where))
        drift = 0.9 * drift + 0.01 * rng.normal(size=drift.shape)
        weights = weights + drift
    for args in (["init"], ["commit", "before"]):
        subprocess.run([sys.executable, "-m", "mvc.cli.main", *args], cwd=tmp_path, check=True, capture_output=True)
    command = [sys.executable, "-c", _CODE, "commit", "last.safetensors"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "extends" in done.stdout and done.stderr.splitlines()[-1] == "HEAVY ['numpy', 'sqlalchemy'] 0"


def test_what_is_deferred_is_imported_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    deferred = Deferred("colorsys")
    assert "colorsys" not in sys.modules
    assert deferred.rgb_to_yiq(1, 1, 1)[0] == pytest.approx(1)
    assert deferred.rgb_to_yiq is sys.modules["colorsys"].rgb_to_yiq
    with pytest.raises(AttributeError):
        _ = deferred.nothing


def test_nothing_is_paged_or_coloured_into_a_pipe(repo: Path) -> None:
    code = [sys.executable, "-m", "mvc.cli.main", "log", "--graph"]
    done = subprocess.run(code, cwd=repo, capture_output=True, text=True, check=True, env={"PAGER": "false"})
    assert "●" in done.stdout and "\x1b" not in done.stdout


def test_a_terminal_without_unicode_gets_ascii(repo: Path) -> None:
    env = {"PYTHONIOENCODING": "ascii", "HOME": str(repo)}
    code = [sys.executable, "-m", "mvc.cli.main", "log", "--graph"]
    done = subprocess.run(code, cwd=repo, capture_output=True, check=True, env=env)
    assert b"*" in done.stdout and done.stdout.isascii()


def test_the_shell_completes_revisions(repo: Path) -> None:
    env = {"_MVC_COMPLETE": "bash_complete", "COMP_WORDS": "mvc show HE", "COMP_CWORD": "2", "HOME": str(repo)}
    code = [sys.executable, "-m", "mvc.cli.main"]
    done = subprocess.run(code, cwd=repo, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split() == ["plain,HEAD"]
