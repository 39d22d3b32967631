"""Power lost at any moment of a checkout: what was acknowledged is there, before that the old or the new (29)."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.testing.faults import Crash, FaultyFileSystem, PowerLossFileSystem

VALUES = {name: np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32) for name in ("a", "b")}
OLD = b"what was here before"


def one_file(place: Path) -> Path:
    path = place / "model.safetensors"
    path.write_bytes(save(VALUES))
    return path


def shards(place: Path) -> Path:
    path = place / "model"
    path.mkdir()
    names = {name: f"model-0000{number}-of-00002.safetensors" for number, name in enumerate(VALUES, 1)}
    for name, file in names.items():
        save_file({name: VALUES[name]}, path / file)
    index = {"metadata": {"total_size": 192}, "weight_map": names}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    return path


def content(path: Path) -> bytes | dict[str, bytes] | None:
    if path.is_dir():
        return {one.name: one.read_bytes() for one in path.iterdir()}
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize(("make", "old"), [(one_file, None), (one_file, OLD), (shards, None)])
def test_power_lost_anywhere_in_a_checkout(make: Callable[[Path], Path], old: bytes | None, tmp_path: Path) -> None:
    start = tmp_path / "start"
    (start / "files").mkdir(parents=True)
    (start / "out").mkdir()
    source = make(start / "files")
    new = content(source)
    commit(Workspace.of(Repository.init(start / "repo"), author="t"), [source])
    target = Path("out") / source.name
    if old is not None:
        (start / target).write_bytes(old)
    cut, acknowledged = 0, False
    while not acknowledged:
        root = tmp_path / f"{cut}"
        shutil.copytree(start, root)
        lossy = PowerLossFileSystem(root, fail_at=cut)
        try:
            opened = Workspace.of(Repository.open(root / "repo", fs=lossy), author="t")
            checkout(opened, "HEAD", directory=root, target=target, force=old is not None)
            acknowledged = True
        except Crash:
            acknowledged = False
        for seed in range(4):
            after = tmp_path / f"{cut}-{seed}"
            lossy.power_loss(after, random.Random(100 * cut + seed))
            assert content(after / target) in ([new] if acknowledged else [old, new])
            assert check_repository(Repository.open(after / "repo")).ok
        cut += 1
    assert cut > 4


def test_the_model_of_power_loss_notices_a_checkout_that_does_not_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root" / "files").mkdir(parents=True)
    root = tmp_path / "root"
    source = one_file(root / "files")
    commit(Workspace.of(Repository.init(root / "repo"), author="t"), [source])
    monkeypatch.setattr(PowerLossFileSystem, "fsync", FaultyFileSystem.fsync)
    lossy = PowerLossFileSystem(root)
    opened = Workspace.of(Repository.open(root / "repo", fs=lossy), author="t")
    checkout(opened, "HEAD", directory=root, target=Path("x"))
    found = set()
    for seed in range(20):
        lossy.power_loss(tmp_path / f"{seed}", random.Random(seed))
        found.add(content(tmp_path / f"{seed}" / "x") == source.read_bytes())
    assert False in found
