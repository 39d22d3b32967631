"""Setting a git repository up, and back to how it was, byte for byte."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integrations.gitplace import Place

Tree = dict[str, tuple[int, bytes]]


def tree(root: Path) -> Tree:
    """Everything below a directory but git's objects, logs and index: mode, and content or where a link leads."""
    found = {}
    for directory, _, names in os.walk(root):
        for name in (".", *names):
            path = Path(directory) / name
            relative = path.relative_to(root).as_posix()
            if not relative.startswith((".git/objects", ".git/logs", ".git/index", ".mvc")):
                content = os.readlink(path).encode() if path.is_symlink() else b"" if name == "." else path.read_bytes()
                found[relative] = (stat.S_IMODE(path.lstat().st_mode), content)
    return found


def plain(_at: Place) -> None:
    pass


def with_hooks(at: Place) -> None:
    at.script(".git/hooks/pre-push", "echo before; cat >&2; exit 0")
    at.script(".git/hooks/post-commit", "echo before").chmod(0o700)
    (at.root / ".git/hooks/post-merge").symlink_to("post-commit")


def unended(at: Place) -> None:
    (at.root / ".gitattributes").write_bytes(b"*.txt text\r\n*.jpg binary")
    with (at.root / ".git/config").open("ab") as file:
        file.write(b'[user]\n\tname = "No End"')
    (at.root / ".git/config").chmod(0o600)


def without_a_directory_of_hooks(at: Place) -> None:
    at.run("rm", "-r", ".git/hooks")


def with_hooks_path(at: Place) -> None:
    at.script("tools/hooks/pre-push", "echo theirs: $@; cat")
    at.script("tools/hooks/pre-commit", "echo theirs: pre-commit")
    at.git("config", "core.hooksPath", "tools/hooks")


def with_hooks_for_all(at: Place) -> None:
    shared = Place(Path(at.env["HOME"]), at.env)
    shared.script("hooks/pre-push", "echo theirs: $@; cat")
    at.git("config", "--global", "core.hooksPath", "~/hooks")


def with_husky(at: Place) -> None:
    at.script(".husky/_/pre-push", '. "$(dirname -- "$0")/h"')
    at.script(".husky/_/h", 'n=$(basename "$0"); s="$(dirname "$(dirname "$0")")/$n"; [ ! -f "$s" ] || sh -e "$s" "$@"')
    at.script(".husky/pre-push", "echo theirs: $@; cat")
    at.git("config", "core.hooksPath", ".husky/_")


def with_a_link_to_hooks(at: Place) -> None:
    at.script("tools/hooks/pre-push", "echo theirs: $@; cat")
    at.run("rm", "-r", ".git/hooks")
    (at.root / ".git/hooks").symlink_to("../tools/hooks")


SIMPLE = [plain, with_hooks, unended, without_a_directory_of_hooks]
ELSEWHERE = [with_hooks_path, with_hooks_for_all, with_husky, with_a_link_to_hooks]


@pytest.mark.parametrize("layout", [*SIMPLE, *ELSEWHERE], ids=lambda layout: layout.__name__)
def test_uninstall_leaves_what_install_found(layout: Callable[[Place], None], place: Callable[..., Place]) -> None:
    work = place("work")
    layout(work)
    before, home = tree(work.root), tree(Path(work.env["HOME"]))
    work.mvc("git", "install")
    once = tree(work.root)
    work.mvc("git", "install")
    assert tree(work.root) == once != before
    assert tree(Path(work.env["HOME"])) == home
    hooks = Path(work.git("rev-parse", "--git-path", "hooks").stdout.strip())
    for name in ("pre-push", "post-commit", "post-checkout", "post-merge"):
        assert b"exec mvc git hook" in (work.root / hooks / name).read_bytes()
    work.mvc("git", "uninstall")
    assert tree(work.root) == before and tree(Path(work.env["HOME"])) == home
    assert "nothing of mvc is installed here" in work.mvc("git", "uninstall").stdout
    assert tree(work.root) == before


@pytest.mark.parametrize("layout", [with_hooks, *ELSEWHERE], ids=lambda f: f.__name__)
def test_hooks_that_were_there_run_first(layout: Callable[[Place], None], place: Callable[..., Place]) -> None:
    server = place("server.git", "--bare")
    work = place("work")
    work.git("remote", "add", "origin", str(server.root))
    layout(work)
    work.mvc("init")
    work.mvc("git", "install")
    if layout is with_husky:
        work.git("config", "core.hooksPath", ".husky/_")  # as npm install does it, again and again
    work.weights("m.safetensors", 0)
    work.git("add", "-A")
    done = work.git("commit", "-m", "one")
    assert "mvc: kept  m.safetensors" in done.stderr
    if layout is with_hooks_path:
        assert "theirs: pre-commit" in done.stdout + done.stderr
    done = work.git("push", "origin", "main")
    told = done.stdout + done.stderr
    assert ("before" if layout is with_hooks else f"theirs: origin {server.root}") in told
    assert f"refs/heads/main {work.head()} refs/heads/main {'0' * 40}" in told  # their stdin
    assert "mvc: 1 checkpoint" in done.stderr


def test_a_hook_that_was_there_has_the_last_word(place: Callable[..., Place]) -> None:
    server = place("server.git", "--bare")
    work = place("work")
    work.git("remote", "add", "origin", str(server.root))
    work.script(".git/hooks/pre-push", "echo not on Fridays >&2; exit 3")
    work.script(".git/hooks/post-checkout", "exit 5")
    work.mvc("git", "install")
    (work.root / "a.txt").write_text("text")
    work.git("add", "-A")
    work.git("commit", "-qm", "text")
    done = work.git("push", "origin", "main", ok=False)
    assert done.returncode == 1 and "not on Fridays" in done.stderr
    assert work.git("checkout", "-qb", "new", ok=False).returncode == 1  # git makes it so
    (work.root / ".git/hooks/pre-push.before-mvc").chmod(0o644)  # git runs no such hooks, and says so once
    work.git("push", "origin", "main")


#: what `pre-commit install` writes, and how its program runs the hook that it found, but never itself
FRAMEWORK = """# File generated by pre-commit: https://pre-commit.com
[ -z "$PRE_COMMIT_RUNNING_LEGACY" ] || { echo "bug: pre-commit's script is installed in migration mode"; exit 1; }
[ ! -x "$0.legacy" ] || PRE_COMMIT_RUNNING_LEGACY=1 "$0.legacy" "$@" || exit $?
echo framework >&2"""


def install_framework(at: Place) -> None:
    hook = at.root / ".git/hooks/pre-push"
    if hook.exists() and "generated by pre-commit" not in hook.read_text():
        hook.rename(f"{hook}.legacy")
    at.script(".git/hooks/pre-push", FRAMEWORK)


def test_the_pre_commit_framework_may_come_before_and_after(place: Callable[..., Place]) -> None:
    server, work = place("server.git", "--bare"), place("work")
    work.git("remote", "add", "origin", str(server.root))
    hooks = work.root / ".git" / "hooks"
    install_framework(work)
    found = tree(hooks)
    for install in (lambda: None, lambda: install_framework(work), lambda: work.mvc("git", "install")):
        work.mvc("git", "install")
        install()
        (work.root / "a.txt").write_text(str(len(tree(hooks))))
        work.git("add", "-A")
        work.git("commit", "-q", "--allow-empty", "-m", "text")
        assert work.git("push", "-q", "origin", "main").stderr == "framework\n"
    work.mvc("git", "uninstall")
    assert tree(hooks) == found
    (hooks / "pre-push").unlink()
    work.script(".git/hooks/pre-push", "echo theirs >&2")
    work.mvc("git", "install")
    install_framework(work)
    work.git("commit", "-q", "--allow-empty", "-m", "more")
    assert work.git("push", "-q", "origin", "main").stderr == "theirs\nframework\n"
    work.mvc("git", "uninstall")
    assert "theirs" in (hooks / "pre-push.legacy").read_text() and "framework" in (hooks / "pre-push").read_text()


def test_a_hook_that_took_the_place_of_ours_is_not_lost(place: Callable[..., Place]) -> None:
    work = place("work")
    work.script(".git/hooks/pre-push", "echo first")
    work.mvc("git", "install")
    work.script(".git/hooks/pre-push", "echo second")
    before = tree(work.root)
    done = work.mvc("git", "install", ok=False)
    assert tree(work.root) == before
    assert done.returncode == 2 and "are hooks that mvc did not write" in done.stderr


def test_installing_again_follows_where_hooks_are_now(place: Callable[..., Place]) -> None:
    work = place("work")
    work.script("tools/hooks/commit-msg", "exit 0")
    work.script(".git/hooks/post-commit", "echo before")
    before = tree(work.root)
    work.mvc("git", "install")
    here = tree(work.root)
    config = (work.root / ".git/config").read_bytes()
    work.git("config", "core.hooksPath", "tools/hooks")
    told = json.loads(work.mvc("git", "install", "--json").stdout)
    assert {Path(hook["path"]).parent for hook in told["hooks"]} == {work.root / ".git/mvc/hooks"}
    assert {hook["before"] for hook in told["hooks"]} == {None}
    assert not (work.root / ".git/hooks/pre-push").exists()
    assert (work.root / ".git/hooks/post-commit").read_text() == "#!/bin/sh\necho before\n"
    work.git("config", "--unset", "core.hooksPath")
    assert (work.root / ".git/config").read_bytes() == config
    work.mvc("git", "install")
    assert tree(work.root) == here
    work.mvc("git", "uninstall")
    assert tree(work.root) == before


def test_what_others_wrote_since_stays(place: Callable[..., Place]) -> None:
    work = place("work")
    work.mvc("git", "install")
    work.git("config", "--add", "include.path", "/somewhere/else")
    work.git("config", "alias.st", "status")
    with (work.root / ".gitattributes").open("a") as file:
        file.write("*.txt text\n")
    work.mvc("git", "uninstall")
    assert work.git("config", "--local", "--get-all", "include.path").stdout == "/somewhere/else\n"
    assert work.git("config", "alias.st").stdout == "status\n"
    assert (work.root / ".gitattributes").read_text() == "*.txt text\n"
    assert "mvc" not in (work.root / ".git/config").read_text()


def test_lines_that_a_clone_came_with_stay(place: Callable[..., Place], tmp_path: Path) -> None:
    work = place("work")
    work.mvc("git", "install")
    work.git("add", "-A")
    work.git("commit", "-qm", "attributes")
    work.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Place(tmp_path / "clone", work.env)
    before = tree(clone.root)
    clone.mvc("git", "install")
    clone.mvc("git", "uninstall")
    assert tree(clone.root) == before and "diff=mvc" in (clone.root / ".gitattributes").read_text()


def test_linked_working_trees_and_submodules(place: Callable[..., Place], tmp_path: Path) -> None:
    module, work = place("module"), place("work")
    for at in (module, work):
        (at.root / "a.txt").write_text("text")
        at.git("add", "-A")
        at.git("commit", "-qm", "first")
    work.git("submodule", "--quiet", "add", str(module.root), "sub")
    work.git("commit", "-qm", "submodule")
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    work.mvc("init")
    before = tree(tmp_path)
    sub, linked = Place(work.root / "sub", work.env), Place(tmp_path / "linked", work.env)
    told = json.loads(sub.mvc("git", "install", "--json").stdout)
    assert told["schema"] == "mvc.git-install/v1"
    assert told["directory"] == str(work.root / ".git/modules/sub") and told["repository"] == str(work.root)
    told = json.loads(linked.mvc("git", "install", "--json").stdout)
    assert told["directory"] == str(work.root / ".git") and told["repository"] == str(work.root)
    assert told["attributes"] == str(linked.root / ".gitattributes")
    for at, step in ((sub, 3), (linked, 4)):
        at.weights("m.safetensors", step)
        at.git("add", "m.safetensors")
        assert "m.safetensors" in at.git("commit", "-m", "model").stderr
        facts = json.loads(work.mvc("show", "HEAD", "--json").stdout)["facts"]
        assert facts["path"] == ("sub/m.safetensors" if at is sub else str(linked.root / "m.safetensors"))
        assert facts["extra"]["git"] == at.head()
        (at.root / "m.safetensors").unlink()
        at.git("reset", "-q", "--hard", "HEAD~1")
    told = json.loads(work.mvc("git", "uninstall", "--json").stdout)
    assert told["schema"] == "mvc.git-uninstall/v1" and str(linked.root / ".gitattributes") in told["removed"]
    sub.mvc("git", "uninstall")
    after = tree(tmp_path)

    def setup(at: Tree) -> Tree:
        return {
            path: at[path] for path in at if "/hooks" in path or path.endswith(("/config", ".gitattributes", "/mvc"))
        }

    assert setup(after) == setup(before)


def test_without_mvc_gates_close_and_the_rest_goes_on(place: Callable[..., Place]) -> None:
    server, work = place("server.git", "--bare"), place("work")
    work.git("remote", "add", "origin", str(server.root))
    work.script(".git/hooks/post-commit", "echo before >&2")
    work.mvc("git", "install")
    settings = work.root / ".git/mvc/config"
    settings.write_text(settings.read_text().replace(str(Path(sys.executable).parent), "/nowhere"))
    (Path(work.env["HOME"]).parent / "bin" / "mvc").unlink()
    bare = {"PATH": "/usr/bin:/bin"}
    work.weights("m.safetensors", 0)
    work.git("add", "-A", **bare)
    done = work.git("commit", "-qm", "one", **bare)
    assert "before" in done.stderr
    done = work.git("push", "origin", "main", ok=False, **bare)
    assert done.returncode == 1 and "mvc cannot be run, so nothing is pushed" in done.stderr
    done = work.git("log", "-p", **bare)
    assert "+mvc cannot be run" in done.stdout and "+*.safetensors diff=mvc" in done.stdout


def test_nothing_is_written_while_git_holds_its_lock(place: Callable[..., Place]) -> None:
    work = place("work")
    (work.root / ".git/config.lock").touch()
    before = tree(work.root)
    done = work.mvc("git", "install", ok=False)
    assert done.returncode == 4 and "another process is changing" in done.stderr
    assert {path: found for path, found in tree(work.root).items() if not path.startswith(".git/mvc")} == before
    (work.root / ".git/config.lock").unlink()
    work.mvc("git", "install")


def test_places_that_cannot_be_set_up(tmp_path: Path, env: dict[str, str], place: Callable[..., Place]) -> None:
    done = Place(tmp_path, env).mvc("git", "install", "--json", ok=False)
    assert done.returncode == 2 and "not a git repository" in done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "git"
    work = place("work")
    done = Place(work.root / ".git", env).mvc("git", "install", ok=False)
    assert done.returncode == 2 and "this is git's own directory" in done.stderr
    (work.root / ".gitattributes").symlink_to("elsewhere")
    before = tree(work.root)
    done = work.mvc("git", "install", ok=False)
    assert done.returncode == 2 and "git does not read it" in done.stderr and tree(work.root) == before
    done = Place(tmp_path, {**env, "PATH": f"{tmp_path}/bin"}).mvc("git", "install", ok=False)
    assert done.returncode == 2 and "git cannot be run" in done.stderr
