"""A population trained on disk: interrupted at any moment, it goes on to bit-identical results. Owns the layout.

    zoo.json              cards, which of them and which seed each model has, epochs, hash of all images; first
    checkpoints/0000.npz  weights (S, d), epoch, accuracies (S,), F1 (S, classes) of one checkpoint
    state.safetensors     weights and optimiser state after the last whole checkpoint

The state is written after its checkpoint and alone says how far training is: a checkpoint file that it does not count
is written again. Every file is replaced whole. One process at a time trains in a directory.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mvc.errors import ExistsError, InputError, IntegrityError
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.files import write_whole
from mvc.zoo.populations import read_checkpoints
from mvc.zoo.train import Population, Progress, State, Trainer

LAYOUT_VERSION = 3  # 1: one card for all, no F1; 2: test images were not hashed


def train(
    card: Card | Sequence[Card],
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

    ``card`` is one for all or one a seed, as the trainer takes them.
    A directory where the same training was begun is gone on with; a finished one is read. Raises ExistsError where
    ``out`` holds anything else (or anything, without ``resume``), InputError where it holds another training,
    IntegrityError where its files are damaged, StorageError where they cannot be written.
    """
    one = card if isinstance(card, Card) else card[0]
    seeds = tuple(range(one.seeds)) if seeds is None else tuple(seeds)
    cards = (card,) * len(seeds) if isinstance(card, Card) else tuple(card)
    epochs = one.epochs if epochs is None else epochs
    start = _open(out, _description(cards, data, seeds, epochs), resume=resume)
    training = trainer(cards, data, seeds, start=start, epochs=epochs)
    total = epochs * one.checkpoints_per_epoch // one.checkpoint_every
    done = -1 if start is None else start.part // one.checkpoint_every  # number of the last whole checkpoint
    if progress is not None and done >= 0:
        progress(one.name, done, total)
    for number in range(done + 1, total + 1):
        if number:
            for _ in range(one.checkpoint_every):
                training.advance()
        _keep(training, out, number)
        if progress is not None:
            progress(one.name, number, total)
    return _read(cards, seeds, out, total)


def _description(cards: tuple[Card, ...], data: Dataset, seeds: tuple[int, ...], epochs: int) -> str:
    unique = list(dict.fromkeys(cards))
    numbers = {card: number for number, card in enumerate(unique)}
    what = {
        "version": LAYOUT_VERSION,
        "cards": [card.to_plain() for card in unique],
        "models": [[numbers[card], seed] for card, seed in zip(cards, seeds, strict=True)],
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
            code="other-training",
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
    found = trainer.evaluate()
    buffer = io.BytesIO()
    np.savez(
        buffer,
        weights=trainer.weights.numpy(),  # (S, d)
        epoch=np.float64(trainer.part / trainer.card.checkpoints_per_epoch),
        train_accuracy=found.train_accuracy.numpy(),
        test_accuracy=found.test_accuracy.numpy(),
        f1=found.f1.numpy(),
    )
    write_whole(_checkpoint(out, number), buffer.getvalue())
    state = trainer.state()
    write_whole(
        out / "state.safetensors", save({**state.slots, "weights": state.weights, "part": torch.tensor(state.part)})
    )


def _checkpoint(out: Path, number: int) -> Path:
    return out / "checkpoints" / f"{number:04d}.npz"


def _read(cards: tuple[Card, ...], seeds: tuple[int, ...], out: Path, total: int) -> Population:
    found = read_checkpoints(out, total)
    weights, train, test, f1 = (
        torch.from_numpy(found[name]) for name in ("weights", "train_accuracy", "test_accuracy", "f1")
    )
    return Population(cards, seeds, weights, tuple(found["epoch"].tolist()), train, test, f1)
