"""Feeds every reader of mvc damaged inputs and says what it could not take.

    python -m benchmarks.storage.fuzz --inputs 1000000 --table

The readers and their samples are those of `mvc.testing.readers`; what a defect is says `mvc.testing.fuzzing`: any error
but mvc's own, more than a second of processor time for one input, more than 512 MiB on top of what the process holds.
Inputs are samples with one to four things wrong with them (`mvc.testing.mutations`), from a fixed seed: one command
makes the same inputs again. Those that a reader took (few are) are kept as further samples, so that damage adds up.

With ``--atheris SECONDS`` the same readers are driven by coverage instead (pip install atheris; Python up to 3.11): for
that many seconds each, in a process of its own. Prints a line for each distinct defect with the input in hexadecimal,
and exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib
import logging
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType

from mvc.errors import MvcError
from mvc.testing.fuzzing import outcome, watched
from mvc.testing.readers import Reader, readers

#: sound inputs kept as further samples, and how long they may grow
_KEPT, _LONGEST = 200, 30_000


@dataclass
class Tally:
    inputs: int = 0
    taken: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    defects: dict[str, bytes] = field(default_factory=dict)


def fuzz(reader: Reader, inputs: int, rng: random.Random, scratch: Path) -> Tally:
    tally, corpus = Tally(), list(reader.samples)
    limit = 2 * max(_LONGEST, *map(len, corpus))
    for sample in corpus:
        _taken(reader, sample, scratch)  # the first time modules are imported, which takes time
        if (wrong := outcome(reader, sample, scratch)) is not None:
            tally.defects.setdefault(f"a sound sample: {wrong}", sample)
    start = time.process_time()
    for _ in range(inputs):
        data = reader.spoil(rng, rng.choice(corpus), tuple(corpus[:8]))[:limit]
        before = time.process_time()
        wrong = outcome(reader, data, scratch)
        tally.slowest = max(tally.slowest, time.process_time() - before)
        tally.inputs += 1
        if wrong is not None:
            tally.defects.setdefault(wrong, data)
        elif len(data) <= _LONGEST and rng.random() < 0.02 and _taken(reader, data, scratch):
            tally.taken += 1
            corpus.append(data)
            if len(corpus) > _KEPT:
                del corpus[len(reader.samples)]
    tally.seconds = time.process_time() - start
    return tally


def _taken(reader: Reader, data: bytes, scratch: Path) -> bool:
    try:
        reader.read(data, scratch)
    except MvcError:
        return False
    return True


def drive(reader: Reader, seconds: int, scratch: Path) -> None:
    """Coverage decides which inputs to go on from. Does not return."""
    atheris = importlib.import_module("atheris")
    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, sample in enumerate(reader.samples):
        (corpus / str(number)).write_bytes(sample)

    def one(data: bytes) -> None:
        if (wrong := outcome(reader, data, scratch)) is not None:
            print(f"DEFECT {reader.name}: {wrong}\n  {data.hex()}", flush=True)
            raise SystemExit(1)

    for function in (item for item in gc.get_objects() if isinstance(item, FunctionType)):
        if (function.__module__ or "").startswith("mvc.") and not function.__module__.startswith("mvc.testing"):
            atheris.instrument_func(function)  # in place; all that is imported, torch too, would take minutes
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={seconds}",
            "-max_len=8192",
            "-verbosity=0",
            "-print_final_stats=1",
            str(corpus),
        ],
        one,
    )
    with watched():
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="to all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="READER")
    parser.add_argument("--scratch", type=Path, help="a directory on a fast disk [default: a temporary one]")
    parser.add_argument("--atheris", type=int, metavar="SECONDS", help="driven by coverage, so long for each reader")
    parser.add_argument("--table", action="store_true", help="print a Markdown table")
    options = parser.parse_args()
    if options.scratch is not None:
        options.scratch.mkdir(parents=True, exist_ok=True)
    logging.disable()
    warnings.simplefilter("ignore")
    chosen = [reader for reader in readers() if options.only in (None, reader.name)]
    if options.atheris and options.only is None:
        command = [sys.executable, "-m", "benchmarks.storage.fuzz", "--atheris", str(options.atheris), "--only"]
        return max(subprocess.run([*command, reader.name], check=False).returncode for reader in chosen)
    with tempfile.TemporaryDirectory(dir=options.scratch) as directory:
        if options.atheris:
            drive(chosen[0], options.atheris, Path(directory))
        return _run(chosen, options, Path(directory))


def _run(chosen: list[Reader], options: argparse.Namespace, scratch: Path) -> int:
    shares = sum(reader.weight for reader in chosen)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total: Counter[str] = Counter()
    rows = []
    for reader in chosen:
        digest = hashlib.sha256(f"{options.seed} {reader.name}".encode()).digest()
        rng = random.Random(int.from_bytes(digest[:8], "big"))
        with watched():
            tally = fuzz(reader, max(1, options.inputs * reader.weight // shares), rng, scratch)
        rows.append((reader.name, tally))
        total.update(inputs=tally.inputs, defects=len(tally.defects))
        print(f"{reader.name}: {tally.inputs:,} inputs, {len(tally.defects)} defects", file=sys.stderr, flush=True)
        for wrong, data in tally.defects.items():
            print(f"  DEFECT {wrong}\n    {data[:4000].hex()}", flush=True)
    if options.table:
        print("| reader | inputs | microseconds each | slowest, ms | defects |\n|---|---:|---:|---:|---:|")
        for name, tally in rows:
            each = tally.seconds / tally.inputs * 1e6
            print(f"| {name} | {tally.inputs:,} | {each:.0f} | {tally.slowest * 1e3:.0f} | {len(tally.defects)} |")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{total['inputs']:,} inputs, {total['defects']} defects; resident memory grew by {grown:.0f} MiB")
    return 1 if total["defects"] else 0


if __name__ == "__main__":
    sys.exit(main())
