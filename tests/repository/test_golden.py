"""Repositories written by earlier versions stay readable. Each format has one, never to be written again.

``golden/format-1.tar.gz`` holds what `write_golden` writes; where the two differ the format has changed.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import MvcError
from mvc.objects import Commit, FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, TensorSpec
from mvc.odb.codecs import PLANES, RAW, ZSTD
from mvc.odb.stored import parse_head
from mvc.repository import Repository, check_repository, resolve
from mvc.repository.layout import FORMAT_VERSION
from mvc.testing.commits import TIME, add_commit
from mvc.testing.faults import Crash, FaultyFileSystem

GOLDEN = Path(__file__).parent / "golden" / "format-1.tar.gz"

TENSORS = {
    "noise": (TensorSpec("U8", (300,)), np.random.RandomState(1).bytes(300)),
    "tokens": (TensorSpec("U8", (40, 50)), bytes(range(50)) * 40),
    "weights": (TensorSpec("F32", (8, 16)), (np.arange(128, dtype="<f4") / 1024).tobytes()),
    "scalar": (TensorSpec("BF16", ()), b"\x80\x3f"),
}


def write_golden(root: Path) -> Repository:
    repository = Repository.init(root)
    with repository.lock(command="golden"):
        with repository.odb.batch():
            entries = tuple(
                TensorEntry(name, repository.odb.put_tensor(spec, data), spec, "weight")
                for name, (spec, data) in TENSORS.items()
            )
            skeleton = repository.put(Skeleton(4, (), b"file"))
            manifest = repository.put(Manifest((FileEntry("", "opaque", 4, "0" * 64, skeleton, entries),)))
            commits: list[ObjectId] = []
            for step in (1.0, 2.0):
                parent = commits[-1] if commits else None
                metrics = {"loss": 0.5 / step}
                commit = Commit(
                    manifest, "model.pt", TIME.isoformat(), "Ann", "é", step, "user", "run", parent, metrics
                )
                commits.append(repository.put(commit))
        repository.append(command="commit", author="Ann", commits=commits, tags={"v1": commits[0]}, time=TIME)
        repository.append(command="pin", author="Ann", settings={"lineage.a": "b"}, time=TIME)
    return repository


@pytest.fixture
def golden(tmp_path: Path) -> Repository:
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(tmp_path, filter="data")
    return Repository.open(tmp_path / "format-1")


def test_it_says_what_it_said(golden: Repository) -> None:
    assert check_repository(golden).findings == ()
    state = golden.state()
    first, second = state.commits
    assert first == resolve(state, "v1") == "3c82e6d98bbcc8edda11a08ddd9ae93a6f12a5064d3efe53d1cc75a74467c39e"
    assert golden.commit(second).parent == first
    assert golden.commit(second).metrics == {"loss": 0.25}
    assert dict(state.settings) == {"lineage.a": "b"}
    checkpoint = golden.checkpoint(second)
    assert {name: (checkpoint.specs[name], bytes(checkpoint.read(name))) for name in checkpoint.specs} == TENSORS


def test_it_holds_every_codec(golden: Repository) -> None:
    codecs = set()
    for path in (golden.directory / "objects").glob("*/*"):
        head = parse_head(path.read_bytes())
        assert not isinstance(head, int)
        codecs.add(head.codec)
    assert codecs == {RAW, ZSTD, PLANES}


def test_what_is_written_today_is_the_same(golden: Repository, tmp_path: Path) -> None:
    """The objects' names and the pointer are; their stored bytes may differ with the version of zstd."""
    today = write_golden(tmp_path / "today")
    assert today.head() == golden.head()
    assert list(today.odb.ids()) == list(golden.odb.ids())


def test_reading_leaves_the_format_as_it_is(golden: Repository) -> None:
    check_repository(golden)
    with golden.lock(upgrade=False):
        golden.state()
        with pytest.raises(MvcError):
            golden.append(command="tag", author="Ann")
    assert (golden.directory / "format").read_text() == "1\n"


def test_the_first_change_upgrades_it(golden: Repository) -> None:
    old = golden.state()
    add_commit(golden, 1)
    assert (golden.directory / "format").read_text() == f"{FORMAT_VERSION}\n"
    again = Repository.open(golden.root)
    assert check_repository(again).findings == ()
    assert again.state().commits[: len(old.commits)] == old.commits
    assert len(again.state().commits) == len(old.commits) + 1


def test_the_upgrade_comes_before_all_that_is_written(tmp_path: Path) -> None:
    for n in range(100):
        root = tmp_path / str(n)
        with tarfile.open(GOLDEN) as archive:
            archive.extractall(root, filter="data")
        objects = set(root.glob("*/.mvc/objects/*/*"))
        with pytest.raises(Crash):
            add_commit(Repository.open(root / "format-1", fs=FaultyFileSystem(n)), 1)
        if (root / "format-1" / ".mvc" / "format").read_text() != "1\n":
            break
        assert set(root.glob("*/.mvc/objects/*/*")) == objects
    assert (root / "format-1" / ".mvc" / "format").read_text() == f"{FORMAT_VERSION}\n"
    assert check_repository(Repository.open(root / "format-1")).ok
