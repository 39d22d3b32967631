"""What recording adds to a training of 20 checkpoints: wall time, and processor time of the training and beside it.

    python -m benchmarks.integrations.overhead [--rounds N] [--every STEPS] [--layers N]

``gpt-bytes`` of the zoo with ``--layers`` of its 8 layers, trained by one thread in a process of its own for each way,
the ways in turn: saved to files; saved to files that a recorder commits; handed over as state dicts. The wall time of a
training includes the recorder's `close`. ``waited`` is how long the training was inside of the recorder's calls, and at
the end in `close`: what it adds where another core is free.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import mvc

WAYS = ("saved", "saved and committed", "state dicts committed")
CHECKPOINTS = 20


def train(way: str, every: int, layers: int, place: Path) -> dict[str, float]:
    """One training, in this process."""
    import torch  # noqa: PLC0415  (only the trainings need it)
    from safetensors.torch import save_file  # noqa: PLC0415

    from mvc.zoo.gpt import GPT_BYTES, GPTRun, library_text  # noqa: PLC0415

    torch.set_num_threads(1)
    run = GPTRun(replace(GPT_BYTES, batch=16, layers=layers), library_text())
    run.train(1)
    repository = mvc.Repository.init(place)
    recorder, waited = None, 0.0
    before, start = processor(resource.RUSAGE_SELF), time.perf_counter()
    for number in range(CHECKPOINTS):
        loss = run.train(every)
        path = place / f"{number:02}.safetensors"
        if way != WAYS[2]:
            save_file(run.weights(), path)
        if way != WAYS[0]:
            called = time.perf_counter()
            recorder = recorder or mvc.Recorder(repository, run="gpt")
            handed = path if way == WAYS[1] else run.model.state_dict()
            recorder.commit(handed, step=run.step, metrics={"loss": loss})
            waited += time.perf_counter() - called
    trained = time.perf_counter() - start
    memory = 0.0
    if recorder is not None:
        recorder.flush()
        memory = peak(recorder)
        recorder.close()
    end = time.perf_counter() - start
    own = processor(resource.RUSAGE_SELF) - before
    if recorder is not None and (recorder.failures or len(recorder.recorded) != CHECKPOINTS):
        raise SystemExit(f"not all were committed: {recorder.failures}")
    while recorder is not None and processor(resource.RUSAGE_CHILDREN) == 0:
        time.sleep(0.1)  # the committing process ends, and is counted then
    beside = processor(resource.RUSAGE_CHILDREN)
    times = {"wall": end, "waited": waited, "at the end": end - trained, "own": own, "beside": beside}
    return {**times, "memory": memory}


def peak(recorder: mvc.Recorder) -> float:
    """MiB that the committing process had resident at most. Not from rusage, which counts the fork of the training."""
    child = recorder._courier._child
    status = Path(f"/proc/{child.process.pid}/status").read_text() if child is not None else "VmHWM: 0 kB"
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def processor(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        with tempfile.TemporaryDirectory() as place:
            print(json.dumps(train(given.way, given.every, given.layers, Path(place))))
        return
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for number in range(given.rounds):
        for way in WAYS[number % 3 :] + WAYS[: number % 3]:
            options = ["--every", str(given.every), "--layers", str(given.layers), "--way", way]
            command = [sys.executable, "-m", "benchmarks.integrations.overhead", *options]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[way].append(json.loads(done.stdout.splitlines()[-1]))
            print(way, {k: round(v, 2) for k, v in found[way][-1].items()}, "load", os.getloadavg()[0], flush=True)
    base = found[WAYS[0]]
    print("| | wall, s | wall, ratio | waited, s | at the end, s | own processor, s | ratio | beside, s | MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for way, rows in found.items():
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        ratios = [
            statistics.median(row[key] / other[key] for row, other in zip(rows, base, strict=True))
            for key in ("wall", "own")
        ]
        print(
            f"| {way} | {middle['wall']:.1f} | {ratios[0]:.3f} | {middle['waited']:.2f} | {middle['at the end']:.2f} "
            f"| {middle['own']:.1f} | {ratios[1]:.3f} | {middle['beside']:.1f} | {middle['memory']:.0f} |"
        )


if __name__ == "__main__":
    main()
