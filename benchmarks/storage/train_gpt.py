"""Trains the files that the store is measured on: ten checkpoints of ``gpt-bytes`` in each of three ways.

    python -m benchmarks.storage.train_gpt DIR [--every STEPS] [--batch TEXTS] [--count N]

``scratch``: float32 from random weights, and in ``moments`` the whole states of the first ones. ``frozen``: from the
last of these, the last block alone. ``bf16``: from there too, all weights, at a small learning rate, saved in bfloat16.
Goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mvc.zoo.gpt import GPT_BYTES, GPTCard, GPTRun, library_text

_COUNT = 10
#: checkpoints of which the whole state is kept, too
_MOMENTS = 5


def train(card: GPTCard, directory: Path, every: int, count: int, start: Path | None = None) -> None:
    """``count`` checkpoints in ``directory``, ``every`` steps apart."""
    directory.mkdir(parents=True, exist_ok=True)
    run = GPTRun(card, library_text())
    if start is not None:
        run.model.load_state_dict(load_file(start))
    state = directory / "state.pt"
    done = 0
    if state.exists():
        saved = torch.load(state)
        done, run.step = saved["done"], saved["step"]
        run.model.load_state_dict(saved["model"])
        run.optimiser.load_state_dict(saved["optimizer"])
    for number in range(done, count):
        loss = run.train(every)
        print(f"{directory.name}/{number:02}: step {run.step}, loss {loss:.3f}", flush=True)
        _replace(directory / f"{number:02}.safetensors", partial(save_file, run.weights()))
        saved = {"model": run.model.state_dict(), "optimizer": run.optimiser.state_dict()}
        if start is None and number < _MOMENTS:
            moments = directory.parent / "moments"
            moments.mkdir(exist_ok=True)
            _replace(moments / f"{number:02}.pt", partial(torch.save, saved))
        _replace(state, partial(torch.save, {**saved, "done": number + 1, "step": run.step}))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f"tmp-{path.name}")
    write(temporary)
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--every", type=int, default=15)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--count", type=int, default=_COUNT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    card = replace(GPT_BYTES, batch=given.batch)
    train(card, given.directory / "scratch", given.every, given.count)
    start = given.directory / "scratch" / f"{given.count - 1:02}.safetensors"
    train(replace(card, lr=1e-5, dtype=torch.bfloat16), given.directory / "bf16", given.every, given.count, start)
    train(replace(card, lr=3e-4, trained_blocks=1), given.directory / "frozen", given.every, given.count, start)


if __name__ == "__main__":
    main()
