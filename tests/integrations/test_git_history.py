"""Real git repositories with checkpoints in their past, imported: plain ones, Git LFS's, DVC's, and hostile ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mvc.errors import InputError, Interrupted
from mvc.formats import LFS_MAGIC
from mvc.integrations.git import history
from mvc.integrations.git.history import import_history
from mvc.integrations.git.reading import GitRepository
from mvc.integrations.git.results import HistoryResult
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from tests.integrations.gitplace import Place


@pytest.fixture
def past(place: Callable[..., Place]) -> Place:
    return place("past")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of(Repository.init(tmp_path / "kept"), author="Ann <ann@example.org>")


def save(past: Place, name: str, step: int, message: str = "") -> str:
    past.weights(name, step)
    past.git("add", "-A")
    date = f"2024-03-{step + 1:02}T12:00:00+0200"
    past.git("commit", "-qm", message or f"epoch {step}", GIT_AUTHOR_NAME="Bo", GIT_AUTHOR_DATE=date)
    return past.head()


def run(past: Place, workspace: Workspace, *paths: str, branch: str = "HEAD", **options: object) -> HistoryResult:
    git = GitRepository(past.root, sealed=True)
    return import_history(git, workspace, revisions=(branch,), paths=paths, **options)  # type: ignore[arg-type]


def states(result: HistoryResult) -> list[tuple[str, str]]:
    return [(entry.path, entry.state) for entry in result.entries]


def test_every_version_is_imported_with_what_git_says_of_it(past: Place, workspace: Workspace, tmp_path: Path) -> None:
    heads = [save(past, "model.safetensors", step, f"epoch {step}\n\nmore of it") for step in range(4)]
    before = sorted((past.root / ".git").rglob("*"))
    result = run(past, workspace)
    assert states(result) == [("model.safetensors", "imported")] * 4 and result.commits == 4
    (lineage,) = log(workspace).lineages
    assert result.lineages == (lineage.name,)
    assert [row.message for row in lineage.commits] == [f"epoch {step}\n\nmore of it" for step in range(4)]
    facts = workspace.repository.commit(workspace.repository.state().commits[2])
    assert (facts.author, facts.extra) == ("Bo <ann@example.org>", {"git": heads[2]})
    assert (facts.time, facts.path) == ("2024-03-03T10:00:00.000000+00:00", "model.safetensors")
    checkout(workspace, lineage.commits[3].id, directory=tmp_path, target=Path("back"))
    assert (tmp_path / "back").read_bytes() == (past.root / "model.safetensors").read_bytes()
    assert sorted((past.root / ".git").rglob("*")) == before  # nothing was written to git


def test_an_import_goes_on_where_it_was(past: Place, workspace: Workspace) -> None:
    for step in range(4):
        save(past, "model.safetensors", step)

    def stop(done: int, total: int | None, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="goes on from there"):
        run(past, workspace, progress=stop)
    assert len(workspace.repository.state().commits) == 2
    again = run(past, workspace)
    assert states(again) == [("model.safetensors", "imported")] * 2 and again.skipped == 2
    operations = workspace.repository.state()
    last = run(past, workspace)
    assert last.entries == () and last.skipped == 4 and workspace.repository.state() == operations


def test_content_that_comes_back_is_one_commit(past: Place, workspace: Workspace) -> None:
    for step, weights in enumerate((0, 1, 0)):
        past.weights("a.safetensors", weights)
        past.git("add", "-A")
        past.git("commit", "-qm", f"{step}")
    past.git("mv", "a.safetensors", "b.safetensors")
    past.git("commit", "-qm", "another name")
    assert states(run(past, workspace)) == [
        ("a.safetensors", "imported"),
        ("a.safetensors", "imported"),
        ("b.safetensors", "known"),
    ]


def test_what_the_next_one_may_rest_on_is_still_there(
    past: Place, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a.safetensors", "b.safetensors"] * 2
    for step, name in enumerate(names):
        save(past, name, step)
    there: list[list[str]] = []

    def look(*args: Any, **options: Any) -> Any:
        there.append([path.name for path in options["lying"].values() if path.is_file()])
        return commit(*args, **options)

    monkeypatch.setattr(history, "commit", look)
    run(past, workspace)
    assert there == [names[:0], names[:1], names[:2], names[1:3]]


def test_branches_and_globs_choose(past: Place, workspace: Workspace) -> None:
    save(past, "one/a.safetensors", 0)
    past.git("checkout", "-qb", "side")
    save(past, "two/b.safetensors", 1)
    past.git("checkout", "-q", "main")
    assert states(run(past, workspace, "two/*")) == []
    assert states(run(past, workspace, "two/*", branch="side")) == [("two/b.safetensors", "imported")]
    assert states(run(past, workspace, "a.*", branch="side")) == [("one/a.safetensors", "imported")]
    with pytest.raises(InputError) as error:
        run(past, workspace, branch="--all")
    assert "branch --all" in error.value.hint


def test_lfs_objects_are_taken_from_its_store(past: Place, workspace: Workspace, tmp_path: Path) -> None:
    contents = []
    for step in range(2):
        path = past.weights("model.safetensors", step)
        contents.append(path.read_bytes())
        oid = hashlib.sha256(contents[-1]).hexdigest()
        path.write_bytes(LFS_MAGIC + f"oid sha256:{oid}\nsize {len(contents[-1])}\n".encode())
        past.git("add", "-A")
        past.git("commit", "-qm", f"epoch {step}")
    missing = run(past, workspace)
    assert states(missing) == [("model.safetensors", "missing")] * 2
    assert all(entry.hint.endswith("lfs fetch --all") for entry in missing.entries)
    for content in contents:
        oid = hashlib.sha256(content).hexdigest()
        place = past.root / ".git" / "lfs" / "objects" / oid[:2] / oid[2:4] / oid
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    assert states(run(past, workspace)) == [("model.safetensors", "imported")] * 2
    place.write_bytes(bytes(len(contents[-1])))
    damaged = run(past, Workspace.of(Repository.init(tmp_path / "other")))
    assert states(damaged) == [("model.safetensors", "imported"), ("model.safetensors", "refused")]


def keep_in_dvc(past: Place, content: bytes, *, directory: bool = False, old: bool = False) -> str:
    """MD5 of what is in DVC's cache now."""
    md5 = hashlib.md5(content).hexdigest() + (".dir" if directory else "")
    place = past.root / ".dvc" / "cache" / ("" if old else "files/md5") / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5


@pytest.mark.parametrize("old", [False, True], ids=["dvc 3", "dvc 2"])
def test_dvc_outputs_are_taken_from_its_cache(past: Place, workspace: Workspace, old: bool) -> None:
    rows = []
    for step in range(3):
        content = past.weights("model.safetensors", step).read_bytes()
        md5 = keep_in_dvc(past, content, old=old)
        rows.append({"md5": md5, "relpath": f"run/{step}.safetensors"})
        (past.root / "sub").mkdir(exist_ok=True)
        (past.root / "sub" / "model.safetensors.dvc").write_text(
            f"wdir: ..\nouts:\n- md5: {md5}\n  size: {len(content)}\n  path: model.safetensors\n"
        )
        past.git("add", "sub")
        past.git("commit", "-qm", f"epoch {step}")
    listed = keep_in_dvc(past, json.dumps([*rows, {"md5": "0" * 32, "relpath": "data.csv"}]).encode(), directory=True)
    (past.root / "dvc.lock").write_text(
        f"schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs:\n    - path: out\n      md5: {listed}\n"
    )
    past.git("add", "dvc.lock")
    past.git("commit", "-qm", "a pipeline")
    assert states(run(past, workspace)) == [("model.safetensors", "imported")] * 3 + [
        (f"out/run/{step}.safetensors", "known") for step in range(3)
    ]
    (lineage,) = log(workspace).lineages
    assert [row.message for row in lineage.commits] == ["epoch 0", "epoch 1", "epoch 2"]


def test_what_dvc_has_not_fetched_is_missing(past: Place, workspace: Workspace) -> None:
    (past.root / "m.safetensors.dvc").write_text(f"outs:\n- md5: {'a' * 32}\n  path: m.safetensors\n")
    (past.root / "runs.dvc").write_text(f"outs:\n- md5: {'b' * 32}.dir\n  path: runs\n")
    (past.root / "broken.dvc").write_text("outs: [\n")
    (past.root / "table.csv.dvc").write_text(f"outs:\n- md5: {'c' * 32}\n  path: table.csv\n")
    past.git("add", "-A")
    past.git("commit", "-qm", "lists")
    result = run(past, workspace)
    assert dict(states(result)) == {"m.safetensors": "missing", "runs.dvc": "missing", "broken.dvc": "refused"}
    assert {entry.hint for entry in result.entries if entry.state == "missing"} == {"run: dvc fetch --all-commits"}


@pytest.mark.parametrize("where", ["/etc/m.safetensors", "../../m.safetensors", "a/../../../m.safetensors"])
def test_dvc_paths_stay_inside(past: Place, workspace: Workspace, where: str) -> None:
    md5 = keep_in_dvc(past, past.weights("m.safetensors").read_bytes())
    listed = keep_in_dvc(past, json.dumps([{"md5": md5, "relpath": where}]).encode(), directory=True)
    (past.root / "m.dvc").write_text(f"outs:\n- md5: {md5}\n  path: {where}\n- md5: {listed}\n  path: out\n")
    past.git("add", "m.dvc")
    past.git("commit", "-qm", "hostile")
    assert states(run(past, workspace)) == [("m.dvc", "refused")]
    assert workspace.repository.state().commits == ()


def test_hostile_trees_write_nothing_outside_and_stop_nothing(
    past: Place, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    save(past, "good.safetensors", 0, "\x1b[31mred\x1b[0m [bold]bold[/bold]")
    blob = past.git("hash-object", "good.safetensors").stdout.strip()
    link = past.git("hash-object", "-w", "--stdin", ok=True).stdout.strip()
    names = [b"..", b".git", b"x" * 300 + b".safetensors", b"\xff\xfe.safetensors", b"a b\n.safetensors"]
    entries = [(b"100644", name + (b"" if b"." in name[2:] else b"/.safetensors"), blob) for name in names]
    entries += [(b"120000", b"link.safetensors", link), (b"100644", b"broken.safetensors", link)]
    raw = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in sorted(entries))
    made = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"],
        cwd=past.root, input=raw, env=past.env, capture_output=True, check=True,
    )  # fmt: skip
    commit = past.git("commit-tree", made.stdout.decode().strip(), "-p", "HEAD", "-m", "hostile").stdout.strip()
    past.git("update-ref", "refs/heads/main", commit)
    result = run(past, workspace)
    found = dict(states(result))
    assert found.pop("good.safetensors") == "imported"
    assert found.pop("\\xff\\xfe.safetensors") == found.pop("a b\n.safetensors") == "known"
    assert set(found.values()) == {"refused"} and len(found) == 4
    assert list(scratch.iterdir()) == [] and not (tmp_path / ".safetensors").exists()
    shutil.rmtree(past.root / ".git" / "objects" / blob[:2])
    again = run(past, Workspace.of(Repository.init(tmp_path / "other")))
    assert ("good.safetensors", "missing") in states(again)


def test_what_a_partial_clone_lacks_is_not_fetched(past: Place, workspace: Workspace, tmp_path: Path) -> None:
    save(past, "m.safetensors", 0)
    save(past, "m.safetensors", 1)
    past.git("config", "uploadpack.allowFilter", "true")
    clone = Place(tmp_path / "clone", past.env)
    past.git("clone", "-q", "--filter=blob:none", f"file://{past.root}", str(clone.root))
    assert [state for _, state in states(run(clone, workspace))] == ["missing", "imported"]
    shallow = Place(tmp_path / "shallow", past.env)
    past.git("clone", "-q", "--depth=1", f"file://{past.root}", str(shallow.root))
    assert "fetch --unshallow" in run(shallow, workspace).warnings[0]


def test_nothing_that_its_settings_name_is_run(past: Place, workspace: Workspace, tmp_path: Path) -> None:
    save(past, "m.safetensors", 0)
    (past.root / ".gitattributes").write_text("*.safetensors filter=evil diff=evil\n*.weights diff=mvc\n")
    save(past, "m.safetensors", 1)
    (past.root / "other.weights").write_bytes(past.weights("spare", 2).read_bytes())
    past.git("add", "-A")
    past.git("commit", "-qm", "another ending")
    ran = tmp_path / "ran"
    evil = past.script("evil", f"touch {ran}")
    for key in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "diff.external"):
        past.git("config", key, str(evil))
    past.script(".git/hooks/post-checkout", f"touch {ran}")
    assert states(run(past, workspace)) == [
        ("m.safetensors", "imported"),
        ("m.safetensors", "imported"),
        ("other.weights", "imported"),
    ]
    assert not ran.exists()
    past.git("status", ok=False)
    assert ran.exists()  # it would have been


@pytest.mark.parametrize("remote", ["ext::{evil}", "ssh://host/path", "evil::x"])
def test_what_is_missing_is_asked_of_nobody(past: Place, workspace: Workspace, tmp_path: Path, remote: str) -> None:
    """A repository that claims to be a partial clone says in its own settings whom git would ask, and how."""
    save(past, "m.safetensors", 0)
    oid = past.git("rev-parse", "HEAD:m.safetensors").stdout.strip()
    (past.root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    ran = tmp_path / "ran"
    evil = past.script("git-remote-evil", f"touch {ran}")
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": remote.format(evil=evil),
        "core.sshCommand": str(evil),
        "protocol.ext.allow": "always",
        "protocol.evil.allow": "always",
    }
    for key, value in settings.items():
        past.git("config", key, value)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", f"{evil.parent}{os.pathsep}{os.environ['PATH']}")
        assert states(run(past, workspace)) == [("m.safetensors", "missing")]
        assert not ran.exists()
        past.git("cat-file", "blob", oid, ok=False)
    assert ran.exists() or remote.startswith("evil")  # it would have been


def test_the_command_says_what_is_missing_and_exits_with_1(past: Place) -> None:
    save(past, "m.safetensors", 0)
    past.mvc("init")
    done = past.mvc("import-history")
    assert "1 checkpoint of 1 git commit imported, in 1 lineage" in done.stdout
    (past.root / "runs.dvc").write_text(f"outs:\n- md5: {'b' * 32}.dir\n  path: runs\n")
    past.git("add", "runs.dvc")
    past.git("commit", "-qm", "a list")
    done = past.mvc("import-history", ok=False)
    assert done.returncode == 1 and "hint: run: dvc fetch --all-commits" in done.stdout
    told = json.loads(past.mvc("import-history", "--json", ok=False).stdout)
    assert told["schema"] == "mvc.import-history/v1" and told["skipped"] == 1
