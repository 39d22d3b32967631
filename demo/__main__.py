"""Trains a small population of real models, throws their checkpoints together, and lets the real commands sort them.

Everything printed below a ``$`` line is what that command printed. Usage: python -m demo [DIRECTORY]
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from demo.truth import scores

_MVC = [sys.executable, "-m", "mvc.cli.main"]


def main() -> int:
    started = time.monotonic()
    home = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-out").absolute()
    marker = home / ".mvc-demo"
    if home.exists():
        if not marker.exists():
            print(f"{home} is not a demo's directory; remove it or name another", file=sys.stderr)
            return 2
        shutil.rmtree(home)
    home.mkdir(parents=True)
    marker.touch()
    truth = home.parent / f"{home.name}-truth.json"
    truth.unlink(missing_ok=True)  # of the demo before

    say("Training 12 MLPs and 6 CNNs on real handwritten digits, one fork and one run with a corrupted last step.")
    run(home, "zoo", "train", "demo", "-o", "checkpoints", "--truth", str(truth), show=False)
    names = sorted(path.name for path in (home / "checkpoints").iterdir())
    say(f"{len(names)} checkpoints of 19 runs now lie in one folder under names like {names[0]}. Nothing says which")
    say("run a file is from, or what came before it. The truth was written elsewhere; mvc does not read it.", gap=False)

    run(home, "init")
    run(home, "commit", "checkpoints", "-m", "found in a folder")
    run(home, "log", "--graph")
    log = run(home, "log", "--all", "--json", show=False)
    fork = next((x for x in log["lineages"] if x["forked_from"]), None)
    example = fork or log["lineages"][0]
    tip = example["commits"][-1]["id"][:10]
    origin = fork["forked_from"]["commit"][:10] if fork else example["commits"][0]["id"][:10]
    run(home, "diff", origin, tip)
    run(home, "blame", tip)
    run(home, "check", "--all", ok=(0, 1))
    check = run(home, "check", "--all", "--json", show=False, ok=(0, 1))
    run(home, "checkout", tip, "-o", "restored.safetensors")
    original = home / next(c["path"] for c in example["commits"] if c["id"].startswith(tip))
    same = sha256(original) == sha256(home / "restored.safetensors")
    say(f"sha256 of the restored file and of the original: {'equal' if same else 'DIFFERENT'}")

    say("How much of the truth was recovered from the weights alone:")
    lines = scores(log, check, truth)
    for line in lines:
        mark = "all" if line.right == line.of else "NOT ALL"
        print(f"  {line.what:<50} {line.right:>4} of {line.of:<4} {mark}")
        for note in line.notes:
            print(f"      {note}")
    print(f"\nThe repository stays in {home}: cd there and try mvc log, mvc show, mvc diff.")
    print(f"({time.monotonic() - started:.0f} s)")
    return 0 if same and all(line.right == line.of for line in lines) else 1


def say(text: str, *, gap: bool = True) -> None:
    print(("\n" if gap else "") + text, flush=True)


def run(home: Path, *arguments: str, show: bool = True, ok: tuple[int, ...] = (0,)) -> Any:
    """Runs one mvc command in ``home``. Shown output goes straight to the terminal; else JSON is returned, if any."""
    if show:
        print("\n$ mvc " + shlex.join(arguments), flush=True)
    quiet = not show and "--json" in arguments
    done = subprocess.run(
        [*_MVC, "--no-pager", *arguments], cwd=home, stdout=subprocess.PIPE if quiet else None, check=False
    )
    if done.returncode not in ok:
        print(f"mvc {' '.join(arguments)} ended with {done.returncode}", file=sys.stderr)
        sys.exit(1)
    return json.loads(done.stdout) if quiet else None


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
