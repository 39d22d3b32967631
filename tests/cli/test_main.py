"""The command table, exit codes, and errors in the contract's form."""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mvc import errors
from mvc.cli import main, table

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_table_says_what_the_commands_say() -> None:
    for name in table.COMMANDS:
        module = importlib.import_module(f"mvc.cli.commands.{name.replace('-', '_')}")
        assert isinstance(module.command, click.Command), name
        assert module.command.help, name
    modules = {path.stem.replace("_", "-") for path in (Path(main.__file__).parent / "commands").glob("[!_]*.py")}
    assert modules == set(table.COMMANDS)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_and_imports_none(flag: str) -> None:
    code = (
        "import sys; from mvc.cli.main import run; code = run([sys.argv[1]]); "
        "heavy = {m.split('.')[0] for m in sys.modules} & {'numpy','sqlalchemy','rich','torch','scipy','sklearn'}; "
        "print('HEAVY', sorted(heavy), code)"
    )
    done = subprocess.run([sys.executable, "-c", code, flag], capture_output=True, text=True, check=True)
    assert "HEAVY [] 0" in done.stdout
    for name, text in table.COMMANDS.items():
        assert name in done.stdout
        assert text in done.stdout


def test_help_starts_in_the_time_that_click_takes() -> None:
    def seconds(*command: str) -> float:
        """Of the processor, whoever else wants it; with what is compiled kept, as it is for users."""
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        times = []
        for _ in range(7):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=env)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(times)

    click_alone = seconds(sys.executable, "-c", "import click")
    assert seconds(sys.executable, "-m", "mvc.cli.main", "--help") < 2.5 * click_alone


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("x"), 2),
        (errors.FormatError("x"), 2),
        (errors.NotFoundError("x"), 2),
        (errors.ExistsError("x"), 2),
        (errors.StorageError("x"), 2),
        (errors.IntegrityError("x"), 3),
        (errors.BusyError("x"), 4),
    ],
)
def test_families_of_errors_have_exit_codes(
    error: errors.MvcError, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: broken)
    assert main.run(["log"]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: x\nhint: ")


def run_broken(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    @click.command()
    @click.option("--json", is_flag=True)
    def broken(json: bool) -> None:
        raise error

    monkeypatch.setattr(main.LazyGroup, "get_command", lambda *_: broken)
    return main.run(["log", "--json"])


def test_errors_come_as_json_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.NotFoundError("no \x1b[31mx", hint="run: mvc log")
    assert run_broken(error, monkeypatch) == 2
    captured = capsys.readouterr()
    assert "\x1b" not in captured.err and captured.out == ""
    text, hint, payload = captured.err.splitlines()
    assert (text, hint) == ("error: no \\x1b[31mx", "hint: run: mvc log")
    assert json.loads(payload) == {
        "schema": "mvc.error/v1",
        "code": "not-found",
        "message": "no \x1b[31mx",
        "hint": "run: mvc log",
    }


def test_an_interruption_says_in_one_line_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_broken(errors.Interrupted("half is kept in '\x1b'; the same command goes on"), monkeypatch) == 130
    assert capsys.readouterr() == ("", "interrupted: half is kept in '\\x1b'; the same command goes on\n")
    assert run_broken(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr() == ("", "")


def test_a_second_interruption_is_quiet_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def impatient(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mvc.cli.main.run", impatient)
    monkeypatch.setattr("sys.argv", ["mvc", "log"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 130 and capsys.readouterr().err == ""


def test_interrupts_defects_and_the_operating_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_broken(KeyboardInterrupt(), monkeypatch) == 130
    assert run_broken(ZeroDivisionError("oops"), monkeypatch) == 70
    assert run_broken(PermissionError(13, "Permission denied", "/x"), monkeypatch) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_usage_errors(mvc: Run, tmp_path: Path) -> None:
    for args in (
        ["lgo"],
        ["--bogus"],
        ["log", "--bogus"],
        ["diff"],
        ["-C", str(tmp_path / "none"), "log"],
        ["zoo", "x"],
    ):
        done = mvc(*args)
        assert done.returncode == 2, args
        assert done.stderr.startswith("error: "), args
        assert "hint: " in done.stderr and "Traceback" not in done.stderr
        assert done.stdout == ""
    assert "did you mean: mvc log" in mvc("lgo").stderr
    payload = json.loads(mvc("log", "--json", "--bogus").stderr.splitlines()[-1])
    assert payload["schema"] == "mvc.error/v1" and payload["code"] == "usage"


def test_version_and_bare_call(mvc: Run) -> None:
    assert mvc("--version").stdout.startswith("mvc ")
    bare = mvc()
    assert bare.returncode == 0 and "Usage: mvc" in bare.stdout


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    code = f"{sys.executable} -m mvc.cli.main zoo list --json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(mvc: Run, shell: str) -> None:
    done = mvc("completion", shell)
    assert done.returncode == 0 and "_MVC_COMPLETE" in done.stdout and "mvc" in done.stdout
    assert mvc("completion", "tcsh").returncode == 2


def test_the_shell_completes_commands(mvc: Run) -> None:
    done = mvc(env={"_MVC_COMPLETE": "bash_complete", "COMP_WORDS": "mvc che", "COMP_CWORD": "1"})
    assert done.stdout.split() == ["plain,check", "plain,checkout"]


def test_the_package_runs_as_the_script_does() -> None:
    done = subprocess.run([sys.executable, "-m", "mvc", "op", "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: mvc op ")
