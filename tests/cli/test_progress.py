"""What a terminal shows while something takes long, and that nothing else does."""

from __future__ import annotations

import time
from pathlib import Path

import click
import pytest

from mvc.cli import progress as module
from mvc.cli.options import Session
from mvc.cli.progress import progress
from mvc.porcelain.progress import silent


class _Terminal:
    """stderr as a terminal, of which what is drawn stays."""

    def __init__(self) -> None:
        self.drawn, self.encoding = "", "utf-8"

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.drawn += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> _Terminal:
    """To be made stderr in the test: pytest sets its own between setting up and calling."""
    shown = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(module, "AFTER", 0.02)
    return shown


def _until(terminal: _Terminal, text: str) -> str:
    last = time.monotonic() + 30
    while text not in terminal.drawn and time.monotonic() < last:
        time.sleep(0.01)
    return terminal.drawn


def test_what_was_reported_before_the_bar_is_shown_too(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal)
    with progress("comparing") as report:
        report(3, 8, "layer\x1b[31m.weight")
        assert "3/8" in _until(terminal, "3/8")
        report(4, 8, "other.weight")
        assert "other.weight" in _until(terminal, "4/8")
    assert "comparing" in terminal.drawn and "\x1b[31m.weight" not in terminal.drawn
    before = len(terminal.drawn)
    time.sleep(0.1)
    assert len(terminal.drawn) == before, "it goes on after the end"


def test_what_is_done_at_once_shows_nothing(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(module, "AFTER", 60)
    with progress("comparing") as report:
        report(1, 2, "x")
    assert terminal.drawn == ""


def test_an_error_ends_it(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal)
    with pytest.raises(KeyboardInterrupt), progress("comparing"):
        _until(terminal, "comparing")
        raise KeyboardInterrupt
    assert "comparing" in terminal.drawn and "\x1b[?25h" in terminal.drawn, "the cursor is not back"
    assert "0/?" not in terminal.drawn


@pytest.mark.parametrize("why", ["piped", "json", "quiet", "dumb"])
def test_who_sees_none(why: str, terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    context = click.Context(
        click.Command("diff"), obj=Session(Path(), colour=True, use_pager=True, quiet=why == "quiet")
    )
    context.params = {"as_json": why == "json"}
    if why == "piped":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr", terminal)
    with context, progress("comparing") as report:
        assert report is silent


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_it_is_one_line_at_usual_widths(columns: int, terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress("identifying") as report:
        report(12_345, 23_456, "a.very.long.name.of.a.layer.in.a.very.large.model.attention.weight")
        _until(terminal, "12345/23456")
        before_the_end = terminal.drawn
    assert "12345/23456" in before_the_end and "\n" not in before_the_end
