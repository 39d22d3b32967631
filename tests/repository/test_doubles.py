"""Objects that lie in several packs, in forms that differ: one may be damaged, or rest on what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from mvc.objects import Commit, FileEntry, Manifest, ObjectId, Skeleton, TensorEntry, TensorSpec
from mvc.odb import ObjectDatabase
from mvc.odb.packing import PackWriter
from mvc.repository import Repository, check_repository
from mvc.repository.gc import collect
from mvc.storage import MemoryStorage
from mvc.testing.walks import walk

SPEC = TensorSpec("F32", (4096,))


def made(root: Path, data: list[bytes]) -> tuple[Repository, list[ObjectId]]:
    """A commit for each, stored without bases; ids of their tensors."""
    repository = Repository.init(root)
    tensors: list[ObjectId] = []
    with repository.lock():
        for number, item in enumerate(data):
            with repository.odb.batch():
                tensors.append(repository.odb.put_tensor(SPEC, item))
                entry = TensorEntry("w", tensors[-1], SPEC, "weight")
                file = FileEntry("", "opaque", 0, f"{number:064}", repository.put(Skeleton(0, (), b"")), (entry,))
                commit = repository.put(Commit(repository.put(Manifest((file,))), f"{number}", "t", "a"))
                operation = repository.propose(command="commit", author="a", commits=[commit])
            repository.accept(operation)
    return repository, tensors


def difference(data: bytes, base: bytes) -> tuple[ObjectId, ObjectId, bytes]:
    """A tensor and its base, and its stored form as the difference from that."""
    odb = ObjectDatabase(MemoryStorage())
    below = odb.put_tensor(SPEC, base)
    above = odb.put_tensor(SPEC, data, bases=[below])
    assert odb.bases_of(above) == (below,)
    return above, below, odb.stored_form(above)


def add(repository: Repository, forms: Mapping[ObjectId, bytes]) -> str:
    """A pack beside the others, as a stopped gc leaves one."""
    writer = PackWriter(repository.storage)
    for object_id, stored in forms.items():
        writer.append(object_id, (stored,))
    key = writer.finish()
    assert key is not None
    return key


def damage(repository: Repository, key: str, object_id: ObjectId) -> None:
    pack = repository.odb.packs[key]
    offset, length = pack.span(pack.ids().index(object_id))
    path = repository.directory / key
    data = bytearray(path.read_bytes())
    data[offset + length - 1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def again(repository: Repository) -> Repository:
    return Repository.open(repository.root)


@pytest.mark.parametrize("spoilt", [0, 1])
def test_a_damaged_copy_is_told_though_another_is_sound(tmp_path: Path, spoilt: int) -> None:
    data = walk(2)
    repository, tensors = made(tmp_path, data)
    first = repository.odb.key_of(tensors[0])
    second = add(repository, {one: repository.odb.stored_form(one) for one in tensors})
    damage(repository, (first, second)[spoilt], tensors[0])
    report = check_repository(again(repository))
    assert [(item.code, item.object, item.commits) for item in report.findings] == [("damaged", tensors[0], ())]
    assert "another copy of it is sound" in report.findings[0].message
    report = check_repository(again(repository), repair=True)
    assert [(item.object, item.repaired) for item in report.findings] == [(tensors[0], True)]
    assert check_repository(again(repository)).findings == ()
    assert [bytes(again(repository).odb.get_tensor(one)[1]) for one in tensors] == data


def test_what_is_damaged_in_one_pack_comes_from_another_one_that_is_damaged_too(tmp_path: Path) -> None:
    """Each of two packs has the sound copy of what is damaged in the other."""
    data = walk(2)
    repository, tensors = made(tmp_path, data)
    forms = {one: repository.odb.stored_form(one) for one in tensors}
    old = [repository.odb.key_of(one) for one in tensors]
    one, two = add(repository, forms), add(repository, dict(reversed(forms.items())))
    damage(repository, one, tensors[0])
    damage(repository, two, tensors[1])
    for key, tensor in zip(old, tensors, strict=True):
        damage(repository, key, tensor)
    report = check_repository(again(repository), repair=True)
    assert {item.object for item in report.findings} == set(tensors)
    assert all(item.repaired for item in report.findings)
    assert check_repository(again(repository)).findings == ()
    assert [bytes(again(repository).odb.get_tensor(one)[1]) for one in tensors] == data


def test_a_form_that_rests_on_what_is_gone_harms_nobody(tmp_path: Path) -> None:
    """As where a gc was stopped while it took files away."""
    data = walk(3)
    repository, tensors = made(tmp_path, data[1:])
    above, _, stored = difference(data[1], data[0])
    add(repository, {above: stored})
    assert above == tensors[0]
    for _ in range(2):
        now = again(repository)
        assert check_repository(now).ok
        assert now.odb.bases_of(above) == ()
        assert now.odb.chains.closure(above) == ()
        with now.lock(), now.odb.batch():
            new = now.odb.put_tensor(SPEC, data[0], bases=[above])
        assert now.odb.bases_of(new) == (above,)
        assert bytes(again(now).odb.get_tensor(new)[1]) == data[0]
        collect(now, grace=timedelta())  # of the two that may rest on each other one has to stand alone
        assert bytes(again(now).odb.get_tensor(above)[1]) == data[1]
    collect(again(repository), grace=timedelta())
    assert check_repository(again(repository)).findings == ()
    assert len(again(repository).odb.packs) == 1


def test_gc_keeps_what_any_form_rests_on(tmp_path: Path) -> None:
    data = walk(2)
    repository, tensors = made(tmp_path, data[1:])
    above, below, stored = difference(data[1], data[0])
    with repository.lock(), repository.odb.batch():
        assert repository.odb.put_tensor(SPEC, data[0]) == below
    add(repository, {above: stored})
    now = again(repository)
    assert now.odb.bases_of(above) == (below,)
    assert collect(now, dry_run=True, grace=timedelta()).resting == 1
    collect(now, grace=timedelta())
    assert bytes(again(repository).odb.get_tensor(tensors[0])[1]) == data[1]
    assert check_repository(again(repository)).ok


def test_a_base_stored_again_may_rest_on_others(tmp_path: Path) -> None:
    """What waits for it says how many others it needs; that it needs more now is no damage."""
    data = walk(4)
    repository, tensors = made(tmp_path, data[:1])
    above, below, stored = difference(data[2], data[1])
    with repository.lock():
        add(repository, {above: stored})
        with repository.odb.batch():
            assert repository.odb.put_tensor(SPEC, data[1], bases=tensors) == below
    now = again(repository)
    assert now.odb.depth(above) == now.odb.depth(below) == 1
    assert now.odb.chains.closure(above) == (tensors[0], below)
    assert bytes(now.odb.get_tensor(above)[1]) == data[2]
    assert check_repository(now, full=True).ok
    with now.lock(), now.odb.batch():
        new = now.odb.put_tensor(SPEC, data[3], bases=[above])
    assert bytes(again(now).odb.get_tensor(new)[1]) == data[3]


def test_nothing_is_stored_on_what_waits_for_it(tmp_path: Path) -> None:
    data = walk(3)
    repository, _ = made(tmp_path, data[:1])
    above, below, stored = difference(data[2], data[1])
    add(repository, {above: stored})
    now = again(repository)
    with now.odb.chains.looking({above: data[2], below: data[1]}.get), now.lock(), now.odb.batch():
        assert now.odb.put_tensor(SPEC, data[1], bases=[above]) == below
    assert now.odb.bases_of(below) == ()
    assert bytes(again(now).odb.get_tensor(above)[1]) == data[2]


def test_an_entry_without_its_head_is_told_and_brought_back(tmp_path: Path) -> None:
    """It can be read all the same, as the trailer knows where it is."""
    data = walk(2)
    repository, tensors = made(tmp_path, data)
    key = repository.odb.key_of(tensors[0])
    pack = repository.odb.packs[key]
    offset, _ = pack.span(pack.ids().index(tensors[0]))
    path = repository.directory / key
    content = bytearray(path.read_bytes())
    content[offset - 44] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    report = check_repository(again(repository))
    assert [(item.code, item.object) for item in report.findings] == [("damaged", tensors[0])]
    report = check_repository(again(repository), repair=True)
    assert [(item.object, item.repaired) for item in report.findings] == [(tensors[0], True)]
    assert check_repository(again(repository)).findings == ()
    assert [bytes(again(repository).odb.get_tensor(one)[1]) for one in tensors] == data


def test_nothing_rests_on_what_has_rotted_though_its_bytes_are_at_hand(tmp_path: Path) -> None:
    """In memory, or in the file that it came from: what is stored of it would be needed all the same."""
    data = walk(4)
    repository, tensors = made(tmp_path, data[:2])
    damage(repository, repository.odb.key_of(tensors[1]), tensors[1])
    for now, value in zip((repository, again(repository)), data[2:], strict=True):
        with now.odb.chains.looking(dict(zip(tensors, data, strict=False)).get), now.lock(), now.odb.batch():
            new = now.odb.put_tensor(SPEC, value, bases=tensors[::-1])
        assert now.odb.bases_of(new) == (tensors[0],)
        assert bytes(again(now).odb.get_tensor(new)[1]) == value
