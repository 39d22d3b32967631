"""A population trained on disk: interrupted at any moment, it goes on to bit-identical results. Owns the layout.

    zoo.json              card, seeds, epochs and the training data's hash, written first
    checkpoints/0000.npz  weights (S, d), epoch, accuracies (S,) of one checkpoint
    state.safetensors     weights and optimiser state after the last whole checkpoint

The state is written after its checkpoint and alone says how far training is: a checkpoint file that it does not count
is written again. Every file is replaced whole. One process at a time trains in a directory.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mvc.errors import ExistsError, InputError, IntegrityError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.files import write_whole
from mvc.zoo.train import Population, Progress, State, Trainer

LAYOUT_VERSION = 1


def train(
    card: Card,
    data: Dataset,
    out: Path,
    *,
    seeds: Sequence[int] | None = None,
    epochs: int | None = None,
    progress: Progress | None = None,
    resume: bool = True,
    trainer: type[Trainer] = Trainer,
) -> Population:
    """Trains ``seeds`` (0 to the card's count unless given) for ``epochs`` in ``out`` and returns all checkpoints.

    A directory where the same training was begun is gone on with; a finished one is read. Raises ExistsError where
    ``out`` holds anything else (or anything, without ``resume``), InputError where it holds another training,
    IntegrityError where its files are damaged, StorageError where they cannot be written.
    """
    seeds = tuple(range(card.seeds)) if seeds is None else tuple(seeds)
    epochs = card.epochs if epochs is None else epochs
    start = _open(out, _description(card, data, seeds, epochs), resume=resume)
    training = trainer(card, data, seeds, start=start, epochs=epochs)
    total = epochs * card.checkpoints_per_epoch // card.checkpoint_every
    done = -1 if start is None else start.part // card.checkpoint_every  # number of the last whole checkpoint
    if progress is not None and done >= 0:
        progress(card.name, done, total)
    for number in range(done + 1, total + 1):
        if number:
            for _ in range(card.checkpoint_every):
                training.advance()
        _keep(training, out, number)
        if progress is not None:
            progress(card.name, number, total)
    return _read(card, seeds, out, total)


def _description(card: Card, data: Dataset, seeds: tuple[int, ...], epochs: int) -> str:
    what = {
        "version": LAYOUT_VERSION,
        "card": asdict(card),
        "seeds": list(seeds),
        "epochs": epochs,
        "data": {"name": data.name, "hash": data.fingerprint()},
    }
    return json.dumps(what, indent=1)


def _open(out: Path, description: str, *, resume: bool) -> State | None:
    """Claims an empty directory, or returns the state that a directory of the same training stands at."""
    known = out / "zoo.json"
    if not known.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise ExistsError(f"{out} is not empty and holds no zoo", hint="give a new directory")
        write_whole(known, description.encode())
        return None
    if not resume:
        raise ExistsError(f"{out} holds a zoo already", hint="resume it, or give a new directory")
    if known.read_text() != description:
        raise InputError(
            f"{out} holds another training: its card, seeds, epochs or data differ from those asked for",
            hint="give the same ones to go on with it, or a new directory",
        )
    file = out / "state.safetensors"
    if not file.is_file():
        return None
    try:
        tensors = load(file.read_bytes())
        return State(tensors.pop("weights"), tensors, int(tensors.pop("part")))
    except (SafetensorError, KeyError, ValueError) as error:
        raise IntegrityError(f"{file} is damaged: {error}", hint="delete the directory and train anew") from error


def _keep(trainer: Trainer, out: Path, number: int) -> None:
    on_train, on_test = trainer.accuracies()
    buffer = io.BytesIO()
    np.savez(
        buffer,
        weights=trainer.weights.numpy(),  # (S, d)
        epoch=np.float64(trainer.part / trainer.card.checkpoints_per_epoch),
        train_accuracy=on_train.numpy(),
        test_accuracy=on_test.numpy(),
    )
    write_whole(_checkpoint(out, number), buffer.getvalue())
    state = trainer.state()
    write_whole(
        out / "state.safetensors", save({**state.slots, "weights": state.weights, "part": torch.tensor(state.part)})
    )


def _checkpoint(out: Path, number: int) -> Path:
    return out / "checkpoints" / f"{number:04d}.npz"


def _read(card: Card, seeds: tuple[int, ...], out: Path, total: int) -> Population:
    arrays = []
    for number in range(total + 1):
        file = _checkpoint(out, number)
        try:
            with file.open("rb") as raw, np.load(raw, allow_pickle=False) as stored:
                arrays.append(dict(stored))
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise IntegrityError(f"{file} is damaged: {error}", hint="delete the directory and train anew") from error
    weights, train, test = (
        torch.stack([torch.from_numpy(one[name]) for one in arrays], 1)
        for name in ("weights", "train_accuracy", "test_accuracy")
    )
    return Population(card, seeds, weights, tuple(float(one["epoch"]) for one in arrays), train, test)
