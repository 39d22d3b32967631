"""What intake finds out about new weights spares reading them again, and is what reading them would have told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.drift.profiles import profile_tensor
from mvc.geometry import EXACT
from mvc.index import DistanceRow, Row, StepRow
from mvc.objects import ObjectId
from mvc.odb import chains
from mvc.odb.stored import unpack
from mvc.porcelain import ledger
from mvc.porcelain.commits import commit
from mvc.porcelain.intake import Intake
from mvc.porcelain.reindex import reindex
from mvc.porcelain.seen import Seen, SeenStep
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Weights = dict[str, np.ndarray]
Write = Callable[..., Path]
COUNT = 6


def walk() -> list[Weights]:
    """A run of which one tensor stands still, and one is larger than signatures hold exactly."""
    rng = np.random.default_rng(0)
    weights = {
        "deep.weight": rng.normal(size=(96, 64)),
        "frozen.weight": rng.normal(size=(80, 64)),
        "norm.bias": rng.normal(size=64),
    }
    weights = {name: (value * 0.05).astype("f4") for name, value in weights.items()}
    assert weights["deep.weight"].size > EXACT > weights["norm.bias"].size
    goal = {name: rng.normal(size=value.shape).astype("f4") for name, value in weights.items()}
    found = []
    for _ in range(COUNT):
        found.append(weights)
        noise = {name: rng.normal(size=value.shape).astype("f4") for name, value in weights.items()}
        moved = {name: value + 3e-3 * goal[name] + 1e-3 * noise[name] for name, value in weights.items()}
        weights = moved | {"frozen.weight": weights["frozen.weight"]}
    return found


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[ObjectId]]:
    """How often each tensor is decoded while checkpoints are taken in."""
    decoded: Counter[ObjectId] = Counter()

    def count(object_id: ObjectId, *more: Any) -> Any:
        head, payload = unpack(object_id, *more)
        if head.kind == "tensor":
            decoded[object_id] += 1
        return head, payload

    def take(*parts: Any) -> Any:
        with monkeypatch.context() as patched:
            for module in ("chains", "forms"):
                patched.setattr(f"mvc.odb.{module}.unpack", count)
            return real(*parts)

    real = Intake.take
    with monkeypatch.context() as patched:
        patched.setattr(Intake, "take", take)
        yield decoded


def tensors_of(workspace: Workspace, commit: ObjectId) -> dict[str, ObjectId]:
    repository = workspace.repository
    files = repository.manifest(repository.commit(commit).manifest).files
    return {entry.name: entry.object for file in files for entry in file.tensors}


@pytest.mark.parametrize("memory", [chains._MEMORY, 0])
def test_intake_decodes_what_an_overwritten_file_rests_on_once(
    workspace: Workspace, write: Write, monkeypatch: pytest.MonkeyPatch, reopened: Any, memory: int
) -> None:
    """With no room for what was decoded, too, as with tensors that are larger than it."""
    monkeypatch.setattr(chains, "_MEMORY", memory)
    for depth, weights in enumerate(walk()):
        path = write("last.safetensors", weights)
        with counting(monkeypatch) as decoded:
            done = commit(reopened(workspace), [path]).commits[0]
        found = tensors_of(workspace, done.id)
        under = reopened(workspace).repository.odb.chains.closure(found["deep.weight"])
        assert len(under) == depth and decoded.keys() >= {*under, found["deep.weight"]}
        assert set(decoded.values()) == {1}
        assert not depth or found["frozen.weight"] not in decoded


def test_a_chain_that_is_as_long_as_it_may_be_is_decoded_once(
    workspace: Workspace, write: Write, monkeypatch: pytest.MonkeyPatch, reopened: Any
) -> None:
    """The next tensor rests on the root, but its step is one from the end of the chain."""
    monkeypatch.setattr(chains, "_MEMORY", 0)
    (workspace.repository.root / ".mvc" / "config.toml").write_text("[storage]\nkeyframe = 2\n")
    measured: list[tuple[int, ...]] = []

    def measuring(before: Any, now: Any) -> Any:
        measured.append(now.shape)
        return profile_tensor(before, now)

    monkeypatch.setattr(ledger, "profile_tensor", measuring)
    depths = []
    for step, weights in enumerate(walk()):
        path = write("last.safetensors", weights)
        with counting(monkeypatch) as decoded:
            done = commit(reopened(workspace), [path], step=step).commits[0]
        deep = tensors_of(workspace, done.id)["deep.weight"]
        depths.append(len(reopened(workspace).repository.odb.chains.closure(deep)))
        assert set(decoded.values()) == {1}
    assert depths == [0, 1, 2, 1, 2, 1]
    assert weights["deep.weight"].shape not in measured  # later, by decoding once more


def test_the_index_reads_nothing_of_a_step_that_was_seen(
    workspace: Workspace, write: Write, monkeypatch: pytest.MonkeyPatch, reopened: Any
) -> None:
    first, second, *_ = walk()
    commit(workspace, [write("last.safetensors", first)])
    read: list[ObjectId] = []
    real = Repository.tensor

    def watching(repository: Repository, object_id: ObjectId, **options: Any) -> Any:
        read.append(object_id)
        return real(repository, object_id, **options)

    monkeypatch.setattr(Repository, "tensor", watching)
    done = commit(reopened(workspace), [write("last.safetensors", second)]).commits[0]
    found = tensors_of(workspace, done.id)
    assert found["norm.bias"] in read  # it is too small to rest on another
    assert not {found["deep.weight"], found["frozen.weight"]} & set(read)


def test_the_index_is_the_same_as_one_that_reads_everything(workspace: Workspace, write: Write, reopened: Any) -> None:
    for weights in walk():
        commit(reopened(workspace), [write("last.safetensors", weights)])

    def rows() -> list[list[Row]]:
        return [sorted(reopened(workspace).read(kind.select), key=repr) for kind in (StepRow, DistanceRow)]

    before = rows()
    assert len(before[0]) == COUNT - 1 and before[1]
    reindex(reopened(workspace))
    assert rows() == before


def test_what_does_not_fit_is_not_kept() -> None:
    now = np.arange(8, dtype=np.float32)
    step = SeenStep.of(ObjectId("a" * 64), now - 1, now)
    seen = Seen(room=len(step.record))
    for tensor in ("b", "c"):
        seen.add(ObjectId(tensor * 64), step)
    first, second = (seen.step(ObjectId("a" * 64), ObjectId(tensor * 64)) for tensor in ("b", "c"))
    assert first is not None and first.pack() == step.record and second is None
