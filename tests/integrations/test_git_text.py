"""What git shows of models, and what it says of a working tree."""

from __future__ import annotations

import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.integrations.git.textconv import text_of
from tests.integrations.gitplace import Place


def lines(path: Path, directory: Path) -> list[str]:
    def nowhere(_root: Path) -> object:
        raise AssertionError("there is no mvc repository to open")

    return list(text_of(path, directory, nowhere))  # type: ignore[arg-type]


def test_a_line_for_each_tensor_whatever_the_format(tmp_path: Path) -> None:
    arrays = {"b": np.array([3.0, 4.0], np.float32), "a": np.arange(6, dtype=np.int64).reshape(2, 3)}
    save_file(arrays, str(tmp_path / "x.safetensors"))
    np.savez(tmp_path / "x.npz", **arrays)
    first = lines(tmp_path / "x.safetensors", tmp_path)
    assert re.fullmatch(r"file \d+ bytes  [0-9a-f]{12}", first[0]) and first[1] == "2 tensors  8 values"
    assert re.fullmatch(r"a  I64 \[2, 3\]  norm 7.4162  max 5  [0-9a-f]{12}", first[2])
    assert re.fullmatch(r"b  F32 \[2\]  norm 5  max 4  [0-9a-f]{12}", first[3])
    second = lines(tmp_path / "x.npz", tmp_path)
    assert second[1:] == first[1:]
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "y.npz").write_bytes((tmp_path / "x.npz").read_bytes())
    assert lines(tmp_path / "elsewhere" / "y.npz", tmp_path) == second


def test_odd_tensors(tmp_path: Path) -> None:
    arrays = {
        "bad": np.array([np.nan, np.inf, 2.0], np.float32),
        "bf16": np.array([1.5], ml_dtypes.bfloat16),
        "complex": np.array([3 + 4j], np.complex64),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.array(-2.0, np.float64),
        "truth": np.array([True, False]),
    }
    save_file(arrays, str(tmp_path / "x.safetensors"))
    found = {line.split("  ")[0]: line for line in lines(tmp_path / "x.safetensors", tmp_path)[2:]}
    assert "F32 [3]  norm 2  max 2  2 not finite" in found["bad"]
    assert "BF16 [1]  norm 1.5  max 1.5" in found["bf16"]
    assert "C64 [1]  norm 5  max 4" in found["complex"]
    assert "F32 [0, 3]  norm 0  max 0" in found["empty"]
    assert "F64 []  norm 2  max 2" in found["scalar"] and "BOOL [2]  norm 1  max 1" in found["truth"]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no zip", b"\x80\x02cos\nsystem\n."], ids=str)
def test_what_cannot_be_read_is_said_in_a_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    found = lines(path, tmp_path)
    assert found[0].startswith("unreadable: ") and str(tmp_path) not in found[0]
    assert re.fullmatch(rf"file {len(content)} bytes  [0-9a-f]{{12}}", found[1])
    assert lines(tmp_path / "none.pt", tmp_path) == ["unreadable: there is no file 'none.pt'"]


def test_git_shows_models(work: Place) -> None:
    work.weights("m.safetensors", 0, **{"a\x1b[31m": np.ones(2, np.float32)})
    work.git("add", "-A")
    assert "+w  F32 [16, 16]  norm " in work.git("diff", "--cached").stdout  # nothing is committed yet, nowhere
    work.git("commit", "-qm", "epoch 0")
    work.weights("m.safetensors", 1, **{"a\x1b[31m": np.ones(2, np.float32)})
    work.git("commit", "-qam", "epoch 1")
    shown = work.git("log", "-p", "-1").stdout
    assert re.search(r"^-commit [0-9a-f]{12}  \S+@0  epoch 0$", shown, re.MULTILINE)
    assert re.search(r"^\+commit [0-9a-f]{12}  \S+@1  epoch 1$", shown, re.MULTILINE)
    assert re.search(r"^\+step 0\.8\d+ from [0-9a-f]{12}$", shown, re.MULTILINE)
    assert re.search(r"^ a\\x1b\[31m  F32 \[2\]  norm 1\.41421", shown, re.MULTILINE) and "\x1b" not in shown
    work.weights("m.safetensors", 2)
    work.mvc("commit", "--pointer", "m.safetensors")
    work.git("rm", "-q", "--cached", "m.safetensors")
    work.git("add", "-A")
    work.git("commit", "-qm", "by pointer")
    behind = work.git("show", "HEAD:m.safetensors.mvc", "--textconv").stdout
    assert behind == work.mvc("git", "textconv", "m.safetensors").stdout and "w  F32 [16, 16]" in behind
    # where mvc does not know the commit, the pointer says what it can
    work.run("mv", ".mvc", ".mvc-away")
    assert "which is not in the mvc repository here\nfile " in work.mvc("git", "textconv", "m.safetensors.mvc").stdout
    assert work.git("diff", "HEAD~1").returncode == 0


def test_hints_after_a_checkout_and_a_merge(work: Place) -> None:
    for step in range(2):
        work.weights("m.safetensors", step)
        work.git("add", "-A")
        work.git("commit", "-qm", f"epoch {step}")
    done = work.git("checkout", "HEAD~1")
    assert re.search(r"hint  m\.safetensors  [0-9a-f]{8}  is \S+@0, 1 behind the tip \S+@1", done.stderr)
    assert re.search(r"mvc checkout \S+@1 -o m\.safetensors --force", done.stderr)
    assert "hint  m" not in work.git("checkout", "main").stderr
    work.git("checkout", "-qb", "side")
    work.weights("p.safetensors", 2)
    work.mvc("commit", "--pointer", "p.safetensors")
    work.git("add", "-A")
    work.git("commit", "-qm", "pointer")
    (work.root / "p.safetensors").unlink()
    work.git("checkout", "-q", "main")
    (work.root / "a.txt").write_text("text")
    work.git("add", "a.txt")
    work.git("commit", "-qm", "text")
    done = work.git("merge", "side", "-m", "merge")
    assert "hint  p.safetensors.mvc" in done.stderr and "is not here" in done.stderr
    work.mvc("checkout", "p.safetensors.mvc")
    work.weights("p.safetensors", 5)
    done = work.git("checkout", "-q", "HEAD~1")
    done = work.git("checkout", "-q", "main")
    assert "is not what commit" in done.stderr and "mvc checkout p.safetensors.mvc --force" in done.stderr
    # the merge is pushed with everything that it brought, each once
    assert "mvc: 3 checkpoints" in work.git("push", "origin", "main").stderr


def test_after_the_fact_nothing_fails(work: Place) -> None:
    work.weights("m.safetensors", 0)
    work.run("mv", ".mvc", ".mvc-away")
    work.git("add", "m.safetensors")
    done = work.git("commit", "-m", "no repository")
    assert "warn  m.safetensors  is in no mvc repository" in done.stderr
    assert "is in no mvc repository" in work.git("push", "origin", "main", ok=False).stderr
    work.run("mv", ".mvc-away", ".mvc")
    (work.root / ".mvc" / "config.toml").write_text("nonsense = ")
    work.git("commit", "-q", "--amend", "-m", "a broken one")
    assert "warning:" in work.git("checkout", "-q", "main", "--", ".").stderr
    assert work.mvc("git", "hook", "post-commit").returncode == 0
    assert "warning:" in work.mvc("git", "hook", "post-commit").stderr
    assert work.mvc("git", "hook", "pre-push", "o", "u", stdin=line(work), ok=False).returncode == 2


def test_a_repository_that_came_with_git_is_not_opened(work: Place) -> None:
    work.weights("m.safetensors", 0)
    work.mvc("commit", "m.safetensors")
    work.git("add", "-f", ".mvc", "m.safetensors")
    done = work.git("commit", "-m", "with all that is in .mvc")
    assert "is tracked by git, so it may be anybody's" in done.stderr
    assert "\n+commit" not in work.git("show").stdout
    assert work.mvc("git", "hook", "pre-push", "o", "u", stdin=line(work), ok=False).returncode == 2


def test_a_file_that_changed_meanwhile_is_left_alone(work: Place) -> None:
    work.weights("m.safetensors", 0)
    work.git("add", "-A")
    work.weights("m.safetensors", 1)
    done = work.git("commit", "-m", "older")
    assert "skip  m.safetensors  changed since it was added to git" in done.stderr
    assert "nothing is committed here yet" in work.mvc("show", ok=False).stderr


def test_files_that_attributes_mark_count_as_models(work: Place) -> None:
    with (work.root / ".gitattributes").open("a") as file:
        file.write("*.weights diff=mvc\n")
    work.weights("m.weights", 0)
    work.weights("n.data", 1)
    work.git("add", "-A")
    done = work.git("commit", "-m", "odd names")
    assert "kept  m.weights" in done.stderr and "n.data" not in done.stderr


def line(work: Place) -> str:
    return f"refs/heads/main {work.head()} refs/heads/main {'0' * 40}\n"
