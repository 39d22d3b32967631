"""Checkpoints of a git repository's past that Git LFS or DVC keeps in another place than usual, or nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.errors import PointerError
from mvc.formats import LFS_MAGIC, open_checkpoint
from mvc.integrations.git.dvc import cache_of
from mvc.integrations.git.history import import_history
from mvc.integrations.git.reading import GitRepository
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from tests.integrations.gitplace import Place


@pytest.fixture
def past(place: Callable[..., Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A git repository of a user who has no settings yet."""
    (tmp_path / "home").mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    return place("past")


def imported(past: Place, tmp_path: Path) -> list[tuple[str, str, str]]:
    workspace = Workspace.of(Repository.init(tmp_path / "kept"), author="Ann <ann@example.org>")
    result = import_history(GitRepository(past.root, sealed=True), workspace)
    return [(entry.path, entry.state, entry.hint) for entry in result.entries]


def pointed(past: Place, store: Path) -> Path:
    """A pointer in git, and its object in a store of Git LFS's."""
    path = past.weights("model.safetensors")
    content = path.read_bytes()
    oid = hashlib.sha256(content).hexdigest()
    path.write_bytes(LFS_MAGIC + f"oid sha256:{oid}\nsize {len(content)}\n".encode())
    past.git("add", "-A")
    past.git("commit", "-qm", "a pointer")
    kept = store / "objects" / oid[:2] / oid[2:4] / oid
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    return path


@pytest.mark.parametrize("where", ["relative", "absolute"])
def test_a_store_of_git_lfs_that_the_repository_names(past: Place, where: str, tmp_path: Path) -> None:
    store = past.root / ".git" / 'kept "here"' if where == "relative" else tmp_path / "store"
    path = pointed(past, store)
    with pytest.raises(PointerError):
        open_checkpoint(path)
    past.git("config", "lfs.storage", 'kept "here"' if where == "relative" else str(store))
    with open_checkpoint(path) as opened:
        assert list(opened.specs) == ["w"]
    assert imported(past, tmp_path) == [("model.safetensors", "imported", "")]


def test_a_store_of_git_lfs_that_the_user_names(past: Place, tmp_path: Path) -> None:
    pointed(past, tmp_path / "store")
    (tmp_path / "home" / ".gitconfig").write_text(f"[lfs]\n\tstorage = {tmp_path / 'store'}\n")
    assert imported(past, tmp_path) == [("model.safetensors", "imported", "")]


def test_what_a_repository_names_to_be_run_is_not(past: Place, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    script = past.script("evil", f"touch {touched}")
    for key in ("core.fsmonitor", "filter.lfs.smudge", "filter.lfs.process", "core.sshCommand", "alias.config"):
        past.git("config", key, f"!{script}" if key.startswith("alias") else str(script))
    pointed(past, tmp_path / "store")
    past.git("config", "lfs.storage", str(tmp_path / "store"))
    touched.unlink(missing_ok=True)  # by git itself, just now
    assert imported(past, tmp_path) == [("model.safetensors", "imported", "")]
    assert not touched.exists()


def in_dvc(past: Place, cache: Path) -> None:
    content = past.weights("model.safetensors").read_bytes()
    (past.root / "model.safetensors").unlink()
    md5 = hashlib.md5(content).hexdigest()
    kept = cache / "files" / "md5" / md5[:2] / md5[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    (past.root / ".dvc").mkdir()
    (past.root / "model.safetensors.dvc").write_text(f"outs:\n- md5: {md5}\n  path: model.safetensors\n")
    past.git("add", "model.safetensors.dvc")
    past.git("commit", "-qm", "a list")


@pytest.mark.parametrize("name", ["config", "config.local"])
@pytest.mark.parametrize("where", ["../elsewhere", "absolute", "~/cache"])
def test_a_cache_of_dvc_that_lies_elsewhere(past: Place, name: str, where: str, tmp_path: Path) -> None:
    cache = {"../elsewhere": past.root / "elsewhere", "~/cache": tmp_path / "home" / "cache"}.get(where, tmp_path / "c")
    in_dvc(past, cache)
    told = str(cache) if where == "absolute" else where
    (past.root / ".dvc" / "config").write_text("[core]\n    remote = x\n['remote \"x\"']\n    url = /nowhere\n")
    with (past.root / ".dvc" / name).open("a") as file:
        file.write(f"[cache]\n    dir = {told}  # shared\n    type = symlink\n")
    assert imported(past, tmp_path) == [("model.safetensors", "imported", "")]


def test_whose_settings_of_dvc_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    top, settings = tmp_path / "top", tmp_path / "settings" / "dvc" / "config"
    (top / ".dvc").mkdir(parents=True)
    settings.parent.mkdir(parents=True)
    assert cache_of(top, "models/big") == top / ".dvc" / "cache"
    settings.write_text("[cache]\ndir = /of/the/user\n")
    assert cache_of(top, "models/big") == Path("/of/the/user")
    (top / ".dvc" / "config").write_text("[cache]\ndir = /of/the/project\n")
    assert cache_of(top, "") == Path("/of/the/project")
    (top / ".dvc" / "config.local").write_text("[cache]\ndir = /here\n")
    assert cache_of(top, "") == Path("/here")


def test_what_dvc_does_not_cache_comes_from_git_or_is_named(past: Place, tmp_path: Path) -> None:
    """`cache: false`, in lists and in pipelines: git carries the one file, nobody the others."""
    past.weights("kept.safetensors", 1)
    past.weights("sub/staged.safetensors", 2)
    md5 = hashlib.md5(b"x").hexdigest()
    outs = "".join(f"- {{md5: {md5}, path: {name}, cache: false}}\n" for name in ("kept.safetensors", "lost.pt"))
    (past.root / "a.dvc").write_text(f"outs:\n{outs}")
    (past.root / "sub" / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: x\n    outs: [a.csv, staged.safetensors: {cache: false}]\n"
        "    metrics: [m.json: {cache: false}]\n  each:\n    foreach: [1]\n    do: {outs: [gone.pt: {cache: false}]}\n"
    )
    outs = ", ".join(
        f"{{path: {name}, md5: {md5}}}" for name in ("staged.safetensors", "m.json", "gone.pt", "lacking.pt")
    )
    (past.root / "sub" / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  train:\n    cmd: x\n    outs: [{outs}]\n")
    past.git("add", "-A")
    past.git("commit", "-qm", "outputs that are not cached")
    said = imported(past, tmp_path)
    assert sorted((path, state) for path, state, _ in said) == [
        ("kept.safetensors", "imported"),
        ("lost.pt", "missing"),
        ("sub/gone.pt", "missing"),
        ("sub/lacking.pt", "missing"),
        ("sub/staged.safetensors", "imported"),
    ]
    hints = {path: hint for path, state, hint in said if state == "missing"}
    assert hints["sub/lacking.pt"] == "run: dvc fetch --all-commits"
    assert "mvc commit PATH" in hints["lost.pt"] and "mvc commit PATH" in hints["sub/gone.pt"]
