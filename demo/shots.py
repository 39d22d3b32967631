"""Pictures of real commands, for README.md and the docs: python -m demo.shots docs/images

Trains the demo's population, commits its anonymous files, and shows what commands print on a terminal of 100 columns,
drawn by rich; `mvc report` as Chromium shows it, driven by Playwright; and `mvc plot` of a family with an average.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text
from safetensors.numpy import load_file, save_file

from demo.pages import Bench

WIDTH, HEIGHT = 100, 50
#: colours of a picture of the page, and the width of a plot in pixels: few bytes to clone, and nothing that is missed
COLOURS, PLOT = 256, 800
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
    return settled(seen.decode("utf-8"))


def settled(text: str) -> str:
    """What stays on the terminal: progress that was shown meanwhile is taken away again."""
    lines, at = [""], 0
    for piece in re.split(r"(\r?\n|\r|\x1b\[1A|\x1b\[2K|\x1b\[\?25[hl])", text):
        if piece.endswith("\n"):
            at += 1
            lines += [""] * (at == len(lines))
        elif piece == "\x1b[1A":
            at -= 1
        elif piece == "\x1b[2K":
            lines[at] = ""
        elif piece != "\r" and not piece.startswith("\x1b[?25"):
            lines[at] += piece
    return "\n".join(lines)


def picture(commands: list[str], bench: Bench) -> str:
    """An SVG of these commands and what they print."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    for place, command in enumerate(commands):
        console.print("\n" if place else "", end="")
        console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
        console.print(Text.from_ansi(on_terminal(command, bench).rstrip()), overflow="fold")
    return _FONTS.sub("", console.export_svg(title="mvc", theme=MONOKAI, unique_id="mvc"))


def family(log: Mapping[str, Any]) -> tuple[str, str]:
    """The lineage that another one left, and that one."""
    fork = next(row for row in log["lineages"] if row["forked_from"])
    return fork["forked_from"]["lineage"], fork["name"]


def pictures(log: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, list[str]]:
    """Name of each picture → its commands, about the lineages that were found."""
    host, fork = family(log)
    bad = next(row["id"][:8] for row in check["commits"] if row["verdict"] == "fail")
    return {
        "log": [f"mvc log {host}"],
        "graph": [f"mvc log --graph -n 4 {host} {fork}"],
        "check": [f"mvc check {bad}~2..{bad}", f"mvc diff {bad}~1 {bad}"],
        "explain": [f"mvc explain {fork}@0"],
    }


def keep(drawn: Path | io.BytesIO, target: Path, *, width: int | None = None) -> None:
    """A picture as a small PNG."""
    with Image.open(drawn) as found:
        whole = found.convert("RGB")
    if width is not None:
        whole = whole.resize((width, round(whole.height * width / whole.width)), Image.Resampling.LANCZOS)
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def show_report(page: Path, out: Path) -> None:
    """The report's first screen, in both themes."""
    with sync_playwright() as driver:
        # no sandbox: this may run as root
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for theme in ("light", "dark"):
            window = browser.new_page(viewport={"width": 1400, "height": 1320}, color_scheme=theme)
            window.goto(page.as_uri())
            window.locator("html[data-drawn]").wait_for(state="attached")
            keep(io.BytesIO(window.screenshot()), out / f"report-{theme}.png")
        browser.close()


def draw_family(host: str, fork: str, bench: Bench) -> None:
    """A map of a lineage, of what left it, and of the average of both tips."""
    for name, revision in (("a", host), ("b", fork)):
        bench.run(f"mvc checkout {revision} -o {name}.safetensors")
    a, b = (load_file(bench.place / f"{name}.safetensors") for name in "ab")
    (bench.place / "average").mkdir()
    save_file({name: (a[name] + b[name]) / 2 for name in a}, bench.place / "average" / "average.safetensors")
    bench.run("mvc commit average")
    bench.run(f"mvc plot map {host} -o family.png")


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mvc-shots-") as name:
        bench = Bench(Path(name).resolve())
        bench.place = bench.place.rename(bench.place.with_name("demo"))  # the report's title
        for command in ("mvc zoo train demo -o checkpoints", "mvc init", "mvc commit checkpoints"):
            bench.run(command)
        log = json.loads(bench.run("mvc log --all --json")[0])
        check = json.loads(bench.run("mvc check --all --json")[0])
        for title, commands in pictures(log, check).items():
            (out / f"{title}.svg").write_text(picture(commands, bench), "utf-8")
        bench.run("mvc report -o report.html")
        show_report(bench.place / "report.html", out)
        draw_family(*family(log), bench)
        keep(bench.place / "family.png", out / "plot-map.png", width=PLOT)


if __name__ == "__main__":
    main()
