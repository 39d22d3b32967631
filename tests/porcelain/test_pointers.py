"""Pointers: written beside checkpoints, understood wherever a revision is, refused when they are not what mvc wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.errors import ExistsError, FormatError, InputError, MvcError, NotFoundError
from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.identify import identify
from mvc.porcelain.pointers import Pointer, content_digest, parse_pointer, pointer_path, read_pointer, target_path
from mvc.porcelain.pointing import ignore_line, with_line
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.storage import FileSystem
from mvc.testing.faults import Crash, FaultyFileSystem

Write = Callable[..., Path]
ID = "ab" * 32
TEXT = Pointer(ID, 12, "cd" * 32).to_bytes()  # type: ignore[arg-type]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository around the files that `write` writes."""
    return Workspace.of(Repository.init(tmp_path), author="A Tester <t@example.org>")


@pytest.fixture
def pointed(workspace: Workspace, write: Write, walk: Any) -> Path:
    """The last of a trajectory of seven, with a pointer beside it."""
    paths = [write(f"run/{n}.safetensors", point) for n, point in enumerate(walk(1, 7))]
    commit(workspace, paths[:-1])
    assert commit(workspace, paths[-1:], pointer=True).commits[0].pointer == str(paths[-1]) + ".mvc"
    return paths[-1]


def states(workspace: Workspace, *paths: Path) -> dict[str, str]:
    return {Path(entry.path).name: entry.state for entry in status(workspace, paths).entries}


def sharded(directory: Path) -> Path:
    directory.mkdir(parents=True)
    tensors = {f"layer{n}.weight": np.full((4, 3), n, np.float32) for n in range(2)}
    shards = {name: f"model-{n + 1:05}-of-00002.safetensors" for n, name in enumerate(tensors)}
    for name, shard in shards.items():
        save_file({name: tensors[name]}, directory / shard)
    index = {"metadata": {"total_size": 96}, "weight_map": shards}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def trainer(directory: Path) -> Path:
    directory.mkdir(parents=True)
    save_file({"w": np.arange(6, dtype=np.float32)}, directory / "model.safetensors")
    (directory / "trainer_state.json").write_text('{"global_step": 7}')
    (directory / "global_step7").mkdir()
    (directory / "global_step7" / "states.pt").write_bytes(b"anything")
    return directory


def tree(directory: Path) -> dict[str, bytes]:
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def test_the_text_is_read_as_it_is_written() -> None:
    for pointer in (Pointer(ID, 0, "cd" * 32), Pointer(ID, 10**17, "cd" * 32, files=12)):  # type: ignore[arg-type]
        assert parse_pointer(pointer.to_bytes()) == pointer
    assert TEXT.splitlines()[1:] == [b"commit " + ID.encode(), b"size 12", b"hash blake3:" + b"cd" * 32]


def test_it_stands_for_the_file(pointed: Path, workspace: Workspace) -> None:
    pointer = read_pointer(pointer_path(pointed))
    assert pointer.commit == resolve(workspace, "HEAD")
    assert pointer.size == pointed.stat().st_size
    assert target_path(pointer_path(pointed)) == pointed
    assert (pointed.parent / ".gitignore").read_bytes() == b"/6.safetensors\n"


def test_the_file_comes_back_byte_for_byte(pointed: Path, workspace: Workspace, tmp_path: Path) -> None:
    original = pointed.read_bytes()
    pointed.unlink()
    assert states(workspace, pointed.parent)["6.safetensors.mvc"] == "missing"
    result = checkout(workspace, "run/6.safetensors.mvc", directory=tmp_path)
    assert pointed.read_bytes() == original and result.bytes == len(original)
    before = pointed.stat()
    again = checkout(workspace, "run/6.safetensors.mvc", directory=tmp_path)
    assert (again.paths, again.bytes) == ((), 0) and pointed.stat().st_mtime_ns == before.st_mtime_ns
    checkout(workspace, "6.safetensors.mvc", directory=pointed.parent, target=Path("copy.safetensors"))
    assert (pointed.parent / "copy.safetensors").read_bytes() == original
    up = pointed.parent / "below"
    up.mkdir()
    pointed.unlink()
    checkout(workspace, "../6.safetensors.mvc", directory=up)
    assert pointed.read_bytes() == original


def test_another_file_is_not_overwritten(pointed: Path, workspace: Workspace, write: Write, walk: Any) -> None:
    original, pointer = pointed.read_bytes(), str(pointer_path(pointed))
    other = write("run/6.safetensors", walk(2, 1)[0]).read_bytes()
    entries = {Path(entry.path).name: entry for entry in status(workspace, [pointed.parent]).entries}
    assert entries["6.safetensors.mvc"].state == "differs" and "not committed" in entries["6.safetensors.mvc"].reason
    with pytest.raises(ExistsError) as caught:
        checkout(workspace, pointer, directory=Path())
    assert "--force" in caught.value.hint and pointed.read_bytes() == other
    checkout(workspace, pointer, directory=Path(), force=True)
    assert pointed.read_bytes() == original
    assert states(workspace, pointed.parent)["6.safetensors.mvc"] == "present"


@pytest.mark.parametrize("make", [sharded, trainer])
def test_a_directory_has_its_pointer_beside_it(make: Any, workspace: Workspace, tmp_path: Path) -> None:
    directory = make(tmp_path / "models" / "big")
    original = tree(directory)
    commit(workspace, [directory], pointer=True)
    pointer = tmp_path / "models" / "big.mvc"
    assert read_pointer(pointer).files == len(original)
    assert (tmp_path / "models" / ".gitignore").read_bytes() == b"/big\n"
    assert states(workspace, tmp_path) == {"big": "committed", "big.mvc": "present"}
    shutil.rmtree(directory)
    assert states(workspace, tmp_path) == {"big.mvc": "missing"}
    checkout(workspace, str(pointer), directory=Path())
    assert tree(directory) == original
    assert checkout(workspace, str(pointer), directory=Path()).paths == ()


def test_a_directory_that_lacks_files_is_completed(workspace: Workspace, tmp_path: Path) -> None:
    """What git carries in it stays: a configuration, say."""
    directory = sharded(tmp_path / "big")
    original = tree(directory)
    (directory / "config.json").write_text("{}")
    result = commit(workspace, [directory], pointer=True)
    assert any("config.json" in text and "git add -f" in text for text in result.warnings)
    for path in (*directory.glob("*.safetensors"), *directory.glob("*.index.json")):
        path.unlink()
    written = checkout(workspace, "big.mvc", directory=tmp_path).paths
    assert Path(written[-1]).name == "model.safetensors.index.json", "the index is what makes it a checkpoint"
    assert tree(directory) == {**original, "config.json": b"{}"}
    shard = next(iter(directory.glob("*.safetensors")))
    shard.write_bytes(b"other")
    with pytest.raises(ExistsError, match="other content"):
        checkout(workspace, "big.mvc", directory=tmp_path)
    assert shard.read_bytes() == b"other"


def test_a_directory_is_not_completed_through_a_link(workspace: Workspace, tmp_path: Path) -> None:
    directory = trainer(tmp_path / "work" / "big")
    commit(workspace, [directory], pointer=True)
    shutil.rmtree(directory / "global_step7")
    outside = tmp_path / "outside"
    outside.mkdir()
    (directory / "global_step7").symlink_to(outside)
    with pytest.raises(ExistsError):
        checkout(workspace, str(pointer_path(directory)), directory=Path())
    assert list(outside.iterdir()) == []


def test_pointers_in_a_trainers_directory_are_none_of_its_files(workspace: Workspace, tmp_path: Path) -> None:
    """A trainer's output directory is a checkpoint, and holds older ones."""
    outer = trainer(tmp_path / "out")
    commit(workspace, [outer])
    inner = trainer(outer / "checkpoint-7")
    (inner / "trainer_state.json").write_text('{"global_step": 3}')
    commit(workspace, [inner], pointer=True)
    shutil.rmtree(inner)
    for paths in ([tmp_path], [outer, pointer_path(inner)]):
        assert states(workspace, *paths) == {"out": "committed", "checkpoint-7.mvc": "missing"}


def test_every_verb_takes_it_for_its_commit(
    pointed: Path, workspace: Workspace, tmp_path: Path, write: Write, walk: Any
) -> None:
    head, text = resolve(workspace, "HEAD"), "run/6.safetensors.mvc"
    pointed.unlink()
    assert resolve(workspace, text, tmp_path) == head
    assert show(workspace, text, directory=tmp_path).id == head
    assert create_tag(workspace, "base", text, directory=tmp_path).tags[0].commit == head
    tuned = commit(workspace, [write("tuned.safetensors", walk(5, 1)[0])], parent=text, directory=tmp_path)
    assert show(workspace, tuned.commits[0].id).facts["parent"] == head
    assert blame(workspace, text, directory=tmp_path).commit == head
    assert diff(workspace, f"./{text}", "base", directory=tmp_path).distance == 0
    judged = check(workspace, ["base~1", text], directory=tmp_path).commits
    assert [(row.id, row.pointer) for row in judged[1:]] == [(head, str(tmp_path / text))] and judged[0].pointer is None
    found = identify(workspace, [pointer_path(pointed)]).results[0].match
    assert found is not None and (found.commit, found.relation) == (head, "same")
    for act in (
        lambda: check(workspace, ["run/6.safetensors"], directory=tmp_path),
        lambda: identify(workspace, [pointed]),
        lambda: commit(workspace, [pointed]),
        lambda: checkout(workspace, str(pointed), directory=tmp_path),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert "mvc checkout" in caught.value.hint and "6.safetensors.mvc" in caught.value.hint


def test_a_pointer_moves_on_with_the_file(pointed: Path, workspace: Workspace, write: Write, walk: Any) -> None:
    first = read_pointer(pointer_path(pointed))
    write("run/6.safetensors", walk(2, 1)[0])
    commit(workspace, [pointed], pointer=True)
    assert read_pointer(pointer_path(pointed)) not in (first,)
    assert states(workspace, pointed)["6.safetensors"] == "committed"
    assert (pointed.parent / ".gitignore").read_bytes() == b"/6.safetensors\n"


def test_a_commit_of_long_ago_gets_a_pointer_too(workspace: Workspace, write: Write, walk: Any) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    first = commit(workspace, [path]).commits[0]
    again = commit(workspace, [path], pointer=True).commits[0]
    assert again.relation == "duplicate" and read_pointer(pointer_path(path)).commit == first.id


HOSTILE = {
    "empty": b"",
    "garbage": b"\x00\xff" * 40,
    "huge": TEXT + b"\n" * 5000,
    "short id": TEXT.replace(ID.encode(), b"abcd"),
    "id is no hex": TEXT.replace(ID.encode(), b"zz" * 32),
    "id in capitals": TEXT.replace(ID.encode(), b"AB" * 32),
    "id is a path": TEXT.replace(ID.encode(), b"../../../../etc/passwd"),
    "negative size": TEXT.replace(b"size 12", b"size -1"),
    "size with a zero": TEXT.replace(b"size 12", b"size 012"),
    "enormous size": TEXT.replace(b"size 12", b"size " + b"9" * 400),
    "another hash": TEXT.replace(b"blake3:", b"md5:"),
    "another line": TEXT + b"path /etc/passwd\n",
    "no line end": TEXT[:-1],
    "carriage returns": TEXT.replace(b"\n", b"\r\n"),
    "newer": TEXT.replace(b"spec/v1", b"spec/v2"),
    "conflict": b"<<<<<<< HEAD\n" + TEXT + b"=======\n" + TEXT + b">>>>>>> other\n",
    "git lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_mvc_did_not_write_is_refused(name: str, pointed: Path, workspace: Workspace, tmp_path: Path) -> None:
    path = pointer_path(pointed)
    path.write_bytes(HOSTILE[name])
    before = tree(tmp_path / "run")
    with pytest.raises(FormatError) as caught:
        read_pointer(path)
    assert caught.value.code == "bad-pointer" and caught.value.hint and len(caught.value.message) < 400
    for act in (
        lambda: checkout(workspace, str(path), directory=Path(), force=True),
        lambda: show(workspace, str(path)),
        lambda: identify(workspace, [path]),
        lambda: check(workspace, ["run/6.safetensors.mvc"], directory=tmp_path),
    ):
        with pytest.raises(MvcError) as refused:
            act()
        assert refused.value.code == "bad-pointer"
    assert tree(tmp_path / "run") == before
    assert states(workspace, path)["6.safetensors.mvc"] in ("bad", "blocked")


def test_whatever_else_is_refused_or_is_the_same_pointer() -> None:
    """Any byte changed, dropped or put in: another pointer of the same form, or an error, and never anything else."""
    rng = np.random.default_rng(1)
    for _ in range(3000):
        content = bytearray(TEXT)
        at = int(rng.integers(len(content)))
        match rng.integers(3):
            case 0:
                content[at] = rng.integers(256)
            case 1:
                del content[at : at + int(rng.integers(1, 9))]
            case _:
                content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        try:
            assert parse_pointer(bytes(content)).to_bytes() == content
        except FormatError as error:
            assert error.code == "bad-pointer" and error.message.isascii()


def test_a_newer_format_and_a_conflict_are_told_apart() -> None:
    for name, words in {"newer": "newer mvc", "conflict": "merge conflict"}.items():
        with pytest.raises(FormatError, match=words):
            parse_pointer(HOSTILE[name])


@pytest.mark.parametrize("field", ["size", "digest"])
def test_a_pointer_that_contradicts_its_commit(field: str, pointed: Path, workspace: Workspace) -> None:
    path = pointer_path(pointed)
    pointer = read_pointer(path)
    wrong = {"size": (pointer.size + 1, pointer.digest), "digest": (pointer.size, "0" * 64)}[field]
    path.write_bytes(Pointer(pointer.commit, *wrong).to_bytes())
    pointed.unlink()
    with pytest.raises(FormatError) as caught:
        checkout(workspace, str(path), directory=Path())
    assert caught.value.code == "bad-pointer" and not pointed.exists()
    assert states(workspace, path)["6.safetensors.mvc"] == "bad"


def test_a_commit_of_another_repository(pointed: Path, workspace: Workspace) -> None:
    path = pointer_path(pointed)
    path.write_bytes(TEXT)
    pointed.unlink()
    for act in (
        lambda: checkout(workspace, str(path), directory=Path()),
        lambda: check(workspace, [str(path)]),
        lambda: identify(workspace, [path]),
    ):
        with pytest.raises(NotFoundError) as caught:
            act()
        assert caught.value.code == "unknown-commit" and ".mvc" in caught.value.hint
    entry = status(workspace, [path]).entries[0]
    assert entry.state == "blocked" and ID[:12] in entry.reason


def test_a_pipe_named_as_a_pointer_does_not_block(workspace: Workspace, write: Write, walk: Any) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    os.mkfifo(pointer_path(path))
    with pytest.raises(ExistsError):
        commit(workspace, [path], pointer=True)
    with pytest.raises(NotFoundError):
        resolve(workspace, "a.safetensors.mvc", path.parent)


def test_places_where_no_pointer_can_stand(workspace: Workspace, write: Write, walk: Any, tmp_path: Path) -> None:
    path = write("a.safetensors", walk(1, 1)[0])
    (tmp_path / "a.safetensors.mvc").write_text("notes of mine")
    with pytest.raises(ExistsError):
        commit(workspace, [path], pointer=True)
    assert (tmp_path / "a.safetensors.mvc").read_text() == "notes of mine"
    broken = write("b\n.safetensors", walk(1, 1)[0])
    index = sharded(tmp_path / "big") / "model.safetensors.index.json"
    inner = Workspace.of(Repository.init(tmp_path / "inner"), author="x")
    linked = write("linked/c.safetensors", walk(1, 1)[0])
    (linked.parent / ".gitignore").symlink_to(tmp_path / "elsewhere")
    for home, refused in ((workspace, broken), (workspace, index), (inner, path), (workspace, linked)):
        with pytest.raises(InputError):
            commit(home, [refused], pointer=True)
    with pytest.raises(NotFoundError):
        resolve(workspace, "HEAD")  # refused before anything was committed


@pytest.mark.parametrize(
    "name",
    ["a.pt", "#a.pt", "!a.pt", "a*b?[c].pt", "a\\b.pt", "a b.pt ", "ü\u202e.pt", "-a.pt", "tab\t.pt", "\\", "[a-z]  "],
)
def test_git_ignores_exactly_that_file(name: str, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env={**os.environ, "HOME": str(tmp_path)})
    (tmp_path / ".gitignore").write_bytes(with_line(b"", ignore_line(tmp_path / name)))
    others = ["aXbYc.pt", "a.pt.mvc", f"{name}.mvc", f"x{name}", f"sub/{name}", "q"]
    asked = "\0".join([name, *others])
    command = ["git", "-C", str(tmp_path), "check-ignore", "-z", "--stdin"]
    done = subprocess.run(command, input=asked.encode(), capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == [name]


def test_git_ignores_exactly_those_of_many_odd_names(tmp_path: Path, git: Callable[..., str]) -> None:
    """Names of characters that mean something to git, each alone in the .gitignore of a directory of its own."""
    rng = np.random.default_rng(0)
    letters = np.array([*"ab", *"*?[]!#\\ \t-^{}~$'\"`.:,", "ü", "\u202e", "\x7f", "\udcff"])
    names = {"".join(rng.choice(letters, rng.integers(1, 7))) for _ in range(400)} - {".", ".."}
    git("init", "-q", cwd=tmp_path)
    wanted, asked = [], []
    for number, name in enumerate(sorted(names)):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / ".gitignore").write_bytes(with_line(b"", ignore_line(directory / name)))
        wanted.append(f"{number}/{name}")
        near = {f"{name}.mvc", f"x{name}", f"{name}x", f"sub/{name}", name.strip(), name[:-1], name.replace("\\", "")}
        asked += [f"{number}/{other}" for other in [name, *sorted(near - {name, "", ".", ".."})]]
    text = "\0".join(asked).encode("utf-8", "surrogateescape")
    command = ["git", "-C", str(tmp_path), "check-ignore", "-z", "--stdin", "--no-index"]
    done = subprocess.run(command, input=text, capture_output=True, check=True)
    assert done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1] == wanted


@pytest.mark.parametrize("before", [b"", b"*.log", b"*.log\n", b"# x\r\n*.log\r\n", b"\xff\xfe\n\n/a.pt.mvc\n"])
def test_what_git_ignored_before_stays(before: bytes) -> None:
    once = with_line(before, b"/a.pt")
    assert once.startswith(before) and once.endswith(b"/a.pt\n")
    assert once.count(b"\n/a.pt\n") + once.startswith(b"/a.pt\n") == 1
    assert with_line(once, b"/a.pt") == once
    assert with_line(b"/a.pt\r\n", b"/a.pt") == b"/a.pt\r\n"


def test_the_list_of_files_has_no_two_readings() -> None:
    one = [("a", 1, "00"), ("b", 2, "11")]
    assert content_digest(tuple(one)) == content_digest(tuple(reversed(one)))
    assert content_digest((("a", 1, "00 1 b\n"), ("b", 2, "11"))) != content_digest(tuple(one))
    assert content_digest((("", 1, "00"),)) == "00"


def test_a_directory_that_was_half_completed_is_completed_again(tmp_path: Path) -> None:
    """A process that stops at any operation leaves whole files of the checkpoint, and no index before its shards."""
    root = tmp_path / "repo"
    directory = sharded(root / "big")
    original = tree(directory)
    commit(Workspace.of(Repository.init(root), author="x"), [directory], pointer=True)

    def run(fs: FileSystem) -> None:
        checkout(Workspace.of(Repository.open(root, fs=fs), author="x"), "big.mvc", directory=root)

    def reset() -> None:
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "config.json").write_text("{}")

    reset()
    counted = FaultyFileSystem()
    run(counted)
    steps = set()
    for number in range(len(counted.operations)):
        reset()
        with pytest.raises(Crash):
            run(FaultyFileSystem(number))
        left = {name: data for name, data in tree(directory).items() if not name.startswith("tmp-")}
        assert left.items() <= {**original, "config.json": b"{}"}.items()
        assert "model.safetensors.index.json" not in left or len(left) == 4
        steps.add(len(left))
        run(FileSystem())
        assert original.items() <= tree(directory).items()
    assert steps == {1, 2, 3, 4}


def test_all_or_nothing_and_again(tmp_path: Path, write: Write, walk: Any) -> None:
    """A process that stops at any operation leaves whole files, weights that git sees or a pointer for them, and the
    same command completes what it left."""
    path = write("repo/a.safetensors", walk(1, 1)[0])
    root = path.parent
    commit(Workspace.of(Repository.init(root), author="x"), [path])

    def run(fs: FileSystem) -> None:
        commit(Workspace.of(Repository.open(root, fs=fs), author="x"), [path], pointer=True)

    def reset() -> None:
        pointer_path(path).unlink(missing_ok=True)
        (root / ".gitignore").write_bytes(b"*.log\n")

    reset()
    counted = FaultyFileSystem()
    run(counted)
    expected = (pointer_path(path).read_bytes(), b"*.log\n/a.safetensors\n")
    outcomes = set()
    for number in range(len(counted.operations)):
        reset()
        with pytest.raises(Crash):
            run(FaultyFileSystem(number))
        pointer = pointer_path(path).read_bytes() if pointer_path(path).exists() else None
        ignored = (root / ".gitignore").read_bytes()
        outcomes.add((pointer, ignored))
        assert (pointer, ignored) in ((None, b"*.log\n"), (expected[0], b"*.log\n"), expected)
        run(FileSystem())
        assert (pointer_path(path).read_bytes(), (root / ".gitignore").read_bytes()) == expected
    assert len(outcomes) == 3
