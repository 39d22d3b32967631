"""The kept repositories of format 2: read as they were written; and damaged in every way, with what fsck says of each.

``golden/format-2.tar.gz``, whose packs have no checksums, and ``golden/format-2-checksums.tar.gz`` were written by
`mvc.testing.golden` and are never written again.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.errors import GoneError, MvcError
from mvc.objects import ObjectId
from mvc.odb import loose_key
from mvc.odb.codecs import RAW, RESIDUALS, ZSTD
from mvc.odb.stored import parse_head
from mvc.porcelain.commits import commit
from mvc.porcelain.fsck import fsck
from mvc.porcelain.log import log
from mvc.porcelain.operations import op_log
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository, check_repository
from mvc.testing.golden import GIVEN_UP, NAME, tensors, write_golden

GOLDEN = Path(__file__).parent / "golden"

Damage = Callable[[Repository], None]


def unpack(place: Path, name: str) -> Path:
    with tarfile.open(GOLDEN / f"{name}.tar.gz") as archive:
        archive.extractall(place, filter="data")
    return place / NAME


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("golden"), f"{NAME}-checksums")


@pytest.fixture
def golden(unpacked: Path, tmp_path: Path) -> Repository:
    shutil.copytree(unpacked, tmp_path / NAME)
    return Repository.open(tmp_path / NAME)


def check(repository: Repository, commit_id: ObjectId, step: int) -> None:
    """That a commit is what was written, but for the tensor that it gave up."""
    stored, written = repository.checkpoint(commit_id), dict(tensors(step))
    kept = [name for name in written if (step, name) != (3, GIVEN_UP)]
    assert list(stored.specs) == list(written)
    assert {name: (stored.specs[name], bytes(stored.read(name))) for name in kept} == {n: written[n] for n in kept}


@pytest.mark.parametrize(("name", "checked"), [(NAME, False), (f"{NAME}-checksums", True)])
def test_it_says_what_it_said(tmp_path: Path, name: str, checked: bool) -> None:
    golden = Repository.open(unpack(tmp_path, name))
    report = check_repository(golden)
    assert report.findings == () and (report.undecoded > 0) == checked
    state = golden.state()
    assert state.head == "9a2ae81cceac23ea80a867ec6dc9ca109176a30efe92846bc5cd2f0620b65e12"
    assert [golden.commit(commit_id).path for commit_id in state.commits] == ["0.pt", "1.pt", "2.pt", "3.pt"]
    assert dict(state.tags) == {"v1": state.commits[0]} and len(state.settings) == 3
    for step, commit_id in enumerate(state.commits):
        check(golden, commit_id, step)
    with pytest.raises(GoneError, match="were given up on 2024-01-01 by mvc gc --keep last=1"):
        golden.checkpoint(state.commits[3]).read(GIVEN_UP)
    workspace = Workspace.of(golden, author="t")
    assert sum(len(row.commits) for row in log(workspace).lineages) == 4
    assert op_log(workspace).operations[0].command == "gc --keep"


def test_it_holds_everything_that_the_format_has(golden: Repository) -> None:
    bases = Counter(len(golden.odb.bases_of(object_id)) for object_id in golden.odb.ids())
    assert bases.keys() == {0, 1, 2}
    heads = [parse_head(golden.odb.stored_form(object_id)) for object_id in golden.odb.ids()]
    assert {head.codec for head in heads if not isinstance(head, int)} == {RAW, ZSTD, RESIDUALS}
    assert len(golden.odb.packs) >= 4 and list((golden.directory / "objects").glob("*/*"))


def test_what_is_written_today_is_the_same(golden: Repository, tmp_path: Path) -> None:
    """The objects' names and the pointer are; how they are stored may differ with the libraries' versions."""
    today = write_golden(tmp_path / "today")
    assert today.head() == golden.head()
    assert list(today.odb.ids()) == list(golden.odb.ids())


# --- damage -----------------------------------------------------------------------------------------------------------


def change(path: Path, how: str) -> None:
    path.chmod(0o644)
    content = path.read_bytes()
    middle = len(content) // 2
    if how == "deleted":
        path.unlink()
        return
    path.write_bytes(
        {
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "zeroed": bytes(len(content)),
            "emptied": b"",
            "cut short": content[:-5],
            "grown": content + b"more",
            "begins as another": b"x" + content[1:],
        }[how]
    )


def needed(repository: Repository, step: int, name: str) -> ObjectId:
    return repository.manifest(repository.commit(repository.state().commits[step]).manifest).weights[name].object


def loose(kind: str, how: str) -> Damage:
    def damage(repository: Repository) -> None:
        commit = repository.state().commits[3]
        manifest = repository.commit(commit).manifest
        chosen = {
            "commit": commit,
            "manifest": manifest,
            "skeleton": repository.manifest(manifest).files[0].skeleton,
            "tensor": needed(repository, 3, "weight"),
        }[kind]
        change(repository.directory / loose_key(chosen), how)

    return damage


def packed(name: str, how: str) -> Damage:
    def damage(repository: Repository) -> None:
        key = repository.odb.key_of(needed(repository, 0, name))
        path = repository.directory / key
        if how == "renamed":
            path.rename(path.with_name("0" * 64))
        elif how == "trailer":
            content = path.read_bytes()
            path.chmod(0o644)
            path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        elif how == "object":
            content, stored = path.read_bytes(), repository.odb.stored_form(needed(repository, 0, name))
            at = content.index(bytes(stored)) + len(stored) - 3
            path.chmod(0o644)
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        else:
            change(path, how)

    return damage


def pointer(content: bytes | None) -> Damage:
    def damage(repository: Repository) -> None:
        path = repository.directory / "HEAD"
        path.unlink() if content is None else path.write_bytes(content)

    return damage


def operation(number: int) -> Damage:
    def damage(repository: Repository) -> None:
        chosen = [item.id for item in repository.operations()][number]
        change(repository.directory / repository.odb.key_of(chosen), "deleted")

    return damage


def litter(name: str) -> Damage:
    def damage(repository: Repository) -> None:
        path = repository.directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"litter")

    return damage


def pointed_at_a_commit(repository: Repository) -> None:
    (repository.directory / "HEAD").write_text(f"{repository.state().commits[0]}\n")


#: what was done → codes that fsck must find, words that it must say, and whether all is back after a repair alone
DAMAGES: dict[str, tuple[Damage, set[str], str, bool]] = {
    **{
        f"a loose {kind} {how}": (loose(kind, how), {"damaged"}, "object", False)
        for kind, how in (
            ("tensor", "flipped"), ("tensor", "zeroed"), ("tensor", "emptied"), ("tensor", "cut short"),
            ("tensor", "grown"), ("tensor", "begins as another"), ("skeleton", "flipped"), ("manifest", "zeroed"),
            ("commit", "cut short"),
        )
    },
    "a loose tensor deleted": (loose("tensor", "deleted"), {"missing"}, "is missing, needed by commit", False),
    "a loose commit deleted": (loose("commit", "deleted"), {"missing"}, "commit .* is missing, needed by", False),
    "an object in a pack flipped": (packed("noise", "object"), {"damaged"}, "object", False),
    "a base in a pack flipped": (packed("weight", "object"), {"damaged"}, "object", False),
    "a pack whose trailer is flipped": (packed("noise", "trailer"), {"damaged"}, "trailer", True),
    "a pack cut short": (packed("noise", "cut short"), {"damaged"}, "pack", True),
    "a pack that has grown": (packed("noise", "grown"), {"damaged"}, "pack", True),
    "a pack that begins as another": (packed("noise", "begins as another"), {"damaged"}, "pack", True),
    "a pack under another name": (packed("noise", "renamed"), {"damaged"}, "pack", True),
    "a pack zeroed": (packed("noise", "zeroed"), {"damaged", "missing"}, "pack", False),
    "a pack emptied": (packed("noise", "emptied"), {"damaged", "missing"}, "pack", False),
    "a pack deleted": (packed("noise", "deleted"), {"missing"}, "is missing, needed by", False),
    "the pointer deleted": (pointer(None), {"bad-head"}, "HEAD is missing", True),
    "the pointer emptied": (pointer(b""), {"bad-head"}, "HEAD is damaged", True),
    "the pointer zeroed": (pointer(bytes(65)), {"bad-head"}, "HEAD is damaged", True),
    "a pointer to nothing": (pointer(b"ab" * 32 + b"\n"), {"missing"}, "is missing, needed by HEAD", False),
    "a pointer to a commit": (pointed_at_a_commit, {"malformed"}, "is a commit, where HEAD needs", False),
    "the newest operation deleted": (operation(0), {"missing"}, "operation .* needed by HEAD", False),
    "an operation in the middle deleted": (operation(3), {"missing"}, "operation .* needed by operation", False),
    "a half-written file": (litter("packs/tmp-1-2"), {"leftover"}, "half-written", True),
    "a stray file": (litter("objects/ab/notes.txt"), {"stray"}, "no object", True),
}  # fmt: skip


def contents(directory: Path) -> set[bytes]:
    """Every file but those half-written."""
    return {path.read_bytes() for path in directory.rglob("*") if path.is_file() and "tmp-" not in path.name}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_fsck_says_and_repair_does(name: str, golden: Repository, unpacked: Path) -> None:
    damage, codes, words, alone = DAMAGES[name]
    damage(golden)
    report = check_repository(Repository.open(golden.root))
    found = [finding for finding in report.findings if finding.code != "unreachable"]
    assert codes <= {finding.code for finding in found}, found
    assert report.ok == (codes == {"leftover"})
    assert any(_says(words, finding.message) for finding in found), found
    assert all(finding.message and "Error" not in finding.message for finding in found)

    before = contents(golden.directory)
    check_repository(Repository.open(golden.root), repair=True)
    assert before <= contents(golden.directory), "a repair deletes nothing"
    assert check_repository(Repository.open(golden.root)).ok == alone

    # and whatever is lost comes back from a sound copy
    result = fsck(Workspace.open(golden.root, author="t"), repair=True, sources=[unpacked])
    after = check_repository(Repository.open(golden.root))
    if name in ("a pointer to nothing", "a pointer to a commit"):
        assert not after.ok  # which operation was the newest is not known here: a person says so
    else:
        assert after.ok, (result.findings, after.findings)
        state = Repository.open(golden.root).state()
        assert state.head == Repository.open(unpacked).head() and len(state.commits) == 4
        again = Repository.open(golden.root)
        for step, commit_id in enumerate(state.commits):
            check(again, commit_id, step)


def _says(words: str, message: str) -> bool:
    parts = words.split(" .* ")
    return all(part in message for part in parts)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("format", b"", "damaged"),
        ("format", b"three", "damaged"),
        ("format", b"3\n", "has format 3"),
        ("format", None, "no format file"),
        ("config.toml", b"\xff\xfe", "not readable TOML"),
        ("config.toml", b"[lock]\ntimeout = 'soon'\n", "must be a number"),
    ],
)
def test_settings_that_are_damaged_are_named_on_opening(
    golden: Repository, file: str, content: bytes | None, words: str
) -> None:
    path = golden.directory / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(MvcError) as caught:
        Repository.open(golden.root)
    assert caught.value.hint and (words in caught.value.message or "timeout" in caught.value.message)


def test_lost_tensors_come_back_from_files(tmp_path: Path) -> None:
    """From the working directory's own checkpoints, by content: their names do not matter."""
    root, files = tmp_path / "repo", tmp_path / "files"
    files.mkdir()
    for n in range(3):
        save_file({"w": np.random.default_rng(n).normal(size=(30, 20))}, files / f"{n}.safetensors")
    workspace = Workspace.of(Repository.init(root), author="t")
    commit(workspace, [files])
    for pack in (root / ".mvc" / "packs").iterdir():
        if pack.stat().st_size > 4000:
            content = pack.read_bytes()
            pack.chmod(0o644)
            pack.write_bytes(content[:3000] + bytes(1000) + content[4000:])
    (files / "1.safetensors").rename(files / "elsewhere.bin")
    os.symlink("nowhere", files / "dangling.safetensors")
    assert not check_repository(Repository.open(root)).ok
    result = fsck(Workspace.open(root, author="t"), repair=True, sources=[files])
    assert any("brought back from" in finding.message for finding in result.findings)
    assert check_repository(Repository.open(root)).ok
