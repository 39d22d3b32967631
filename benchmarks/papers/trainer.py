"""Trains the first paper's zoos in full, 250 seeds × 50 epochs, several times faster than `mvc paper run` does.

    python -m benchmarks.papers.trainer --data mnist14.npz -o DIR [--only mlp] [--seeds 250] [--check]

The recipe is mvc.zoo's: the same initial weights, the same order of images, the same updates, by a C++ kernel (GCC or
Clang is needed). Only rounding differs; ``--check`` trains two seeds on a thousand images both ways and prints by
how much. `mvc paper run schurholt-borth-2021 --data mnist14.npz -o DIR` then finds the zoos trained, and measures.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mvc.papers.catalogue import find_paper
from mvc.papers.lineages.run import train_zoo
from mvc.zoo.data import Dataset, load
from mvc.zoo.nets import generator
from mvc.zoo.published import find_card
from mvc.zoo.train import Trainer

PAPER = "schurholt-borth-2021"
_FLAGS = ("-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-shared", "-fPIC")


class _Recipe(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int32) for name in ("conv", "adamw", "batch", "sum")),
        *((name, ctypes.c_float) for name in ("lr", "momentum", "decay", "beta1", "beta2", "eps")),
    )


@cache
def _kernels() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "kernels.so"
        source = Path(__file__).with_name("kernels.cpp")
        subprocess.run(["c++", *_FLAGS, "-o", str(library), str(source), "-lm"], check=True)
        kernels = ctypes.CDLL(str(library))
    kernels.right.restype = ctypes.c_int64
    return kernels


class FastTrainer(Trainer):
    """A trainer of the paper's cards on one data set; its epochs are the kernels'."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        card = self.card
        assert card.loss in ("mse", "mse-sum") and not card.architecture.bias and card.checkpoints_per_epoch == 1
        made = card.optimiser
        self._recipe = _Recipe(
            conv=bool(card.architecture.convs), adamw=made.kind == "adamw", batch=card.batch,
            sum=card.loss == "mse-sum", lr=made.lr, momentum=made.momentum, decay=made.weight_decay,
            beta1=made.betas[0], beta2=made.betas[1], eps=made.eps,
        )  # fmt: skip
        self._seen = self._x  # by the first layer: pixels, or patches (N, L, k·k)
        if card.architecture.convs:
            first = card.architecture.convs[0]
            self._seen = F.unfold(self._x, first.kernel, stride=first.stride).transpose(1, 2).contiguous()
        self._places = torch.arange(card.architecture.size)
        if card.architecture.convs:  # as the kernel has them: [tap][channel], [unit][cell][channel]
            first, second, rest = self._places.split([144, 1152, 80])
            self._places = torch.cat(
                [first.view(16, 9).T.flatten(), second.view(8, 16, 9).transpose(1, 2).flatten(), rest]
            )

    def advance(self) -> None:
        """Trains one epoch."""
        slots = [
            self._slots[name] for name in (("first", "second") if self._recipe.adamw else ("momentum", "momentum"))
        ]
        for row, seed in enumerate(self.seeds):
            order = torch.randperm(self._images, generator=generator(seed, "order", self.part))
            w, first, second = (whole[row, self._places].contiguous() for whole in (self._weights, *slots))
            steps = ctypes.c_double(self._slots["steps"][row].item() if self._recipe.adamw else 0)
            _kernels().train(
                ctypes.byref(self._recipe), *self._given(), _pointer(self._y), _pointer(order),
                ctypes.c_int64(len(order)), _pointer(w), _pointer(first), _pointer(second), ctypes.byref(steps),
            )  # fmt: skip
            for whole, part in zip((self._weights, *slots), (w, first, second), strict=True):
                if self._recipe.adamw or part is not second:
                    whole[row, self._places] = part
            if self._recipe.adamw:
                self._slots["steps"][row] = steps.value
        self.part += 1

    def _accuracy(self, _x: Tensor, y: Tensor, order: Tensor) -> Tensor:
        """On the first training images."""
        n = order.shape[1]
        right = [
            _kernels().right(
                ctypes.byref(self._recipe), *self._given(), _pointer(y), ctypes.c_int64(n), _pointer(w.contiguous())
            )
            for w in self._weights[:, self._places]
        ]
        return torch.tensor(right) / n

    def _given(self) -> tuple[ctypes.c_void_p, ctypes.c_int64]:
        return _pointer(self._seen), ctypes.c_int64(self._seen[0].numel())


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous()
    return ctypes.c_void_p(tensor.data_ptr())


def check(data: Dataset) -> None:
    """Prints how far the kernels' weights are from mvc.zoo's after one epoch of a thousand images."""
    few = replace(data, x_train=data.x_train[:1000], y_train=data.y_train[:1000])
    for zoo in find_paper(PAPER).zoos:
        card = find_card(zoo.zoo)
        slow, fast = (maker(card, few, [0, 1]) for maker in (Trainer, FastTrainer))
        start = slow.weights
        for trainer in (slow, fast):
            trainer.advance()
        moved, apart = (slow.weights - start).norm(), (slow.weights - fast.weights).norm()
        accuracies = [[round(float(one.mean()), 4) for one in trainer.accuracies()] for trainer in (slow, fast)]
        print(f"{zoo.name}: moved {moved:.3g}, apart {apart:.2g}; accuracies {accuracies[0]}, {accuracies[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("-o", "--output", type=Path, default=Path(PAPER))
    parser.add_argument("--only", nargs="*", help="names of zoos")
    parser.add_argument("--seeds", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--check", action="store_true", help="compare with mvc.zoo instead")
    asked = parser.parse_args()
    data = load(asked.data)
    if asked.check:
        check(data)
        return
    start = time.monotonic()

    def report(what: str, done: int, total: int) -> None:
        print(f"{time.monotonic() - start:6.0f} s  {what} {done}/{total}", flush=True)

    for zoo in find_paper(PAPER).zoos:
        if not asked.only or zoo.name in asked.only:
            size = (asked.seeds, asked.epochs)
            train_zoo(find_card(zoo.zoo), data, asked.output / "zoos" / zoo.name, size, report, trainer=FastTrainer)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
