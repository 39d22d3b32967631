"""fsck names what is wrong, by object, and repair takes nothing away (row 33)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mvc.errors import BusyError, IntegrityError
from mvc.objects import Commit, Manifest, ObjectId
from mvc.odb import loose_key
from mvc.repository import Repository, check_repository
from mvc.testing.commits import add_commit, loosen, put_commit


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository.init(tmp_path)
    for seed in range(3):
        add_commit(repository, seed)
    loosen(repository)
    return repository


def victims(repository: Repository) -> dict[str, ObjectId]:
    """One object of every kind, all needed by the second commit."""
    state = repository.state()
    commit = repository.commit(state.commits[1])
    manifest = repository.manifest(commit.manifest)
    return {
        "operation": list(repository.operations())[1].id,
        "commit": commit.id,
        "manifest": manifest.id,
        "skeleton": manifest.files[0].skeleton,
        "tensor": manifest.files[0].tensors[0].object,
    }


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0x10]) + content[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": flip,
    "zeroed": lambda content: bytes(len(content)),
    "emptied": lambda content: b"",
    "deleted": lambda content: None,
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("kind", ["operation", "commit", "manifest", "skeleton", "tensor"])
def test_damage_is_named_quarantined_and_healed_by_committing_again(
    repository: Repository, kind: str, how: str
) -> None:
    assert check_repository(repository).findings == ()
    whole = check_repository(repository).objects
    victim = victims(repository)[kind]
    path = repository.directory / loose_key(victim)
    original = path.read_bytes()
    damaged = DAMAGE[how](original)
    path.chmod(0o644)
    path.unlink() if damaged is None else path.write_bytes(damaged)

    again = Repository.open(repository.root)
    report = check_repository(again)
    bad = [finding for finding in report.findings if finding.code != "unreachable"]
    assert not report.ok
    assert [(finding.code, finding.object) for finding in bad] == [
        ("missing" if damaged is None else "damaged", victim)
    ]
    assert victim in bad[0].message
    assert not bad[0].repaired
    if kind in ("skeleton", "tensor"):
        assert report.objects == whole

    report = check_repository(again, repair=True)
    bad = [finding for finding in report.findings if finding.code != "unreachable"]
    assert [(finding.repaired, "moved to quarantine" in finding.message) for finding in bad] == [
        (False, damaged is not None)
    ]
    if damaged is not None:
        assert not path.exists()
        [kept] = again.layout.quarantine.iterdir()
        assert kept.read_bytes() == damaged
    assert [f.code for f in check_repository(again).findings if f.code != "unreachable"] == ["missing"]

    if kind != "operation":
        with again.lock():
            put_commit(again, 1)
        assert path.read_bytes() == original
        assert check_repository(again).findings == ()


def test_reading_a_damaged_commit_says_which_object(repository: Repository) -> None:
    victim = victims(repository)["tensor"]
    path = repository.directory / loose_key(victim)
    path.chmod(0o644)
    path.write_bytes(flip(path.read_bytes()))
    commit = repository.state().commits[1]
    with pytest.raises(IntegrityError, match=victim) as caught:
        repository.checkpoint(commit).read("layer.0")
    assert caught.value.hint == "run: mvc fsck"


def test_unreachable_objects_and_leftovers_are_no_failure(repository: Repository) -> None:
    with repository.lock():
        orphan = put_commit(repository, 77)
    (repository.directory / "objects" / "tmp-1-2").write_bytes(b"half")
    (repository.directory / "tmp-3-4").write_bytes(b"half")
    report = check_repository(repository)
    assert report.ok
    assert {finding.code for finding in report.findings} == {"unreachable", "leftover"}
    assert orphan in {finding.object for finding in report.findings}
    assert check_repository(repository, repair=True).ok
    assert not (repository.directory / "objects" / "tmp-1-2").exists()
    assert repository.odb.contains(orphan)
    assert {finding.code for finding in check_repository(repository).findings} == {"unreachable"}


def test_strays_are_moved_out_of_the_way(repository: Repository) -> None:
    stray = repository.directory / "objects" / "ab" / "notes.txt"
    stray.parent.mkdir(exist_ok=True)
    for content in (b"one", b"two"):
        stray.write_bytes(content)
        report = check_repository(repository, repair=True)
        assert [(f.code, f.object, f.repaired) for f in report.findings] == [("stray", "objects/ab/notes.txt", True)]
    assert sorted(path.read_bytes() for path in repository.layout.quarantine.iterdir()) == [b"one", b"two"]


def test_an_object_under_another_name_is_damaged(repository: Repository) -> None:
    tensor = victims(repository)["tensor"]
    name = ObjectId("ab" + "0" * 62)
    path = repository.directory / loose_key(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((repository.directory / loose_key(tensor)).read_bytes())
    assert [(f.code, f.object) for f in check_repository(repository).findings] == [("damaged", name)]


def test_facts_that_contradict_each_other_are_malformed(repository: Repository) -> None:
    kinds = victims(repository)
    with repository.lock():
        wrong_kind = repository.put(Commit(kinds["tensor"], "x", "t", "a"))
        garbled = repository.put(Commit(repository.odb.put("manifest", b"{}"), "x", "t", "a"))
        entry = repository.manifest(kinds["manifest"]).files[0]
        lying = Manifest((type(entry)(**{**fields(entry), "tensors": entry.tensors[:1], "skeleton": kinds["tensor"]}),))
        hostile = repository.put(Commit(ObjectId("../../etc/passwd"), "x", "t", "a"))
        commits = [wrong_kind, garbled, repository.put(Commit(repository.put(lying), "x", "t", "a")), hostile]
        repository.append(command="x", author="y", commits=commits)
    report = check_repository(repository)
    assert not report.ok
    assert [finding.code for finding in report.findings].count("malformed") == 3
    assert [finding.code for finding in report.findings].count("damaged") == 1


def fields(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in entry.__slots__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [None, b"", b"\0" * 65])
def test_a_lost_pointer_is_found_again_where_that_is_beyond_doubt(
    repository: Repository, content: bytes | None
) -> None:
    state = repository.state()
    pointer = repository.directory / "HEAD"
    pointer.unlink() if content is None else pointer.write_bytes(content)
    again = Repository.open(repository.root)
    report = check_repository(again)
    assert [finding.code for finding in report.findings] == ["bad-head"]
    assert state.head is not None
    assert state.head in report.findings[0].message
    assert not report.ok
    assert check_repository(again, repair=True).findings[0].repaired
    assert check_repository(again).findings == ()
    assert Repository.open(repository.root).state() == state


def test_repair_waits_for_writers(repository: Repository) -> None:
    other = Repository.open(repository.root)
    with other.lock(), pytest.raises(BusyError):
        check_repository(repository, repair=True, timeout=0.05)


def test_progress_is_told(repository: Repository) -> None:
    counts: list[tuple[int, int | None]] = []
    report = check_repository(repository, full=True, progress=lambda done, total: counts.append((done, total)))
    looked = [done for done, total in counts if total is None]
    decoded = [(done, total) for done, total in counts if total is not None]
    assert looked == sorted(looked) and looked[-1] == report.objects
    assert decoded == sorted(decoded) and decoded[-1] == (report.objects, report.objects)
