"""`mvc commit` beside what else keeps checkpoints, on the same files, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.storage.peers --peers CACHE --series scratch=DIR --series bf16=DIR

Every series is a directory of checkpoints in the order of their names (`benchmarks.storage.train_gpt` makes some). They
are committed one after another, each by every tool before the next one, so that all share what else the machine does.
A tool's store is its own; the file lies in its working tree under one name, overwritten each time, in the page cache.
mvc is measured with files that stay, too, each under a name of its own, as most trainers write them.
Peers are installed into virtual environments below CACHE; what does not install is left out, and said so. Prints
Markdown: medians over all checkpoints but the first of wall-clock and processor seconds of the whole command, the
ratio of the former to copying the file and syncing it, and raw bytes by stored ones. The working copy is not counted,
nor is mvc's index, which can be deleted. `--verbs REPO` adds what reading commands take in a repository that is there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import blake3

from mvc import Repository

NAME = "model.safetensors"
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
_ENVIRONMENT |= {"DVC_NO_ANALYTICS": "1", "OMP_NUM_THREADS": "1"}

_OXEN_INIT = "import oxen; r = oxen.Repo('.'); r.init(); oxen.user.config_user('x', 'x@example.org')"
_OXEN = f"import oxen; r = oxen.Repo('.'); r.add('{NAME}'); r.commit('next')"
_XET = (
    f"import hf_xet, os; hf_xet.upload_files(['{NAME}'], 'local://' + os.path.abspath('store'), None, None, None, None)"
)
_ZIPNN = f"""
import os, zipnn
data = open('{NAME}', 'rb').read()
packed = zipnn.ZipNN(bytearray_dtype='float32').compress(bytearray(data))
os.makedirs('store', exist_ok=True)
with open(f'store/{{len(os.listdir("store"))}}', 'wb') as file:
    file.write(packed)
    os.fsync(file.fileno())
"""


@dataclass(frozen=True)
class Tool:
    """``setup`` and ``commit`` are commands, run in the tool's own directory; ``store`` is where it keeps things.

    ``needs`` are packages to install; "PYTHON" in a command is the interpreter that has them. ``stay``: each file has a
    name of its own.
    """

    name: str
    setup: Sequence[Sequence[str]]
    commit: Sequence[Sequence[str]]
    store: str
    needs: Sequence[str] = ()
    stay: bool = False


_MVC = (sys.executable, "-m", "mvc.cli.main")
TOOLS = (
    Tool("`mvc commit`", [[*_MVC, "init"]], [[*_MVC, "commit", NAME]], ".mvc"),
    Tool("`mvc commit`, files that stay", [[*_MVC, "init"]], [[*_MVC, "commit", NAME]], ".mvc", stay=True),
    Tool(
        "git-lfs",
        [["git", "init", "-q"], ["git", "lfs", "install", "--local"], ["git", "lfs", "track", "*.safetensors"]],
        [["git", "add", "."], ["git", "commit", "-qm", "next"]],
        ".git",
    ),
    Tool(
        "DVC",
        [["PYTHON", "-m", "dvc", "init", "--no-scm", "-q"]],
        [["PYTHON", "-m", "dvc", "add", "-q", NAME]],
        ".dvc/cache",
        ["dvc"],
    ),
    Tool("Oxen", [["PYTHON", "-c", _OXEN_INIT]], [["PYTHON", "-c", _OXEN]], ".oxen", ["oxenai"]),
    Tool("Xet, its local client", [], [["PYTHON", "-c", _XET]], "store", ["hf-xet"]),
    Tool("zipnn", [], [["PYTHON", "-c", _ZIPNN]], "store", ["zipnn"]),
    Tool(
        "git-theta",
        [["git", "init", "-q"], ["git", "theta", "install"], ["git", "theta", "track", NAME]],
        [["git", "add", "."], ["git", "commit", "-qm", "next"]],
        ".git",
        ["git-theta[safetensors]"],
    ),
)


_WARM, _KNOWN = "`Repository.commit`, a warm process", "the same of what is known, file and all read"


@dataclass
class Figures:
    wall: list[float]
    cpu: list[float]

    def add(self, wall: float, cpu: float) -> None:
        self.wall.append(wall)
        self.cpu.append(cpu)

    def medians(self) -> tuple[float, float]:
        """Without the first one, which nothing was warm for."""
        return statistics.median(self.wall[1:] or self.wall), statistics.median(self.cpu[1:] or self.cpu)


def run(command: Sequence[str], directory: Path, bin_directory: Path | None) -> tuple[float, float]:
    """Wall-clock and processor seconds of a process and its children. Raises RuntimeError where it fails."""
    environment = dict(_ENVIRONMENT)
    if bin_directory is not None:
        environment["PATH"] = f"{bin_directory}{os.pathsep}{environment['PATH']}"
        command = [str(bin_directory / "python") if word == "PYTHON" else word for word in command]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(lines[-1] if lines else f"exit code {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def install(tool: Tool, cache: Path) -> Path:
    """Directory of programs of a virtual environment that has what a tool needs. Raises RuntimeError."""
    place = cache / tool.needs[0].partition("[")[0]
    done = place / "installed"
    if not done.exists():
        venv.create(place, with_pip=True)
        run([str(place / "bin" / "pip"), "install", "-q", *tool.needs], place, None)
        done.touch()
    return place / "bin"


def size_of(directory: Path) -> int:
    """Bytes of all files below, but for mvc's index."""
    paths = (path for path in directory.rglob("*") if "index" not in path.relative_to(directory).parts[:1])
    return sum(path.lstat().st_size for path in paths if path.is_file() and not path.is_symlink())


def measured(action: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def copy_and_sync(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        shutil.copyfileobj(read, write, 1 << 20)
        write.flush()
        os.fsync(write.fileno())


def series(files: Sequence[Path], tools: Sequence[tuple[Tool, Path | None]], root: Path) -> None:
    """Commits ``files`` with everything and prints a table."""
    figures = {name: Figures([], []) for name in ("cp + fsync", "BLAKE3", _WARM, _KNOWN)}
    figures |= {tool.name: Figures([], []) for tool, _ in tools}
    failed: dict[str, str] = {}
    for tool, programs in tools:
        own = root / tool.name.strip("`")
        own.mkdir()
        try:
            for command in tool.setup:
                run(command, own, programs)
        except (OSError, RuntimeError) as error:
            failed[tool.name] = str(error)
    warm = Repository.init(root / "warm")
    for file in files:
        data = file.read_bytes()
        figures["cp + fsync"].add(*measured(lambda file=file: copy_and_sync(file, root / "copy")))  # type: ignore[misc]
        figures["BLAKE3"].add(*measured(lambda data=data: blake3.blake3(data).digest()))  # type: ignore[misc]
        shutil.copyfile(file, root / "warm" / NAME)
        figures[_WARM].add(*measured(lambda: warm.commit(root / "warm" / NAME)))
        figures[_KNOWN].add(*measured(lambda: warm.commit(root / "warm" / NAME, verify=True)))
        for tool, programs in tools:
            if tool.name in failed:
                continue
            own = root / tool.name.strip("`")
            name = file.name if tool.stay else NAME
            shutil.copyfile(file, own / name)
            try:
                commands = [[name if word == NAME else word for word in command] for command in tool.commit]
                spent = [run(command, own, programs) for command in commands]
            except (OSError, RuntimeError) as error:
                failed[tool.name] = str(error)
                continue
            figures[tool.name].add(sum(wall for wall, _ in spent), sum(cpu for _, cpu in spent))
    raw = sum(file.stat().st_size for file in files)
    stores = {tool.name: root / tool.name.strip("`") / tool.store for tool, _ in tools}
    base = figures["cp + fsync"].medians()[0]
    print("| | wall, s | processor, s | × cp + fsync | raw ÷ stored |\n|---|---|---|---|---|")
    for name, found in figures.items():
        if name in failed:
            print(f"| {name} | failed: {failed[name][:120]} | | | |")
            continue
        wall, cpu = found.medians()
        kept = f"{raw / size_of(stores[name]):.2f}" if name in stores else ""
        print(f"| {name} | {wall:.3f} | {cpu:.3f} | {wall / base:.1f} | {kept} |", flush=True)
    target = root / "restored"
    restored = [measured(lambda: warm.checkout("HEAD~1", target, force=True)) for _ in range(5)]
    print(f"\nCheckout of the last but one, a warm process: {_words(restored)}.")
    found = measured(warm.fsck)
    print(f"`fsck` of the {raw / 1e6:.0f} MB, a warm process: {_words([found])}.")


def verbs(repository: Path) -> None:
    """Medians of reading commands."""
    print("| | wall, s | processor, s |\n|---|---|---|")
    for arguments in (["log"], ["log", "--all"], ["status"], ["diff", "HEAD~1", "HEAD"], ["diff", "HEAD~3", "HEAD"]):
        spent = [run([*_MVC, *arguments], repository, None) for _ in range(6)][1:]
        wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
        print(f"| `mvc {' '.join(arguments)}` | {wall:.3f} | {cpu:.3f} |", flush=True)


def _words(spent: Sequence[tuple[float, float]]) -> str:
    wall, cpu = (statistics.median(column) for column in zip(*spent, strict=True))
    return f"{wall:.3f} s, {cpu:.3f} s of processor time"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, metavar="CACHE", help="where peers are installed [default: none are]")
    parser.add_argument("--series", action="append", default=[], metavar="NAME=DIR", help="checkpoints; repeatable")
    parser.add_argument("--only", action="append", default=[], metavar="TOOL", help="these tools alone; repeatable")
    parser.add_argument("--verbs", action="append", default=[], type=Path, metavar="REPO", help="repeatable")
    options = parser.parse_args()
    tools: list[tuple[Tool, Path | None]] = []
    for tool in TOOLS:
        if options.only and tool.name.strip("`") not in options.only:
            continue
        try:
            if not tool.needs:
                tools.append((tool, None))
            elif options.peers is not None:
                tools.append((tool, install(tool, options.peers)))
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{tool.name} does not install: {error}\n", flush=True)
    for text in options.series:
        name, _, directory = text.partition("=")
        files = sorted(Path(directory).glob("*.safetensors"))
        print(f"\n## {name}: {len(files)} checkpoints of {files[0].stat().st_size / 1e6:.1f} MB\n", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            series(files, tools, Path(scratch))
    for repository in options.verbs:
        print(f"\n## {repository.name}\n", flush=True)
        verbs(repository)


if __name__ == "__main__":
    main()
