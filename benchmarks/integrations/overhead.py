"""What recording adds to a training: wall time of the training, and processor time in it and beside it.

    python -m benchmarks.integrations.overhead [--rounds N] [--every STEPS] [--layers N] [--threads N]

``gpt-bytes`` of the zoo with ``--layers`` of its 8 layers. A training consists of intervals of ``--every`` steps, each
with a checkpoint at its start: half of them with recording, half of them without, side by side in pairs whose order is
drawn, so that whatever else the machine does falls on both alike; what is compared are the two intervals of a pair.
Without recording the checkpoint is saved to a file. With it that file is committed ("files"), or the state dict is
handed over instead of saved ("state dicts"); it is committed while the interval lasts, and the next one begins when
that is done, which is not counted but told ("late"): otherwise it would fall into an interval without.

What recording adds to a training of 20 checkpoints is 20 times the median difference of the pairs, and what `close`
waits for in the end; in parentheses what 95 of 100 draws of as many pairs give (bootstrap). The first pair, in which
the committing process starts, is one of them. What is added to an interval does not depend on its length, as long as it
is longer than a commit: where a training saves less often than here, the share is less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mvc

WAYS = ("files", "state dicts")
CHECKPOINTS = 20
_DRAWS = 2000


def train(way: str, given: argparse.Namespace, place: Path) -> dict[str, list[float]]:
    """One training, in this process: for each pair the seconds without and with recording, so for its processor time;
    seconds in the recorder's calls, after the intervals, and in `close`; processor seconds and MiB beside it."""
    import torch  # noqa: PLC0415  (only the trainings need it)
    from safetensors.torch import save_file  # noqa: PLC0415

    from mvc.zoo.gpt import GPT_BYTES, GPTRun, library_text  # noqa: PLC0415

    torch.set_num_threads(given.threads)
    run = GPTRun(replace(GPT_BYTES, batch=16, layers=given.layers), library_text())
    loss = run.train(given.every)
    recorder = mvc.Recorder(mvc.Repository.init(place), run="gpt")
    found: dict[str, list[float]] = {
        key: [] for key in ("without", "with", "own without", "own with", "waited", "late")
    }
    for pair in range(CHECKPOINTS):
        for recorded in random.Random(f"{given.seed}{pair}").sample((False, True), 2):
            path = place / f"{pair:02}-{recorded}.safetensors"
            before, start = processor(resource.RUSAGE_SELF), time.perf_counter()
            if way == "files" or not recorded:
                save_file(run.weights(), path)
            if recorded:
                called = time.perf_counter()
                handed = path if way == "files" else run.model.state_dict()
                recorder.commit(handed, step=run.step, metrics={"loss": loss})
                found["waited"].append(time.perf_counter() - called)
            loss = run.train(given.every)
            end = time.perf_counter()
            found["with" if recorded else "without"].append(end - start)
            found["own with" if recorded else "own without"].append(processor(resource.RUSAGE_SELF) - before)
            if recorded:
                recorder.flush(600)
                found["late"].append(time.perf_counter() - end)
    # the last checkpoint of a training has nothing behind it
    save_file(run.weights(), place / "last.safetensors")
    called = time.perf_counter()
    recorder.commit(place / "last.safetensors" if way == "files" else run.model.state_dict(), step=run.step)
    recorder.flush(600)
    found["at the end"] = [time.perf_counter() - called]
    found["memory"] = [peak(recorder)]
    recorder.close()
    if recorder.failures or len(recorder.recorded) != CHECKPOINTS + 1:
        raise SystemExit(f"not all were committed: {recorder.failures}")
    while processor(resource.RUSAGE_CHILDREN) == 0:
        time.sleep(0.1)  # the committing process ends, and is counted then
    found["beside"] = [processor(resource.RUSAGE_CHILDREN) / (CHECKPOINTS + 1)]
    return found


def peak(recorder: mvc.Recorder) -> float:
    """MiB that the committing process had resident at most. Not from rusage, which counts the fork of the training."""
    child = recorder._courier._child
    status = Path(f"/proc/{child.process.pid}/status").read_text() if child is not None else "VmHWM: 0 kB"
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def processor(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def row(way: str, trainings: Sequence[dict[str, list[float]]]) -> str:
    """One way's figures, of all pairs of all its trainings."""

    def every(name: str) -> list[float]:
        return [value for one in trainings for value in one[name]]

    without, with_ = every("without"), every("with")
    interval = statistics.median(without)
    differences = [b - a for a, b in zip(without, with_, strict=True)]
    end = statistics.median(every("at the end"))
    rng = random.Random(0)
    drawn = sorted(statistics.median(rng.choices(differences, k=len(differences))) for _ in range(_DRAWS))
    low, middle, high = drawn[_DRAWS // 40], statistics.median(differences), drawn[-_DRAWS // 40]
    shares = [100 * (CHECKPOINTS * added + end) / (CHECKPOINTS * interval) for added in (middle, low, high)]
    own = statistics.median(b / a for a, b in zip(every("own without"), every("own with"), strict=True))
    waited, late = statistics.median(every("waited")), max(every("late"))
    return (
        f"| {way} | {len(differences)} | {interval:.2f} | {middle:.3f} ({low:.3f} to {high:.3f}) | {end:.2f} "
        f"| {shares[0]:.1f} % ({shares[1]:.1f} to {shares[2]:.1f}) | {waited:.3f} | {own:.3f} "
        f"| {statistics.median(every('beside')):.2f} | {statistics.median(every('memory')):.0f} | {late:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each way  [3]")
    parser.add_argument("--every", type=int, default=20, help="steps of an interval  [20]")
    parser.add_argument("--layers", type=int, default=2, help="of the GPT: 2 are 10 MB a checkpoint, 8 are 40 MB  [2]")
    parser.add_argument("--threads", type=int, default=1, help="of the training  [1]")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        with tempfile.TemporaryDirectory() as place:
            print(json.dumps(train(given.way, given, Path(place))))
        return
    found: dict[str, list[dict[str, list[float]]]] = {way: [] for way in WAYS}
    start = time.perf_counter()
    for number in range(given.rounds):
        for way in WAYS:
            options = [f"--{name}={getattr(given, name)}" for name in ("every", "layers", "threads")]
            command = [sys.executable, "-m", "benchmarks.integrations.overhead", *options]
            command += ["--way", way, "--seed", f"{number} {way} "]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
            took = time.perf_counter() - start
            print(f"{took:6.0f} s  load {os.getloadavg()[0]:.1f}  {row(way, found[way][-1:])}", flush=True)
    print(
        "\n| | pairs | interval, s | added to each, s | at the end, s | added to 20 checkpoints | waited, s "
        "| own, ratio | beside, s | MiB | late, s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for way, trainings in found.items():
        print(row(way, trainings))


if __name__ == "__main__":
    main()
