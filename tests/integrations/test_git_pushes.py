"""What is pushed is judged where it leaves and where it arrives, with real git."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.integrations.gitplace import Place

NAN = np.full(4, np.nan, np.float32)


def test_a_day_with_git(work: Place) -> None:
    work.weights("m.safetensors", 0)
    work.git("add", "-A")
    done = work.git("commit", "-m", "epoch 0")
    assert re.search(r"mvc: kept  m\.safetensors  [0-9a-f]{8}  \S+@0", done.stderr)
    facts = json.loads(work.mvc("show", "HEAD", "--json").stdout)["facts"]
    assert facts["extra"]["git"] == work.head() and facts["message"] == "epoch 0" and facts["path"] == "m.safetensors"
    # a new branch, then a tag on what is there, a force push, deletions
    assert "1 checkpoint" in work.git("push", "origin", "main").stderr
    work.git("tag", "-a", "v1", "-m", "one")
    assert "checkpoint" not in work.git("push", "origin", "v1").stderr
    work.weights("m.safetensors", 1)
    work.git("commit", "-qam", "epoch 1", "--amend")
    assert "1 checkpoint" in work.git("push", "--force", "origin", "main").stderr
    work.git("push", "origin", "main:other")
    assert "checkpoint" not in work.git("push", "origin", ":other", ":v1").stderr


def test_ids_of_64_digits(place: Callable[..., Place]) -> None:
    server = place("server.git", "--bare", "--object-format=sha256")
    work = place("work", "--object-format=sha256")
    work.git("remote", "add", "origin", str(server.root))
    for at in (server, work):
        at.mvc("git", "install")
    work.mvc("init")
    work.weights("m.safetensors", 0)
    work.git("add", "-A")
    work.git("commit", "-qm", "epoch 0")
    assert json.loads(work.mvc("show", "HEAD", "--json").stdout)["facts"]["extra"]["git"] == work.head()
    done = work.git("push", "origin", "main")
    assert "mvc: 1 checkpoint" in done.stderr and "remote: mvc: 1 checkpoint: 1 passed" in done.stderr
    assert "checkpoint" not in work.git("push", "origin", ":main", ok=False).stderr


def test_what_is_not_committed_does_not_leave(work: Place) -> None:
    work.weights("models/my model.safetensors", 0)
    work.git("add", "-A")
    work.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "unseen")
    done = work.git("push", "origin", "main", ok=False)
    assert done.returncode == 1 and "is not committed in mvc" in done.stderr and "the push is refused" in done.stderr
    assert "mvc commit 'models/my model.safetensors'" in done.stderr
    work.mvc("commit", "models/my model.safetensors")
    work.git("push", "origin", "main")


def test_every_version_is_judged_and_an_unsound_one_refused(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    work.weights("m.safetensors", 0, bad=NAN)
    work.git("add", "-A")
    work.git("commit", "-qm", "broken")
    work.weights("m.safetensors", 0)
    work.git("commit", "-qam", "mended")
    done = work.git("push", "origin", "main", ok=False)
    assert done.returncode == 1 and "MVC001 bad: 4 of 4 values are NaN or infinite" in done.stderr
    assert "2 checkpoints" in done.stderr and "1 failed" in done.stderr
    result = work.mvc(
        "git", "hook", "pre-push", "origin", "URL", "--json", ok=False,
        stdin=f"refs/heads/main {work.head()} refs/heads/main {'0' * 40}\n",
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert result.returncode == 1 and told["schema"] == "mvc.git-hook/v1" and told["verdict"] == "fail"
    assert {entry["state"] for entry in told["entries"]} == {"fail", "skip"}
    # the server looks for itself, and keeps nothing
    before = sorted(server.root.rglob("*"))
    done = work.git("push", "--no-verify", "origin", "main", ok=False)
    assert done.returncode == 1 and "remote: mvc: FAIL  m.safetensors  MVC001 bad" in done.stderr
    assert sorted(server.root.rglob("*")) == before
    work.git("reset", "-q", "--soft", "HEAD~1")
    work.git("update-ref", "-d", "HEAD")
    work.git("commit", "-qm", "only the sound one")
    assert "remote: mvc: 1 checkpoint: 1 passed" in work.git("push", "origin", "main").stderr


def shards(work: Place, names: tuple[str, ...]) -> None:
    directory = work.root / "big"
    directory.mkdir(exist_ok=True)
    files = {name: f"model-0000{i}-of-00002.safetensors" for i, name in enumerate("ab", 1)}
    for i, name in enumerate(names):
        save_file({name: np.full((4, 4), float(i), np.float32)}, str(directory / files[name]))
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def test_shards_are_seen_together(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    shards(work, ("a",))
    work.git("add", "-A")
    assert "lacks shard" in work.git("commit", "-m", "half").stderr
    done = work.git("push", "origin", "main", ok=False)
    assert "FAIL  big  'big' lacks shard 'model-00002-of-00002.safetensors'" in done.stderr
    done = work.git("push", "--no-verify", "origin", "main", ok=False)
    assert "remote: mvc: FAIL  big  'big' lacks shard" in done.stderr
    shards(work, ("a", "b"))
    work.git("add", "-A")
    done = work.git("commit", "-m", "whole", "--amend")
    assert done.stderr.count("mvc: kept  big") == 1
    done = work.git("push", "origin", "main")
    assert "mvc: 1 checkpoint" in done.stderr and "remote: mvc: 1 checkpoint: 1 passed" in done.stderr
    work.git("rm", "-q", "big/model-00001-of-00002.safetensors")
    work.git("commit", "-qm", "one gone")
    assert "FAIL  big  'big' lacks shard" in work.git("push", "origin", "main", ok=False).stderr
    work.git("rm", "-rq", "big")
    work.git("commit", "-q", "--amend", "-m", "all gone")
    assert "checkpoint" not in work.git("push", "origin", "main").stderr


def test_a_trainers_directory_is_one_checkpoint(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    work.weights("run/checkpoint-5/model.safetensors", 0)
    for name in ("trainer_state.json", "notes.txt", "global_step5/rank0.pt"):
        path = work.root / "run/checkpoint-5" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"global_step": 5}')
    work.weights("run/checkpoint-5/checkpoint-1/model.safetensors", 1)  # one of its own, which is not in git
    work.git("add", "-A")
    work.git("reset", "-q", "run/checkpoint-5/checkpoint-1")
    done = work.git("commit", "-m", "from the trainer")
    assert re.search(r"mvc: kept  run/checkpoint-5  [0-9a-f]{8}", done.stderr) and done.stderr.count("mvc: ") == 1
    done = work.git("push", "origin", "main")
    assert "mvc: 1 checkpoint:" in done.stderr and "remote: mvc: 1 checkpoint: 1 passed" in done.stderr


def test_names_are_not_trusted(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    names = (b"-x.safetensors", b"a \x1b[31m\nb.safetensors", b"\xff*[d]/::error::.safetensors", b"-rf/'\".safetensors")
    for step, name in enumerate(names):
        work.weights(os.fsdecode(name), step)
    work.git("add", "-A")
    done = work.git("commit", "-m", "names")
    assert done.stderr.count("mvc: kept  ") == 4 and "\x1b" not in done.stderr
    assert "a \\x1b[31m\\nb.safetensors" in done.stderr
    told = json.loads(work.mvc("git", "hook", "pre-push", "origin", "URL", "--json", stdin=push_of(work)).stdout)
    assert {os.fsencode(entry["path"]) for entry in told["entries"]} == set(names)
    done = work.git("push", "origin", "main")
    assert "mvc: 4 checkpoints" in done.stderr and "remote: mvc: 4 checkpoints: 4 passed" in done.stderr


def test_damage_is_refused(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    path = work.weights("m.safetensors", 0)
    path.write_bytes(path.read_bytes()[:-7])
    (work.root / "notes.bin").write_text("no weights, whatever its name says")
    work.git("add", "-A")
    assert "truncated" in work.git("commit", "-m", "cut").stderr
    assert "FAIL  m.safetensors" in work.git("push", "origin", "main", ok=False).stderr
    done = work.git("push", "--no-verify", "origin", "main", ok=False)
    assert "remote: mvc: FAIL  m.safetensors  'm.safetensors': a safetensors file is truncated" in done.stderr
    assert "notes.bin" not in done.stderr and "mvc-git-" not in done.stderr


def test_a_pointer_counts_as_its_commit(work: Place, server: Place) -> None:
    server.mvc("git", "install")
    work.weights("m.safetensors", 0)
    work.mvc("commit", "--pointer", "m.safetensors")
    work.git("add", "-A")
    work.git("commit", "-qm", "by pointer")
    assert "m.safetensors\n" not in work.git("ls-files").stdout
    done = work.git("push", "origin", "main")
    assert "mvc: 1 checkpoint" in done.stderr and "remote: mvc: 1 checkpoint: 1 passed" in done.stderr
    pointer = work.root / "m.safetensors.mvc"
    text = pointer.read_text()
    pointer.write_text(re.sub(r"commit [0-9a-f]{8}", "commit 00000000", text))
    work.git("commit", "-qam", "to nowhere")
    done = work.git("push", "origin", "main", ok=False)
    assert "FAIL  m.safetensors.mvc" in done.stderr and "which this repository does not have" in done.stderr
    pointer.write_text(text + "and more\n")
    work.git("commit", "-qam", "damaged", "--amend")
    done = work.git("push", "--no-verify", "origin", "main", ok=False)
    assert "remote: mvc: FAIL  m.safetensors.mvc  'm.safetensors.mvc' is no usable pointer" in done.stderr


def test_an_object_that_git_lfs_did_not_fetch_is_skipped(work: Place) -> None:
    content = work.weights("m.safetensors", 0).read_bytes()
    oid = hashlib.sha256(content).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
    (work.root / "m.safetensors").write_text(text)
    work.git("add", "-A")
    work.git("commit", "-qm", "pointer of Git LFS")
    done = work.mvc("git", "hook", "pre-push", "origin", "URL", stdin=push_of(work))
    assert "skip  m.safetensors  a Git LFS pointer whose object is not here" in done.stderr
    assert "git lfs fetch --include m.safetensors" in done.stderr
    kept = work.root / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    done = work.mvc("git", "hook", "pre-push", "origin", "URL", ok=False, stdin=push_of(work))
    assert done.returncode == 1 and "is not committed in mvc" in done.stderr


def push_of(work: Place) -> str:
    return f"refs/heads/main {work.head()} refs/heads/main {'0' * 40}\n"


def test_a_server_with_a_repository_of_its_own_knows_pointers(work: Place, server: Place) -> None:
    server.mvc("init")
    server.mvc("git", "install")
    path = work.weights("m.safetensors", 0)
    work.mvc("commit", "--pointer", "m.safetensors")
    work.git("add", "-A")
    work.git("commit", "-qm", "by pointer")
    done = work.git("push", "origin", "main", ok=False)
    assert "remote: mvc: FAIL  m.safetensors.mvc" in done.stderr
    # commits are named by their content and who made them when: the server gets this very repository
    work.run("sh", "-c", f"rm -r {server.root}/.mvc && cp -r .mvc {server.root}/.mvc")
    work.git("push", "origin", "main")
    assert path.exists()


def test_pushes_that_concern_no_model_import_nothing_heavy(work: Place) -> None:
    (work.root / "a.txt").write_text("text")
    work.git("add", "-A")
    work.git("commit", "-qm", "text")
    code = (
        "import sys\nfrom mvc.cli.main import run\ncode = run(sys.argv[1:])\n"
        "heavy = sorted({name.split('.')[0] for name in sys.modules} & {'torch','scipy','sqlalchemy','numpy'})\n"
        "print('HEAVY', heavy, code)"
    )
    for arguments, stdin in (
        (["pre-push", "origin", "URL"], push_of(work)),
        (["pre-push", "origin", "URL"], ""),
        (["post-commit"], ""),
        (["post-checkout", work.head(), work.head(), "1"], ""),
        (["post-merge", "0"], ""),
    ):
        done = work.run(sys.executable, "-c", code, "git", "hook", *arguments, stdin=stdin)
        assert done.stdout == "HEAVY [] 0\n" and done.stderr == "", arguments


def test_a_push_of_nothing(work: Place) -> None:
    """git says so with an empty standard input."""
    done = work.mvc("git", "hook", "pre-push", "origin", "URL", stdin="")
    assert done.returncode == 0 and "checkpoint" not in done.stderr


def test_lines_that_git_never_wrote(work: Place) -> None:
    done = work.mvc("git", "hook", "pre-push", "origin", "URL", ok=False, stdin="nonsense\n")
    assert done.returncode == 2 and "error: git handed over a line that is none" in done.stderr
    assert work.mvc("git", "hook", "nonsense", ok=False).returncode == 2
    # a name with spaces, ids that are not here
    stdin = f"HEAD@{{1 day ago}} {'1' * 40} refs/heads/x {'2' * 40}\n"
    assert work.mvc("git", "hook", "pre-push", "origin", "URL", stdin=stdin).stderr == ""


@pytest.mark.parametrize("known", [True, False], ids=["fetched", "never fetched"])
def test_a_force_push_over_what_others_pushed(work: Place, server: Place, known: bool, tmp_path: Path) -> None:
    work.weights("a.safetensors", 0)
    work.git("add", "-A")
    work.git("commit", "-qm", "ours")
    work.git("push", "-q", "origin", "main")
    other = Place(tmp_path / "other", work.env)
    work.git("clone", "-q", str(server.root), str(other.root))
    (other.root / "b.txt").write_text("theirs")
    other.git("add", "-A")
    other.git("commit", "-qm", "theirs")
    other.git("push", "-q", "origin", "main")
    if known:
        work.git("fetch", "-q")
    work.weights("c.safetensors", 1)
    work.git("add", "-A")
    work.git("commit", "-qm", "ours again")
    done = work.git("push", "--force", "origin", "main")
    assert "mvc: 1 checkpoint:" in done.stderr  # c: a is there already
