"""The scripts of docs/training-loops.md run as they stand, and record what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mvc

PAGE = Path(__file__).parents[2] / "docs" / "training-loops.md"
SCRIPTS = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("package", "name", "steps"),
    [
        pytest.param("mvc.Recorder", "line-1", [20, 40, 60, 80, 100], id="Recorder", marks=pytest.mark.slow),
        pytest.param("transformers", "gpt-1", [4, 8, 12, 16, 20], id="Trainer", marks=pytest.mark.integrations),
        pytest.param("lightning", "line-2", [8, 16, 24, 32], id="Lightning", marks=pytest.mark.integrations),
    ],
)
def test_a_script_of_the_page(package: str, name: str, steps: list[int], tmp_path: Path) -> None:
    (script,) = [text for text in SCRIPTS if package in text and name in text]
    (tmp_path / "train.py").write_text(script)
    env = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "not committed" not in done.stderr, done.stderr
    (lineage,) = mvc.Repository.open(tmp_path).log()
    assert lineage.name == name and [commit.step for commit in lineage.commits] == steps
