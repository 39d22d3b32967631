"""Kills processes at work on repositories, thousands of times, and checks what each one left.

    python -m benchmarks.storage.kills --kills 3000

What the processes do, and what must hold after each kill and after every twenty of them, is `mvc.testing.kills`:
commits of one or two files, tags, renamings, undos, gc and reindexing, each killed by SIGKILL at a moment of its own;
then no acknowledged change may be lost, at most one further change may stand, every commit must be there byte for byte,
fsck must find nothing that matters, and the index must agree. A repository serves ``--each`` kills. Stops at the first
broken promise with a traceback; a seed makes the same work again, though not the same moments.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from mvc.testing.kills import kill_loop


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3000)
    parser.add_argument("--each", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1000, help="of the first repository; the next one has one more")
    parser.add_argument("--scratch", type=Path, help="where repositories are made [default: a temporary directory]")
    options = parser.parse_args()
    if options.scratch is not None:
        options.scratch.mkdir(parents=True, exist_ok=True)
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    start, seed = time.monotonic(), options.seed
    while total["kills"] < options.kills:
        with tempfile.TemporaryDirectory(dir=options.scratch) as directory:
            tally = kill_loop(Path(directory), min(options.each, options.kills - total["kills"]), seed)
        total.update(kills=tally.kills, acknowledged=tally.acknowledged, finished=tally.finished, repositories=1)
        found.update(tally.found)
        seed += 1
        print(f"{total['kills']:,} kills", file=sys.stderr, flush=True)
    minutes = (time.monotonic() - start) / 60
    print("| kills | repositories | changes acknowledged | lost | stood without having been acknowledged |")
    print("|---:|---:|---:|---:|---:|")
    print(f"| {total['kills']:,} | {total['repositories']} | {total['acknowledged']:,} | 0 | {total['finished']:,} |")
    left = ", ".join(f"{count} {code}" for code, count in sorted(found.items())) or "nothing"
    used = sum(os.times()[:4]) / 60
    print(f"\nfsck found: {left}. {minutes:.0f} minutes, {used:.0f} of them on a processor.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
