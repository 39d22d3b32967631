"""Pictures of real commands in a terminal, for README.md: python -m demo.shots docs/images

Trains the demo's population, commits its anonymous files, and shows what commands print on a terminal of 100 columns,
drawn by rich.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from demo.pages import Bench

WIDTH, HEIGHT = 100, 50
#: what a viewer would have to fetch
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def on_terminal(command: str, bench: Bench) -> str:
    """What a command prints on a terminal, with its colours."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    env = {**bench.env, "MVC_PAGER": "cat", "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(
        ["bash", "-c", command], cwd=bench.place, env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the other side is closed
                break
            seen += piece
    os.close(ours)
    return seen.decode("utf-8").replace("\r\n", "\n")


def picture(commands: list[str], bench: Bench) -> str:
    """An SVG of these commands and what they print."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for place, command in enumerate(commands):
        console.print("\n" if place else "", end="")
        console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
        console.print(Text.from_ansi(on_terminal(command, bench).rstrip()), overflow="fold")
    return _FONTS.sub("", console.export_svg(title="mvc", theme=MONOKAI, unique_id="mvc"))


def pictures(log: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name of each picture → its commands, about the lineages that were found."""
    lineages = {row["name"]: row for row in log["lineages"]}
    fork = next(row for row in lineages.values() if row["forked_from"])
    host = fork["forked_from"]["lineage"]
    bad = next(row["id"][:8] for row in check["commits"] if row["verdict"] == "fail")
    return {
        "log": [f"mvc log {host}"],
        "graph": [f"mvc log --graph -n 4 {host} {fork['name']}"],
        "check": [f"mvc check {bad}~2..{bad}", f"mvc diff {bad}~1 {bad}"],
        "explain": [f"mvc explain {fork['name']}@0"],
    }


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mvc-shots-") as name:
        bench = Bench(Path(name).resolve())
        for command in ("mvc zoo train demo -o checkpoints", "mvc init", "mvc commit checkpoints"):
            bench.run(command)
        log = json.loads(bench.run("mvc log --all --json")[0])
        check = json.loads(bench.run("mvc check --all --json")[0])
        for title, commands in pictures(log, check).items():
            (out / f"{title}.svg").write_text(picture(commands, bench), "utf-8")


if __name__ == "__main__":
    main()
