"""A repository is what its operations add up to."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mvc.errors import BusyError, ExistsError, InputError, IntegrityError, MvcError, NotFoundError
from mvc.objects import Commit, Manifest, ObjectId, Operation, read_array
from mvc.repository import Repository, State, check_repository, check_tag, resolve
from mvc.repository.layout import FORMAT_VERSION
from mvc.repository.state import oldest_first, replay
from mvc.storage import FileSystem
from mvc.testing.commits import add_commit, put_commit


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.init(tmp_path / "work")


def test_init_lays_down_the_template(repository: Repository) -> None:
    names = sorted(path.name for path in repository.directory.iterdir())
    for name in ("HEAD", "config.toml", "format", "gitattributes", "index", "objects", "policy.toml", "quarantine"):
        assert name in names
    assert (repository.directory / ".gitignore").read_text() == "*\n"
    shipped = Path(__file__).parents[2] / ".mvc-template"
    for name in ("config.toml", "policy.toml", "gitattributes"):
        assert (repository.directory / name).read_bytes() == (shipped / name).read_bytes()
    assert repository.root == repository.directory.parent
    assert repository.state() == State()
    assert repository.head() is None
    assert list(repository.operations()) == []


def test_the_shipped_config_says_what_the_defaults_say(repository: Repository) -> None:
    (repository.directory / "config.toml").unlink()
    assert Repository.open(repository.root).config == repository.config


def test_init_refuses_a_second_time_and_changes_nothing(repository: Repository) -> None:
    commit = add_commit(repository, 1)
    with pytest.raises(ExistsError):
        Repository.init(repository.root)
    assert Repository.open(repository.root).state().commits == (commit,)
    assert list(repository.root.iterdir()) == [repository.directory]


def test_init_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / ".mvc").write_text("a file")
    with pytest.raises(ExistsError):
        Repository.init(tmp_path)
    assert (tmp_path / ".mvc").read_text() == "a file"


def test_init_from_a_template(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    with pytest.raises(InputError, match=r"no config\.toml"):
        Repository.init(tmp_path / "a", template=template)
    (template / "config.toml").write_text('[user]\nauthor = "Ann"\n')
    (template / "HEAD").write_text("hostile")
    repository = Repository.init(tmp_path / "a", template=template)
    assert repository.config.user.author == "Ann"
    assert repository.head() is None
    assert (repository.directory / "policy.toml").exists()
    (template / "config.toml").write_text("[user]\nauthr = 1\n")
    with pytest.raises(InputError, match=r"user\.authr"):
        Repository.init(tmp_path / "b", template=template)
    assert not (tmp_path / "b").exists()


def test_discover_goes_upward(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = repository.root / "a" / "b"
    below.mkdir(parents=True)
    assert Repository.discover(below).directory == repository.directory
    monkeypatch.chdir(below)
    assert Repository.discover(".").root == repository.root
    with pytest.raises(NotFoundError, match="not in an mvc repository") as caught:
        Repository.discover(tmp_path)
    assert caught.value.hint == "run: mvc init"
    with pytest.raises(NotFoundError):
        Repository.open(below)


def test_commit_tag_and_read_back(repository: Repository) -> None:
    first = add_commit(repository, 1)
    second = add_commit(repository, 2, best="")
    again = Repository.open(repository.root)
    state = again.state()
    assert state.commits == (first, second)
    assert dict(state.tags) == {"best": second}
    assert [operation.commits for operation in again.operations()] == [(second,), (first,)]
    assert state.head == again.head()
    commit = again.commit(first)
    assert isinstance(commit, Commit)
    manifest = again.manifest(commit.manifest)
    assert isinstance(manifest, Manifest)
    assert again.skeleton(manifest.files[0].skeleton).literal == b"00001"
    for source in (first, commit, manifest):
        checkpoint = again.checkpoint(source)
        assert list(checkpoint.specs) == ["layer.0", "layer.1"]
        expected = np.random.default_rng(1).normal(size=64).astype("<f4")
        np.testing.assert_array_equal(read_array(checkpoint, "layer.0"), expected)
        assert checkpoint.object_id("layer.0") == manifest.weights["layer.0"].object
    with pytest.raises(NotFoundError):
        again.checkpoint(first).read("nothing")
    assert check_repository(again).findings == ()


def test_append_needs_the_lock_and_known_names(repository: Repository) -> None:
    with pytest.raises(MvcError, match="lock"):
        repository.append(command="x", author="y")
    commit = add_commit(repository, 1, best="")
    nowhere = ObjectId("0" * 63 + "1")
    with repository.lock():
        with pytest.raises(NotFoundError):
            repository.append(command="x", author="y", commits=[nowhere])
        with pytest.raises(NotFoundError):
            repository.append(command="x", author="y", tags={"new": nowhere})
        with pytest.raises(NotFoundError):
            repository.append(command="x", author="y", tags={"new": None})
        with pytest.raises(ExistsError):
            repository.append(command="x", author="y", tags={"best": commit})
        with pytest.raises(InputError):
            repository.append(command="x", author="y", tags={"a b": commit})
        assert len(list(repository.operations())) == 1
        repository.append(command="x", author="y", tags={"best": None}, settings={"k": "v"})
    assert dict(repository.state().tags) == {}
    assert dict(repository.state().settings) == {"k": "v"}


def test_another_instance_sees_every_change_and_a_stale_one_catches_up(repository: Repository) -> None:
    other = Repository.open(repository.root)
    commits = [add_commit(repository if n % 2 else other, n) for n in range(5)]
    assert repository.state() == other.state() == Repository.open(repository.root).state()
    assert repository.state().commits == tuple(commits)


def test_clock_jumps_change_no_order(repository: Repository) -> None:
    commits = []
    for n, year in enumerate((2030, 1980, 2010)):
        with repository.lock():
            commits.append(put_commit(repository, n))
            repository.append(command="x", author="y", commits=commits[-1:], time=datetime(year, 1, 1, tzinfo=UTC))
    assert Repository.open(repository.root).state().commits == tuple(commits)
    assert [operation.time[:4] for operation in repository.operations()] == ["2010", "1980", "2030"]


def test_operations_with_two_parents_replay_parents_first() -> None:
    def operation(name: str, *parents: Operation, **tags: str | None) -> Operation:
        commits = (ObjectId(name * 64),)
        return Operation(tuple(p.id for p in parents), "t", "a", name, commits, tags)  # type: ignore[arg-type]

    root = operation("a", one="a" * 64)
    left = operation("b", root, one=None, two="b" * 64)
    right = operation("c", root, one="c" * 64)
    merge = operation("d", left, right)
    last = operation("e", merge)
    known = {item.id: item for item in (root, left, right, merge, last)}
    ordered = oldest_first(last.id, known.__getitem__)
    assert [item.command for item in ordered] == ["a", "b", "c", "d", "e"]
    state = replay(ordered)
    assert "".join(commit[0] for commit in state.commits) == "abcde"
    assert dict(state.tags) == {"one": "c" * 64, "two": "b" * 64}
    assert replay(ordered[2:], replay(ordered[:2])) == state


def test_revisions(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="nothing is committed"):
        resolve(repository.state(), "HEAD")
    first, second = add_commit(repository, 1, v1=""), add_commit(repository, 2)
    state = repository.state()
    assert resolve(state, "HEAD") == second
    assert resolve(state, "v1") == resolve(state, first) == resolve(state, first[:4]) == first
    for unknown in (first[:3], "nothing", "", "0" * 64, first.upper()):
        with pytest.raises(NotFoundError):
            resolve(state, unknown)
    twins = State(None, (ObjectId("abcd" + "0" * 60), ObjectId("abcd" + "1" * 60)))
    with pytest.raises(InputError, match="2 ids") as caught:
        resolve(twins, "abcd")
    assert caught.value.code == "ambiguous"
    assert "abcd0000" in caught.value.hint


@pytest.mark.parametrize("name", ["v1.0", "best", "run-3_final", "modèle", "abc", "deadbeefg", "DEADBEEF"])
def test_tags(name: str) -> None:
    assert check_tag(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "dead", "deadbeef", "0" * 64, "HEAD", "head", "-a", ".a", "a.", "a..b", "a.lock", "x" * 201),
        *("a@1", "a~1", "a^", "a:b", "a/b", "a*", "a\\b"),
        *("a b", "a\n", "a\x1b[1m", "\u202ea", "a\u200b", "a\u2028"),
    ],
)
def test_what_cannot_be_a_tag(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_tag(name)
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[user]\nname = 'x'\n", "user.name"),
        ("[core]\npager = 'rm -rf /'\n", "core"),
        ("user = 'x'\n", "user"),
        ("[lock]\ntimeout = 'x'\n", "lock.timeout"),
        ("[lock]\ntimeout = nan\n", "lock.timeout"),
        ("[lock]\ntimeout = -1\n", "lock.timeout"),
        ("[storage]\ncompress = 1\n", "storage.compress"),
        ("[index]\nurl = 'mysql+evil://x'\n", "index.url"),
        ("[", "TOML"),
        ("a = " + "[" * 100_000, "TOML"),
    ],
)
def test_config_errors_name_the_key(repository: Repository, content: str, named: str) -> None:
    (repository.directory / "config.toml").write_text(content)
    with pytest.raises(InputError, match=named.replace(".", r"\.")) as caught:
        Repository.open(repository.root)
    assert caught.value.code == "bad-config"


def test_config_values_are_read(repository: Repository) -> None:
    (repository.directory / "config.toml").write_text("[lock]\ntimeout = 5\n[storage]\ncompress = false\n")
    config = Repository.open(repository.root).config
    assert (config.lock.timeout, config.storage.compress) == (5.0, False)


class _Theirs(FileSystem):
    def stat(self, path: Path) -> os.stat_result:
        values = list(super().stat(path))
        values[4] = os.geteuid() + 1
        return os.stat_result(values)


def test_a_repository_of_another_user_is_refused_unless_trusted(repository: Repository) -> None:
    with pytest.raises(InputError, match="belongs to another user") as caught:
        Repository.open(repository.root, fs=_Theirs())
    assert caught.value.code == "untrusted"
    assert Repository.open(repository.root, fs=_Theirs(), trust=True).head() is None


def test_a_newer_format_is_refused(repository: Repository) -> None:
    newer = FORMAT_VERSION + 1
    (repository.directory / "format").write_text(f"{newer}\n")
    with pytest.raises(InputError, match=f"format {newer}") as caught:
        Repository.open(repository.root)
    assert caught.value.code == "newer-format"
    for damaged in ("", "0\n", "-1\n", "two\n"):
        (repository.directory / "format").write_text(damaged)
        with pytest.raises(IntegrityError):
            Repository.open(repository.root)
    (repository.directory / "format").unlink()
    with pytest.raises(IntegrityError):
        Repository.open(repository.root)


@pytest.mark.parametrize("content", [b"", b"\0" * 65, b"junk\n", b"f" * 63, b"\xff" * 64])
def test_a_damaged_pointer_is_an_error_not_an_empty_repository(repository: Repository, content: bytes) -> None:
    add_commit(repository, 1)
    (repository.directory / "HEAD").write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        Repository.open(repository.root).state()
    assert caught.value.code == "bad-head"
    with pytest.raises(IntegrityError):
        add_commit(repository, 2)


def test_a_pointer_that_moved_meanwhile_is_busy(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository.storage, "compare_and_swap", lambda *arguments: False)
    with pytest.raises(BusyError):
        add_commit(repository, 1)
    assert Repository.open(repository.root).state().commits == ()


class RepositoryMachine(RuleBasedStateMachine):
    """The repository against lists and dicts, reopened at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        self.repository = Repository.init(self.scratch.name)
        self.commits: list[ObjectId] = []
        self.tags: dict[str, ObjectId] = {}
        self.settings: dict[str, str] = {}

    def teardown(self) -> None:
        self.scratch.cleanup()

    @rule(seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3))
    def commit(self, seeds: list[int]) -> None:
        with self.repository.lock():
            with self.repository.odb.batch():
                commits = [put_commit(self.repository, seed) for seed in seeds]
            self.repository.append(command="commit", author="t", commits=commits)
        self.commits += [commit for commit in dict.fromkeys(commits) if commit not in self.commits]

    @precondition(lambda self: self.commits)
    @rule(name=st.sampled_from(["v1", "v2", "v3"]), data=st.data())
    def tag(self, name: str, data: st.DataObject) -> None:
        commit = data.draw(st.sampled_from(self.commits))
        with self.repository.lock():
            if name in self.tags:
                with pytest.raises(ExistsError):
                    self.repository.append(command="tag", author="t", tags={name: commit})
                self.repository.append(command="tag", author="t", tags={name: None})
                del self.tags[name]
            else:
                self.repository.append(command="tag", author="t", tags={name: commit})
                self.tags[name] = commit

    @rule(key=st.sampled_from("ab"), value=st.none() | st.sampled_from("xy"))
    def declare(self, key: str, value: str | None) -> None:
        with self.repository.lock():
            self.repository.append(command="pin", author="t", settings={key: value})
        if value is None:
            self.settings.pop(key, None)
        else:
            self.settings[key] = value

    @rule()
    def reopen(self) -> None:
        self.repository = Repository.discover(self.scratch.name)
        assert check_repository(self.repository).ok

    @invariant()
    def same(self) -> None:
        state = self.repository.state()
        assert list(state.commits) == self.commits
        assert (dict(state.tags), dict(state.settings)) == (self.tags, self.settings)


RepositoryMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
TestRepositoryAgainstModel = RepositoryMachine.TestCase
