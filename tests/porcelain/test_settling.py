"""When a checkpoint that is being written counts as complete and at rest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from mvc.porcelain.settling import Settling


def weights(seed: int) -> bytes:
    return save({"w": np.random.default_rng(seed).standard_normal((8, 8)).astype(np.float32)})


def ready(settling: Settling, now: float) -> set[str]:
    return {item.path.name for item in settling.look(now) if not item.reason}


def reasons(settling: Settling, now: float) -> dict[str, str]:
    return {item.path.name: item.reason for item in settling.look(now) if item.reason}


def test_a_file_has_to_rest(tmp_path: Path) -> None:
    file, settling = tmp_path / "a.safetensors", Settling(tmp_path, 10)
    file.write_bytes(weights(1)[:100])
    assert ready(settling, 0) == set()
    file.write_bytes(weights(1))
    assert ready(settling, 10) == set()  # it grew since
    assert ready(settling, 19) == set()
    assert ready(settling, 20) == {"a.safetensors"}


def test_a_file_of_full_size_that_is_still_filled_in_has_to_rest(tmp_path: Path) -> None:
    file, settling = tmp_path / "a.safetensors", Settling(tmp_path, 10)
    file.write_bytes(weights(1))
    ready(settling, 0)
    os.utime(file, ns=(1, 1))
    assert ready(settling, 11) == set()


def test_what_is_done_is_looked_at_again_when_it_changes(tmp_path: Path) -> None:
    file, settling = tmp_path / "last.safetensors", Settling(tmp_path, 10)
    file.write_bytes(weights(1))
    settling.look(0)
    (found,) = settling.look(10)
    settling.done(found)
    assert settling.look(100) == []
    os.replace(_written(tmp_path / ".new", weights(2)), file)
    assert ready(settling, 101) == set()
    assert ready(settling, 111) == {"last.safetensors"}


def test_half_an_archive_waits_however_long_it_rests(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", w=np.zeros(100))
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(content[:-30])
    settling = Settling(tmp_path, 10)
    settling.look(0)
    assert ready(settling, 1000) == {"whole.npz"}
    assert "half.npz" in reasons(settling, 1000)


@pytest.mark.parametrize("name", ["tmp-checkpoint-500", "tmp-checkpoint-pe8ry7n_"])
def test_a_directory_that_is_to_be_renamed(name: str, tmp_path: Path) -> None:
    staging, settling = tmp_path / name, Settling(tmp_path, 10)
    _trainer(staging)
    settling.look(0)
    assert settling.look(1000) == []
    staging.rename(tmp_path / "checkpoint-500")
    assert reasons(settling, 1001)["checkpoint-500"] == "not at rest for 10 s yet"
    assert ready(settling, 1011) == {"checkpoint-500"}


@pytest.mark.parametrize("name", ["a.safetensors.tmp", "a.ckpt.part", "a.safetensors.tmp-1f2e"])
def test_a_file_that_is_to_be_renamed(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(weights(1))
    settling = Settling(tmp_path, 1)
    settling.look(0)
    assert settling.look(100) == []


def test_shards_wait_for_their_index_and_for_each_other(tmp_path: Path) -> None:
    settling = Settling(tmp_path, 10)
    home = tmp_path / "model"
    home.mkdir()
    names = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    parts = [save({f"w{i}": np.full((4, 4), i, np.float32)}) for i in (1, 2)]
    (home / names[0]).write_bytes(parts[0])
    settling.look(0)
    assert reasons(settling, 100) == {names[0]: "a shard whose index is not here"}
    weight_map = {"w1": names[0], "w2": names[1]}
    (home / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert names[1] in reasons(settling, 200)["model"]
    (home / names[1]).write_bytes(parts[1])
    assert ready(settling, 300) == set()
    assert ready(settling, 310) == {"model"}


def test_a_trainers_directory_waits_for_what_is_written_last(tmp_path: Path) -> None:
    home, settling = tmp_path / "out" / "checkpoint-5", Settling(tmp_path, 10)
    home.mkdir(parents=True)
    (home / "model.safetensors").write_bytes(weights(1))
    settling.look(0)
    assert ready(settling, 50) == set()  # weights alone are not it, though the optimizer takes its time
    (home / "training_args.bin").write_bytes(b"\x80\x02.")
    settling.look(50)
    assert ready(settling, 90) == set()
    (home / "trainer_state.json").write_text('{"global_step": 5}')
    settling.look(90)
    assert ready(settling, 100) == {"checkpoint-5"}


def test_a_directory_of_that_name_by_another_tool_is_only_given_longer(tmp_path: Path) -> None:
    home = tmp_path / "checkpoint-5" / "unet"
    home.mkdir(parents=True)
    (home / "diffusion_pytorch_model.safetensors").write_bytes(weights(1))
    settling, once = Settling(tmp_path, 10), Settling(tmp_path, 10, writing=False)
    settling.look(0), once.look(0)
    assert ready(once, 10) == {"diffusion_pytorch_model.safetensors"}
    assert ready(settling, 99) == set()
    assert ready(settling, 100) == {"diffusion_pytorch_model.safetensors"}


def test_an_output_directory_does_not_wait_for_its_logs_and_checkpoints(tmp_path: Path) -> None:
    home, settling = tmp_path / "out", Settling(tmp_path, 10)
    _trainer(home)
    settling.look(0)
    _trainer(home / "checkpoint-7")
    (home / "runs").mkdir()
    (home / "runs" / "events").write_text("more")
    assert ready(settling, 10) == {"out"}


def test_what_is_rotated_away_is_forgotten(tmp_path: Path) -> None:
    settling = Settling(tmp_path, 10)
    for step in range(50):
        _trainer(tmp_path / f"checkpoint-{step}")
        if step >= 2:
            shutil.rmtree(tmp_path / f"checkpoint-{step - 2}")
        for found in settling.look(step * 20.0):
            if not found.reason:
                settling.done(found)
    assert len(settling._seen) <= 2 and len(settling._done) <= 2


# every way to save, as the states that the disk goes through; True where all that is there is complete


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _trainer(home: Path, seed: int = 1) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "model.safetensors").write_bytes(weights(seed))
    (home / "training_args.bin").write_bytes(b"\x80\x02.")
    (home / "trainer_state.json").write_text('{"global_step": 5}')


def _in_pieces(root: Path, seed: int) -> Iterator[bool]:
    content, path = weights(seed), root / f"plain-{seed % 3}.safetensors"
    for end in (0, 8, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        yield False
    path.write_bytes(content)
    yield True


def _renamed(root: Path, seed: int) -> Iterator[bool]:
    staging = root / f"file-{seed % 3}.safetensors.tmp"
    staging.write_bytes(weights(seed)[:50])
    yield False
    staging.write_bytes(weights(seed))
    yield False
    staging.rename(staging.with_suffix(""))
    yield True


def _by_a_trainer(root: Path, seed: int) -> Iterator[bool]:
    home = root / f"checkpoint-{seed}"
    home.mkdir(exist_ok=True)
    (home / "model.safetensors").write_bytes(weights(seed))
    yield False
    (home / "training_args.bin").write_bytes(b"\x80\x02.")
    yield False
    (home / "optimizer.pt").write_bytes(b"\x80\x02")
    yield False
    (home / "optimizer.pt").write_bytes(b"\x80\x02.")
    yield False
    (home / "trainer_state.json").write_text('{"global_step": 5}')
    yield True


def _sharded(root: Path, seed: int) -> Iterator[bool]:
    home = root / f"shards-{seed}"
    home.mkdir(exist_ok=True)
    names = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    for i, name in enumerate(names):
        (home / name).write_bytes(save({f"w{i}": np.full((4, 4), seed, np.float32)}))
        yield False
    (home / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": {"w0": names[0], "w1": names[1]}})
    )
    yield True


_WAYS = (_in_pieces, _renamed, _by_a_trainer, _sharded)


@given(st.lists(st.tuples(st.sampled_from(_WAYS), st.integers(1, 40)), min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_half_written_is_ever_ready_and_all_is_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, saves: list[tuple[object, int]], data: st.DataObject
) -> None:
    """Saves of all kinds, one after the other, some onto the same names; no state of a save rests for ``settle``
    seconds, but for those that wait for a file that is still to come, which rest as long as they like."""
    root = tmp_path_factory.mktemp("watched")
    settling, now = Settling(root, 10), 0.0
    for way, seed in saves:
        for whole in way(root, seed):  # type: ignore[operator]
            for _ in range(data.draw(st.integers(0, 2))):
                now += data.draw(st.sampled_from([0.5, 3.0]))
                found = [item for item in settling.look(now) if not item.reason]
                assert all(item.path.name != "model.safetensors" for item in found)
                for item in found:
                    settling.done(item)
            now += 0 if whole or way is _in_pieces else 20
            if whole:
                settling.look(now)
                now += 10
                looked = settling.look(now)
                assert {item.reason for item in looked} <= {""}, looked
                for item in looked:
                    assert _is_whole(item.path)
                    settling.done(item)
    assert settling.look(now + 1000) == []


def _is_whole(path: Path) -> bool:
    if path.is_dir():
        last = "trainer_state.json" if path.name.startswith("checkpoint") else "model.safetensors.index.json"
        return (path / last).exists()
    return len(path.read_bytes()) == len(weights(1))
