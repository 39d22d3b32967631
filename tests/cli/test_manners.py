"""What holds for every command: help, manual pages, `--json`, completion, and errors that end in something to do."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc import errors
from mvc.cli import helping, main, manual, table

ROOT = Path(__file__).parents[2]
Invoke = Callable[..., tuple[int, str, str]]
#: they print text that is made for another program, or for reading
TEXT_ONLY = {"mvc completion", "mvc git textconv", "mvc help"}


def leaves(context: click.Context | None = None) -> Iterator[click.Context]:
    context = context or click.Context(main.cli, info_name="mvc", **main.cli.context_settings)
    below = list(helping.children(context))
    if not below or any(isinstance(param, click.Option) and "--json" in param.opts for param in context.command.params):
        yield context
    for child in below:
        yield from leaves(child)


LEAVES = {context.command_path: context for context in leaves()}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("manners")
    rng = np.random.default_rng(0)
    point = rng.normal(size=(16, 16))
    for index in range(4):
        point = point + 0.05 * rng.normal(size=point.shape)
        save_file({"w": point.astype(np.float32)}, str(root / f"{index}.safetensors"))
    for args in (["init"], ["commit", ".", "-m", "four"], ["tag", "first-light", "HEAD"]):
        subprocess.run([sys.executable, "-m", "mvc.cli.main", *args], cwd=root, check=True, capture_output=True)
    return root


@pytest.mark.parametrize("path", sorted(LEAVES))
def test_what_reports_has_json_and_a_place_in_its_documentation(path: str) -> None:
    options = {name for param in LEAVES[path].command.params for name in param.opts}
    assert ("--json" in options) == (path not in TEXT_ONLY)
    name = path.removeprefix("mvc ")
    documented = (ROOT / "docs" / "json.md").read_text("utf-8")
    assert path in TEXT_ONLY or f"`{name}`" in documented, f"say in docs/json.md what {name} --json prints"


@pytest.mark.parametrize(
    "line",
    [
        "status", "log", "show", "diff HEAD~1 HEAD", "blame HEAD", "check --exit-zero", "explain", "explain HEAD",
        "tag", "identify 0.safetensors", "lineage", "lineage list", "op log", "fsck", "gc --dry-run", "du",
        "version", "embed list", "zoo list", "paper list", "init", "commit 0.safetensors", "reindex",
        "checkout HEAD -o new",
    ],
)  # fmt: skip
def test_json_is_one_object_that_names_its_schema(line: str, repo: Path, invoke: Invoke) -> None:
    (repo / "new").unlink(missing_ok=True)
    code, out, _ = invoke("-C", str(repo), *line.split(), "--json")
    told = json.loads(out)
    assert code == 0 and re.fullmatch(r"mvc\.[a-z-]+/v1", told["schema"])


@pytest.mark.parametrize("name", sorted({path.split()[1] for path in LEAVES}))
def test_help_pages(name: str, invoke: Invoke) -> None:
    code, out, _ = invoke("help", name)
    assert code == 0 and out.startswith(f"Usage: mvc {name}")
    for context in LEAVES.values():
        if context.command_path.startswith(f"mvc {name} "):
            assert context.command_path in out


@pytest.mark.parametrize("name", sorted(helping.TOPICS))
def test_topics_are_pages_of_the_documentation(name: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert (ROOT / "docs" / "topics" / f"{name}.md").is_file()
    assert invoke("help", name) == (0, helping.topic_text(name), "")
    assert "\x1b[" in "\n".join(helping.topic_lines(name, 80, rich=True))


def test_every_topic_is_listed() -> None:
    assert {path.stem for path in (ROOT / "docs" / "topics").glob("*.md")} == set(helping.TOPICS)


def test_the_environment_page_names_every_variable() -> None:
    source = (ROOT / "mvc" / "cli" / "environment.py").read_text("utf-8")
    others = [(ROOT / "mvc" / name).read_text("utf-8") for name in ("cli/opening.py", "porcelain/author.py")]
    known = set(re.findall(r'"((?:MVC_|GIT_|NO_)[A-Z_]+|PAGER|TERM)"', "".join([source, *others])))
    known -= {"GIT_AUTHOR_IDENT"}  # what git is asked for, no variable
    assert all(f"{name}" in helping.topic_text("environment") for name in known) and len(known) > 6


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("help chekc", "did you mean: mvc help check"),
        ("help git instal", "did you mean: mvc help git install"),
        ("help revision", "did you mean: mvc help revisions"),
        ("help xyzzy", "list commands and topics with: mvc help"),
        ("chekc", "did you mean: mvc check"),
        ("git instal", "did you mean: mvc git install"),
    ],
)
def test_unknown_names_are_answered_with_a_near_one(line: str, hint: str, invoke: Invoke) -> None:
    code, out, err = invoke(*line.split())
    assert (code, out) == (2, "") and f"hint: {hint}" in err


def test_manual_pages_are_up_to_date() -> None:
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "man").iterdir()}
    assert written == dict(manual.pages()), "run: make man"


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_manual_pages_are_sound() -> None:
    pages = sorted((ROOT / "man").iterdir())
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning", *map(str, pages)], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    assert len(pages) == len(table.COMMANDS) + 1


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_shows_a_page() -> None:
    page, env = ROOT / "man" / "mvc-import-history.1", {"MANWIDTH": "80", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(["man", "-l", str(page)], capture_output=True, text=True, check=True, env=env)
    assert "mvc import-history [OPTIONS] [GITREPO]" in done.stdout and "--paths GLOB" in done.stdout


def test_every_error_says_what_to_do() -> None:
    """Where the code that raises it says nothing, its family does."""
    families = [found for found in vars(errors).values() if isinstance(found, type)]
    for family in families:
        if issubclass(family, errors.MvcError):
            assert re.search(r"(mvc|df|again)", main.hint_of(family("x"), ["log"])), family
    assert main.hint_of(errors.InputError("x"), ["-C", "here", "show", "y"]) == "see: mvc help show"
    assert main.hint_of(errors.InputError("x", hint="run: mvc log"), ["show"]) == "run: mvc log"


def test_commands_in_hints_exist() -> None:
    """Every `mvc …` that a message names is a command."""
    named: set[str] = set()
    for path in (ROOT / "mvc").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call):
                words = [ast.unparse(item.value) for item in call.keywords if item.arg == "hint"]
                named |= set(re.findall(r": mvc ([a-z-]+)", " ".join(words)))
    assert named - set(table.COMMANDS) == set() and len(named) > 8


def test_a_commit_is_explained_in_words(repo: Path, invoke: Invoke) -> None:
    code, out, _ = invoke("-C", str(repo), "explain", "first-light", "MVC001")
    assert code == 0 and "It goes on from " in out and "standard deviations beyond" in " ".join(out.split())
    assert "MVC001 not-finite" in out
    told = json.loads(invoke("-C", str(repo), "explain", "HEAD", "--json")[1])
    assert told["rules"] == [] and told["commits"][0]["inference"]["evidence"]["sigmas"] > 6
    code, _, err = invoke("-C", str(repo), "explain", "nosuch")
    assert code == 2 and "names no rule, commit, tag or lineage" in err
    assert "did you mean: first-light" in invoke("-C", str(repo), "explain", "first-ligth")[2]


def test_explain_needs_no_repository_for_rules(tmp_path: Path, invoke: Invoke) -> None:
    assert invoke("-C", str(tmp_path), "explain", "not-finite")[0] == 0
    code, _, err = invoke("-C", str(tmp_path), "explain", "HEAD")
    assert code == 2 and "repository" in err


def test_whatever_names_a_file_is_completed_with_files() -> None:
    wanted = re.compile(r"\b(FILE|DIR|PATH|GITREPO)\b")
    top = click.Context(main.cli, info_name="mvc")
    for context in (top, *leaves()):
        for param in context.command.params:
            if wanted.search(param.metavar or ""):
                kinds = {item.type for item in param.shell_complete(context, "x")}
                assert kinds & {"file", "dir"}, f"{context.command_path}: {param.name}"


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("completion", "'{bash|fish|zsh}'. Choose from: bash, fish, zsh", "see: mvc completion --help"),
        ("log --grap", "no option '--grap'", "did you mean: --graph"),
        ("log --nope", "no option '--nope'", "see: mvc log --help"),
        ("--repo x log", "no option '--repo'", "see: mvc --help"),
    ],
)
def test_usage_errors_are_one_line_and_one_hint(line: str, said: str, hint: str, invoke: Invoke) -> None:
    code, out, err = invoke(*line.split())
    assert (code, out) == (2, "") and len(err.splitlines()) == 2
    assert said.lower() in err.lower() and err.endswith(f"hint: {hint}\n")
