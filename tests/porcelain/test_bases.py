"""New checkpoints rest on those that they are most like; where they do not find any, nothing breaks."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from mvc.objects import ObjectId
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.gc import gc
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository

Weights = dict[str, np.ndarray]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.of(Repository.init(tmp_path), author="t")


def start(seed: int, scale: float = 0.05) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = {"a.weight": (64, 48), "b.weight": (64, 64), "b.bias": (64,), "c.weight": (10, 64)}
    return {name: (rng.normal(size=shape) * scale).astype("f4") for name, shape in shapes.items()}


def walk(weights: Weights, count: int, *, seed: int = 0, step: float = 1e-5) -> list[Weights]:
    rng = np.random.default_rng(seed)
    found = [weights]
    for _ in range(count - 1):
        found.append({k: (v + rng.normal(size=v.shape) * step).astype("f4") for k, v in found[-1].items()})
    return found


def write(workspace: Workspace, name: str, weights: Weights) -> Path:
    path = workspace.repository.root / name
    save_file(weights, path)
    return path


def tensor(workspace: Workspace, commit_id: ObjectId, name: str = "b.weight") -> ObjectId:
    repository = workspace.repository
    return repository.manifest(repository.commit(commit_id).manifest).weights[name].object


def bases(workspace: Workspace, commit_id: ObjectId, name: str = "b.weight") -> tuple[ObjectId, ...]:
    return workspace.repository.odb.bases_of(tensor(workspace, commit_id, name))


def restored(workspace: Workspace, commit_id: ObjectId) -> bytes:
    out = workspace.repository.root / "out.safetensors"
    checkout(workspace, commit_id, directory=Path(), target=out, force=True)
    return out.read_bytes()


def test_each_rests_on_the_one_before_whether_one_by_one_or_at_once(workspace: Workspace) -> None:
    states = [walk(start(1), 4), walk(start(2), 4)]
    one = [commit(workspace, [write(workspace, f"x{i}.safetensors", w)]).commits[0] for i, w in enumerate(states[0])]
    paths = [write(workspace, f"y{i}.safetensors", w) for i, w in enumerate(states[1])]
    both = commit(workspace, paths).commits
    for run in (one, both):
        assert bases(workspace, run[0].id) == ()
        for before, after in pairwise(run):
            assert bases(workspace, after.id)[0] == tensor(workspace, before.id)
            assert after.stored_bytes < 0.75 * run[0].stored_bytes


def test_a_fork_rests_on_where_it_left(workspace: Workspace) -> None:
    trunk = walk(start(1), 5, step=1e-4)
    for i, weights in enumerate(trunk):
        commit(workspace, [write(workspace, f"{i}.safetensors", weights)])
    fork = walk(trunk[2], 2, seed=9)[1]
    done = commit(workspace, [write(workspace, "fork.safetensors", fork)]).commits[0]
    third = workspace.repository.state().commits[2]
    assert bases(workspace, done.id)[0] == tensor(workspace, third)


def test_a_stranger_rests_on_nothing(workspace: Workspace) -> None:
    commit(workspace, [write(workspace, "a.safetensors", start(1))])
    done = commit(workspace, [write(workspace, "b.safetensors", start(2))]).commits[0]
    assert bases(workspace, done.id) == ()


def test_another_dtype_is_passed_over_for_the_nearest_of_the_same(workspace: Workspace) -> None:
    narrow = [{k: v.astype(ml_dtypes.bfloat16) for k, v in weights.items()} for weights in walk(start(1), 3, step=1e-4)]
    for i, weights in enumerate(narrow[:2]):
        commit(workspace, [write(workspace, f"{i}.safetensors", weights)])
    wide = {k: v.astype("f4") for k, v in narrow[2].items()}
    commit(workspace, [write(workspace, "wide.safetensors", wide)])
    done = commit(workspace, [write(workspace, "2.safetensors", narrow[2])]).commits[0]
    assert bases(workspace, done.id)[0] == tensor(workspace, workspace.repository.state().commits[1])


def test_a_model_with_another_head_rests_on_what_it_shares(workspace: Workspace) -> None:
    first = start(1)
    commit(workspace, [write(workspace, "a.safetensors", first)])
    second = walk(first, 2)[1]
    second["c.weight"] = start(3)["c.weight"][:7].copy()
    done = commit(workspace, [write(workspace, "b.safetensors", second)]).commits[0]
    assert len(bases(workspace, done.id)) == 1
    assert bases(workspace, done.id, "c.weight") == ()


def test_gc_finds_bases_that_came_later(workspace: Workspace) -> None:
    states = walk(start(1), 6, step=1e-4)
    order = [0, 5, 1, 2, 3, 4]
    paths = {i: write(workspace, f"{i}.safetensors", states[i]) for i in order}
    for i in order:
        commit(workspace, [paths[i]])
    before = sum(map(workspace.repository.odb.stored_size, workspace.repository.odb.ids()))
    gc(workspace)
    fresh = Workspace.open(workspace.repository.root)
    assert sum(map(fresh.repository.odb.stored_size, fresh.repository.odb.ids())) < before
    for commit_id, i in zip(fresh.repository.state().commits, order, strict=True):
        assert restored(fresh, commit_id) == paths[i].read_bytes()


def test_a_base_that_is_damaged_costs_space_not_the_commit(workspace: Workspace) -> None:
    first, second = walk(start(1), 2)
    gone = write(workspace, "a.safetensors", first)
    commit(workspace, [gone])
    gone.unlink()  # where it is there, it is what is read
    for pack in (workspace.repository.directory / "packs").iterdir():
        content = bytearray(pack.read_bytes())
        for at in range(2000, len(content) // 2, 500):
            content[at] ^= 1
        pack.write_bytes(bytes(content))
    again = Workspace.open(workspace.repository.root)
    path = write(again, "b.safetensors", second)
    done = commit(again, [path]).commits[0]
    assert restored(again, done.id) == path.read_bytes()


def test_the_same_tensors_in_other_files_cost_next_to_nothing(workspace: Workspace) -> None:
    weights = {f"{i}.weight": np.random.default_rng(i).normal(size=(256, 256)).astype("f4") for i in range(4)}
    root = workspace.repository.root
    first = commit(workspace, [write(workspace, "a.safetensors", weights)]).commits[0]
    torch.save({name: torch.from_numpy(weights[name]) for name in reversed(weights)}, root / "b.pt")
    write(workspace, "c.safetensors", {f"model.{name}": value for name, value in weights.items()})
    sharded = root / "d"
    sharded.mkdir()
    parts = {f"model-0000{1 + n % 2}-of-00002.safetensors": list(weights)[n % 2 :: 2] for n in range(2)}
    for part, names in parts.items():
        save_file({name: weights[name] for name in names}, sharded / part)
    places = {name: part for part, names in parts.items() for name in names}
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    for name in ("b.pt", "c.safetensors", "d"):
        assert commit(workspace, [root / name]).commits[0].stored_bytes < 0.01 * first.stored_bytes


def test_an_optimisers_state_rests_on_the_one_before(workspace: Workspace) -> None:
    model = torch.nn.Linear(64, 64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    results = []
    for number in range(3):
        for step in range(200):
            optimiser.zero_grad()
            torch.manual_seed(step)
            model(torch.randn(8, 64)).square().mean().backward()
            optimiser.step()
        path = workspace.repository.root / f"{number}.pt"
        torch.save({"model": model.state_dict(), "optimizer": optimiser.state_dict()}, path)
        results.append(commit(workspace, [path]).commits[0])
    repository = workspace.repository
    manifest = repository.manifest(repository.commit(results[-1].id).manifest)
    moments = [entry for file in manifest.files for entry in file.tensors if entry.role == "optimizer"]
    assert any(repository.odb.bases_of(entry.object) for entry in moments)
