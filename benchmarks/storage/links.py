"""What coding one checkpoint as differences costs, and decoding it again: one thread, compiled loops and NumPy's.

    OMP_NUM_THREADS=1 python -m benchmarks.storage.links --series NAME=DIR ... [--rounds N]

The last safetensors file of each directory is coded against the two before it. Both kinds of loops take turns;
processor seconds of the best round of each. What they write is compared, and what is decoded.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from mvc.formats import open_checkpoint
from mvc.objects import TensorSpec
from mvc.odb import deltas, kernel, loops
from mvc.odb.deltas import decode_residuals, encode_residuals, make_plan
from mvc.odb.numbers import number_form

_KINDS = {"compiled": kernel.compiled, "NumPy": loops} if kernel.COMPILED else {"NumPy": loops}
_MIN_SIZE = 1 << 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", action="append", required=True, metavar="NAME=DIR")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    print("| | MB | raw ÷ stored | loops | plan, s | coding, s | decoding, s |\n|---|---|---|---|---|---|---|")
    for name, _, directory in (one.partition("=") for one in asked.series):
        measure(name, tensors(sorted(Path(directory).glob("*.safetensors"))[-3:]), asked.rounds)


def tensors(files: list[Path]) -> list[tuple[TensorSpec, list[bytes]]]:
    """Of three checkpoints, oldest first: each tensor's states, newest first."""
    found: list[tuple[TensorSpec, list[bytes]]] = []
    checkpoints = [open_checkpoint(path) for path in reversed(files)]
    for name, spec in checkpoints[0].specs.items():
        if spec.nbytes >= _MIN_SIZE:
            found.append((spec, [bytes(checkpoint.read(name)) for checkpoint in checkpoints]))
    return found


def measure(name: str, states: list[tuple[TensorSpec, list[bytes]]], rounds: int) -> None:
    """Prints a row for each kind of loops."""
    best: dict[str, list[float]] = {kind: [float("inf")] * 3 for kind in _KINDS}
    written = set()
    for _ in range(rounds):
        for kind, module in _KINDS.items():
            deltas.tally, deltas.split, deltas.join = module.tally, module.split, module.join
            spent = [0.0] * 3
            payloads = []
            for spec, (data, *bases) in states:
                form, moments = number_form(spec), [time.process_time()]
                plan, _ = make_plan(data, form, bases)
                moments.append(time.process_time())
                payload = b"".join(encode_residuals(data, form, bases[: plan.bases], plan))
                moments.append(time.process_time())
                again = decode_residuals(memoryview(payload), form, len(data), bases[: plan.bases])
                moments.append(time.process_time())
                assert again == data
                payloads.append(payload)
                spent = [sum(pair) for pair in zip(spent, map(float.__sub__, moments[1:], moments), strict=True)]
            written.add(tuple(payloads))
            best[kind] = [min(pair) for pair in zip(best[kind], spent, strict=True)]
    assert len(written) == 1
    raw, stored = (sum(map(len, some)) for some in ([data for _, (data, *_) in states], *written))
    for kind, seconds in best.items():
        times = " | ".join(f"{second:.3f}" for second in seconds)
        print(f"| {name} | {raw / 1e6:.1f} | {raw / stored:.2f} | {kind} | {times} |")


if __name__ == "__main__":
    main()
