"""What takes an operation back, and when that is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mvc.errors import InputError, IntegrityError, NotFoundError
from mvc.objects import ObjectId, Operation
from mvc.odb import loose_key
from mvc.repository import Change, Repository, check_repository, inverse
from mvc.repository.state import replay
from mvc.testing.commits import TIME, add_commit, loosen


def commit(name: str) -> ObjectId:
    return ObjectId(hashlib.sha256(name.encode()).hexdigest())


A, B = commit("a"), commit("b")


def chain(*changes: Change) -> list[Operation]:
    """Operations one after the other that make these changes."""
    history: list[Operation] = []
    for change in changes:
        parents = (history[-1].id,) if history else ()
        fields = (change.commits, change.tags, change.settings, change.removed)
        history.append(Operation(parents, "t", "a", f"change {len(history)}", *fields))
    return history


def taken_back(history: list[Operation], index: int, parents: dict[ObjectId, ObjectId] | None = None) -> Change:
    return inverse(history, history[index], (parents or {}).get)


def test_every_kind_of_change_is_taken_back_and_done_again() -> None:
    steps = [
        Change((A, B)),
        Change(tags={"one": A}),
        Change(tags={"one": None}),
        Change(settings={f"name:{A}": "x"}),
        Change(settings={f"name:{A}": "y", f"pin:{B}": A}),
        Change(removed=(B,), settings={f"pin:{B}": None}),
    ]
    for length in range(1, len(steps) + 1):
        history = chain(*steps[:length])
        before, after = replay(history[:-1]), replay(history)
        undone = [*history, Operation((history[-1].id,), "t", "a", "undo", *_fields(taken_back(history, -1)))]
        state = replay(undone)
        assert (set(state.commits), state.tags, state.settings) == (
            set(before.commits),
            before.tags,
            before.settings,
        )
        redone = [*undone, Operation((undone[-1].id,), "t", "a", "undo", *_fields(taken_back(undone, -1)))]
        state = replay(redone)
        assert (set(state.commits), state.tags, state.settings) == (set(after.commits), after.tags, after.settings)


def _fields(change: Change) -> tuple[object, ...]:
    return change.commits, change.tags, change.settings, change.removed


def test_an_older_operation_is_taken_back_where_nothing_later_stands_on_it() -> None:
    history = chain(Change((A,)), Change((B,)), Change(tags={"one": A}), Change(settings={f"name:{A}": "x"}))
    assert taken_back(history, 1) == Change(removed=(B,))
    assert taken_back(history, 2) == Change(tags={"one": None})


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (Change(tags={"late": A}), "named commit"),
        (Change(settings={f"name:{A}": "x"}), "declares something"),
        (Change(settings={f"pin:{B}": A}), "declares something"),
        (Change(removed=(A,)), "took commit"),
        (Change((B,)), "as its parent"),
    ],
)
def test_a_commit_that_something_stands_on_stays(later: Change, words: str) -> None:
    history = chain(Change((A,)), later)
    with pytest.raises(InputError, match=words) as caught:
        taken_back(history, 0, {B: A})
    assert caught.value.code == "cannot-undo"
    assert history[1].id[:12] in caught.value.hint


def test_what_was_taken_back_itself_hinders_nothing() -> None:
    history = chain(Change((A,)), Change(tags={"late": A}), Change(tags={"late": None}))
    assert taken_back(history, 0) == Change(removed=(A,))


def test_names_that_were_set_again_are_left_alone() -> None:
    history = chain(Change((A, B)), Change(tags={"one": A}), Change(tags={"one": None}), Change(tags={"one": B}))
    with pytest.raises(InputError, match="changed 'one' again"):
        taken_back(history, 1)
    history = chain(Change((A, B), tags={"one": A}), Change(tags={"one": None}), Change(removed=(A,)))
    with pytest.raises(InputError, match="was taken away since"):
        taken_back(history, 1)


def test_what_joined_two_histories_is_no_single_change() -> None:
    root = chain(Change((A,)))[0]
    sides = [Operation((root.id,), "t", "a", name) for name in ("left", "right")]
    merge = Operation((sides[0].id, sides[1].id), "t", "a", "pull")
    with pytest.raises(InputError, match="joined two histories"):
        inverse([root, *sides, merge], merge, lambda _: None)


def test_in_a_merge_a_tag_on_a_commit_that_is_gone_says_nothing() -> None:
    root = chain(Change((A, B)))[0]
    left = Operation((root.id,), "t", "a", "undo", removed=(A,))
    right = Operation((root.id,), "t", "a", "tag", tags={"one": A})
    merge = Operation((left.id, right.id), "t", "a", "pull")
    state = replay([root, left, right, merge])
    assert state.commits == (B,) and state.tags == {}


def test_operations_that_take_nothing_away_keep_their_bytes() -> None:
    operation = chain(Change((A,)))[0]
    assert b"removed" not in operation.to_payload()
    assert Operation.from_payload(operation.to_payload()) == operation
    taking = Operation((), "t", "a", "c", removed=(A,))
    assert Operation.from_payload(taking.to_payload()) == taking
    with pytest.raises(IntegrityError):
        Operation.from_payload(operation.to_payload().replace(b'"settings"', b'"removed":[],"settings"'))


def test_a_removed_commit_is_none_of_the_repository_and_fsck_needs_none_of_it(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path)
    first, second = add_commit(repository, 1), add_commit(repository, 2)
    with repository.lock():
        with pytest.raises(NotFoundError):
            repository.append(command="undo", author="t", removed=[A], time=TIME)
        with pytest.raises(NotFoundError):
            repository.append(command="undo", author="t", removed=[second], tags={"x": second}, time=TIME)
        repository.append(command="undo", author="t", removed=[second], time=TIME)
    again = Repository.open(tmp_path)
    assert again.state().commits == repository.state().commits == (first,)
    assert check_repository(again).findings == ()
    # as gc may leave it, half done
    loosen(again)
    manifest = again.manifest(again.commit(second).manifest)
    again.storage.delete(loose_key(manifest.files[0].tensors[0].object))
    again = Repository.open(tmp_path)
    report = check_repository(again)
    assert report.ok and {finding.code for finding in report.findings} == {"unreachable"}
