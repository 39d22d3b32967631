"""Every command on a real repository: its JSON against the contract, its text, its exit codes, its refusals.

Longer than other files, as one repository that is made once serves all commands.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mvc.cli import main
from mvc.objects import ObjectId
from mvc.odb.packed import PackedObjects
from mvc.storage import LocalStorage

Invoke = Callable[..., tuple[int, str, str]]

LENGTH = 8
HOSTILE = "\x1b[31m[bold]x[/bold]\u202e"


def weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "fc1.weight": rng.normal(size=(24, 24)).astype(np.float32),
        "fc2.weight": rng.normal(size=(10, 24)).astype(np.float32),
        "frozen.bias": rng.normal(size=24).astype(np.float32),
        "steps": np.array([1], dtype=np.int64),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two runs of LENGTH checkpoints, committed in one go. Copied for every test."""
    root = tmp_path_factory.mktemp("made")
    for run in range(2):
        rng = np.random.default_rng(run)
        now = weights(rng)
        drift = {name: rng.normal(size=now[name].shape).astype(np.float32) for name in ("fc1.weight", "fc2.weight")}
        for index in range(LENGTH):
            (root / f"run{run}").mkdir(exist_ok=True)
            save_file(now, str(root / f"run{run}" / f"{index}.safetensors"), {"format": "pt"})
            for name, toward in drift.items():
                noise = rng.normal(size=toward.shape).astype(np.float32)
                now = {**now, name: now[name] + 0.05 * 0.8**index * (toward + 0.3 * noise)}
    here = os.getcwd()
    os.chdir(root)
    try:
        assert main.run(["init"]) == 0
        assert main.run(["commit", "run0", "run1"]) == 0
    finally:
        os.chdir(here)
    return root


@pytest.fixture
def repo(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repo"
    shutil.copytree(made, root, copy_function=shutil.copy2)
    monkeypatch.chdir(root)
    monkeypatch.setenv("MVC_AUTHOR", "A Tester <t@example.org>")
    return root


def read(invoke: Invoke, *args: str, code: int = 0) -> Any:
    got, out, err = invoke(*args, "--json")
    assert got == code, err
    value = json.loads(out)  # one object, nothing else
    assert value["schema"] == f"mvc.{args[0]}/v1"
    return value


def commits(invoke: Invoke) -> dict[str, str]:
    """path → commit."""
    return {c["path"]: c["id"] for row in read(invoke, "log")["lineages"] for c in row["commits"]}


FIELDS: dict[str, tuple[tuple[str, ...], str, set[str], set[str]]] = {
    "log": ((), "lineages", {"lineages"}, {"id", "name", "architecture", "forked_from", "direction", "commits"}),
    "show": (("HEAD",), "tensors", {"id", "facts", "inference"}, {"name", "object", "dtype", "shape", "role"}),
    "blame": (("HEAD",), "tensors", {"commit", "lineage"}, {"name", "numel", "commit", "relation", "contributions"}),
    "check": (("HEAD",), "commits", {"verdict", "checked", "findings"}, {"id", "path", "verdict", "score"}),
    "status": ((), "entries", {"entries"}, {"path", "state", "reason"}),
    "du": ((), "rows", {"rows"}, {"kind", "name", "commits", "bytes", "stored_bytes"}),
    "lineage": ((), "lineages", {"lineages"}, {"id", "name", "architecture", "commits", "tip", "forked_from"}),
    "identify": (("run0/3.safetensors",), "results", {"results"}, {"path", "match", "runner_up", "mixture"}),
    "diff": (
        ("run0/0.safetensors", "run0/7.safetensors"),
        "tensors",
        {"a", "b", "distance", "relative_distance", "cosine"},
        {"name", "status", "numel", "distance", "relative_distance", "cosine", "max_abs"},
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_json_has_the_fields_of_the_contract(name: str, repo: Path, invoke: Invoke) -> None:
    args, rows, top, row = FIELDS[name]
    value = read(invoke, name, *args)
    assert top <= value.keys()
    assert value[rows]
    assert all(row <= item.keys() for item in value[rows])


@pytest.mark.parametrize("name", FIELDS)
def test_text_fits_eighty_columns_and_has_no_escapes_when_piped(name: str, repo: Path, invoke: Invoke) -> None:
    code, out, _ = invoke(name, *FIELDS[name][0])
    assert code == 0 and out
    assert "\x1b" not in out
    assert max(len(line) for line in out.splitlines()) <= 100


def test_undo_and_the_log_of_operations(repo: Path, invoke: Invoke) -> None:
    before = read(invoke, "log")
    read(invoke, "tag", "v1")
    code, out, _ = invoke("op", "log", "--json")
    rows = json.loads(out)["operations"]
    assert code == 0 and json.loads(out)["schema"] == "mvc.op-log/v1"
    assert [row["command"] for row in rows] == ["tag", "commit"]
    assert rows[0]["tags"].keys() == {"v1"} and len(rows[1]["commits"]) == 2 * LENGTH
    value = read(invoke, "undo")
    assert value["undone"]["id"] == rows[0]["id"] and value["operation"]["parents"] == [rows[0]["id"]]
    assert read(invoke, "log") == before and read(invoke, "tag")["tags"] == []
    assert read(invoke, "tag", "--at-op", "@-")["tags"] and read(invoke, "log", "--at-op", rows[1]["id"][:8]) == before
    code, out, _ = invoke("op", "log")
    assert code == 0 and "tag 'v1' removed from" in out and "commits added" in out
    code, out, _ = invoke("undo", rows[1]["id"][:8])
    assert code == 0 and "undone" in out and f"{2 * LENGTH} commits taken away" in out
    assert read(invoke, "log")["lineages"] == []
    assert invoke("undo", "nothing")[0] == 2 and invoke("tag", "v1", "--at-op", "@")[0] == 2


def test_fsck_and_tags(repo: Path, invoke: Invoke) -> None:
    value = read(invoke, "fsck")
    assert value["ok"] is True and value["objects"] > 0 and "findings" in value
    read(invoke, "tag", "v1")
    assert [row["name"] for row in read(invoke, "tag")["tags"]] == ["v1"]
    assert invoke("tag", "v1")[0] == 2
    assert invoke("tag", "-d", "v1")[0] == 0
    assert read(invoke, "reindex")["commits"] == 2 * LENGTH


def test_gc_says_what_goes_and_changes_nothing_that_is_needed(repo: Path, invoke: Invoke) -> None:
    before = read(invoke, "log")
    dry = read(invoke, "gc", "--dry-run")
    assert dry["dry_run"] is True and not dry["proposed"] and dry["removed"] == 0 and dry["kept"] > 0
    done = read(invoke, "gc", "--grace", "0")
    assert done["files"]["after"] == 1 and done["kept"] == dry["kept"]
    assert read(invoke, "log") == before and read(invoke, "fsck")["findings"] == []
    code, out, _ = invoke("gc", "-n")
    assert code == 0 and "0 objects would go: 0 B" in out
    code, _, err = invoke("gc", "--grace", "soon")
    assert code == 2 and "write it like 14d" in err


def test_init_twice_changes_nothing(repo: Path, invoke: Invoke) -> None:
    assert read(invoke, "init")["created"] is False
    assert read(invoke, "init", "elsewhere")["created"] is True


def test_commit_reports_what_is_known(repo: Path, invoke: Invoke) -> None:
    value = read(invoke, "commit", "run0/2.safetensors")
    (row,) = value["commits"]
    assert row["relation"] == "duplicate"
    assert {"id", "path", "architecture", "lineage", "position", "parent", "distance", "confidence"} <= row.keys()


def test_status_tells_states_apart(repo: Path, invoke: Invoke) -> None:
    shutil.copy("run0/1.safetensors", "copy.safetensors")
    save_file(weights(np.random.default_rng(9)), "new.safetensors")
    save_file(weights(np.random.default_rng(10)), "run1/3.safetensors")
    Path("pointer.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    )
    Path("empty.safetensors").touch()
    for _ in range(2):  # the second time from remembered digests
        states = {entry["path"]: entry["state"] for entry in read(invoke, "status")["entries"]}
        assert states["copy.safetensors"] == "committed"
        assert states["run0/0.safetensors"] == "committed"
        assert states["new.safetensors"] == "new"
        assert states["run1/3.safetensors"] == "changed"
        assert states["pointer.safetensors"] == "blocked"
        assert states["empty.safetensors"] == "bad"
    assert invoke("status", "nowhere")[0] == 2
    code, out, _ = invoke("status")
    assert code == 0 and "Not committed (1)" in out and "16 committed" in out


def test_a_touched_file_is_read_again(repo: Path, invoke: Invoke) -> None:
    read(invoke, "status")
    path = Path("run0/0.safetensors")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    states = {entry["path"]: entry["state"] for entry in read(invoke, "status")["entries"]}
    assert states["run0/0.safetensors"] == "changed"


def test_diff_of_a_file_with_itself_and_exit_code(repo: Path, invoke: Invoke) -> None:
    same = read(invoke, "diff", "./run0/3.safetensors", "HEAD", "--exit-code", code=1)
    assert same["tensors"]
    same = read(invoke, "diff", "./run0/3.safetensors", "./run0/3.safetensors", "--exit-code")
    assert {row["status"] for row in same["tensors"]} == {"identical"}
    assert (same["distance"], same["relative_distance"]) == (0.0, 0.0)
    assert same["verdict"] == "the same weights"


def test_diff_figures_are_exact(repo: Path, invoke: Invoke) -> None:
    a, b = load_file("run0/0.safetensors"), load_file("run0/7.safetensors")
    names = ["fc1.weight", "fc2.weight", "frozen.bias"]
    x = np.concatenate([a[name].ravel() for name in names]).astype(np.float64)
    y = np.concatenate([b[name].ravel() for name in names]).astype(np.float64)
    ids = commits(invoke)
    for left, right in (("run0/0.safetensors", "run0/7.safetensors"),) * 2:
        value = read(invoke, "diff", ids[left], ids[right])
        assert value["distance"] == pytest.approx(np.linalg.norm(y - x))
        assert value["cosine"] == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
        assert value["steps"] > 1
        rows = {row["name"]: row for row in value["tensors"]}
        assert rows["frozen.bias"]["status"] == rows["steps"]["status"] == "identical"
        assert rows["fc1.weight"]["share"] + rows["fc2.weight"]["share"] == pytest.approx(1.0)


def test_diff_names_every_kind_of_change(repo: Path, invoke: Invoke) -> None:
    old = load_file("run0/0.safetensors")
    new = {
        "fc1.weight": old["fc1.weight"].astype(np.float16),
        "fc2.weight": old["fc2.weight"].T.copy(),
        "frozen.bias": np.where(np.arange(24) == 3, np.nan, old["frozen.bias"]).astype(np.float32),
        HOSTILE: np.ones(3, np.float32),
    }
    save_file(new, "new.safetensors")
    rows = {row["name"]: row for row in read(invoke, "diff", "./run0/0.safetensors", "./new.safetensors")["tensors"]}
    assert {name: row["status"] for name, row in rows.items()} == {
        "fc1.weight": "recast",
        "fc2.weight": "reshaped",
        "frozen.bias": "changed",
        HOSTILE: "added",
        "steps": "removed",
    }
    assert rows["frozen.bias"]["nonfinite"] == 1 and rows["frozen.bias"]["distance"] == 0
    assert 0 < rows["fc1.weight"]["max_abs"] < 0.01
    code, out, _ = invoke("diff", "./run0/0.safetensors", "./new.safetensors")
    assert code == 0 and "\x1b" not in out and "\u202e" not in out and "[bold]" in out
    assert "1 value not finite" in out


def test_blame_names_what_never_changed(repo: Path, invoke: Invoke) -> None:
    ids = commits(invoke)
    value = read(invoke, "blame", ids["run0/7.safetensors"])
    rows = {row["name"]: row for row in value["tensors"]}
    chain = read(invoke, "log", value["lineage"])["lineages"][0]["commits"]
    assert rows["frozen.bias"]["commit"] == rows["steps"]["commit"] == chain[0]["id"]
    assert rows["frozen.bias"]["relation"] == "starts"
    assert rows["fc1.weight"]["commit"] == value["commit"]
    assert sum(part["share"] for part in rows["fc1.weight"]["contributions"]) == pytest.approx(1.0)
    only = read(invoke, "blame", "HEAD", "--tensor", "fc1*")
    assert [row["name"] for row in only["tensors"]] == ["fc1.weight"]
    assert invoke("blame", "HEAD", "--tensor", "nothing*")[0] == 2


def test_check_finds_what_is_not_finite_in_a_file(repo: Path, invoke: Invoke) -> None:
    broken = load_file("run0/7.safetensors")
    broken["fc2.weight"] = broken["fc2.weight"].copy()
    broken["fc2.weight"][0, :2] = np.nan, np.inf
    save_file(broken, "broken.safetensors")
    value = read(invoke, "check", "./broken.safetensors", code=1)
    assert value["verdict"] == "fail"
    finding = next(row for row in value["findings"] if row["rule"] == "MVC001")
    assert (finding["tensor"], finding["value"], finding["path"]) == ("fc2.weight", 2.0, "broken.safetensors")
    assert {"rule", "severity", "tensor", "value", "limit", "probability", "message"} <= finding.keys()
    assert invoke("check", "./broken.safetensors", "--exit-zero")[0] == 0
    assert json.loads(invoke("check", "./broken.safetensors", "--format", "json")[1])["schema"] == "mvc.check/v1"
    Path("off.toml").write_text('[rules]\nMVC001 = "off"\nstep = "warn"\n')
    rules = {row["rule"] for row in read(invoke, "check", "./broken.safetensors", "--policy", "off.toml")["findings"]}
    assert "MVC001" not in rules


@pytest.mark.parametrize(
    "text", ["rules = 3", '[rules]\nMVC999 = "fail"', '[rules]\nMVC001 = "maybe"', "not toml", "[x]"]
)
def test_bad_policies_are_refused(text: str, repo: Path, invoke: Invoke) -> None:
    Path("bad.toml").write_text(text)
    code, out, err = invoke("check", "--policy", "bad.toml")
    assert (code, out) == (2, "") and err.startswith("error: ")
    assert invoke("check", "--policy", "missing.toml")[0] == 2


def test_check_of_ranges_and_of_all(repo: Path, invoke: Invoke) -> None:
    chain = read(invoke, "log")["lineages"][0]["commits"]
    value = read(invoke, "check", f"{chain[2]['id']}..{chain[5]['id']}")
    assert [row["id"] for row in value["commits"]] == [row["id"] for row in chain[3:6]]
    assert read(invoke, "check", "--all")["checked"] == 2 * LENGTH


def test_identify_says_same_copy_descends_and_none(repo: Path, invoke: Invoke) -> None:
    old = load_file("run0/7.safetensors")
    rng = np.random.default_rng(5)
    floats = {name: value for name, value in old.items() if value.dtype == np.float32}
    save_file({**old, **{n: v.astype(np.float16) for n, v in floats.items()}}, "half.safetensors")
    save_file({**old, **{n: np.where(np.abs(v) < 0.5, 0, v) for n, v in floats.items()}}, "pruned.safetensors")
    save_file(
        {**old, **{n: v + 0.01 * rng.normal(size=v.shape).astype("f4") for n, v in floats.items()}}, "on.safetensors"
    )
    save_file(weights(np.random.default_rng(77)), "stranger.safetensors")
    save_file({"other": np.ones(4, np.float32)}, "shape.safetensors")
    names = ["run0/7", "half", "pruned", "on", "stranger", "shape"]
    results = read(invoke, "identify", *(f"{name}.safetensors" for name in names))["results"]
    matches = [row["match"] and (row["match"]["relation"], row["match"]["transform"]) for row in results]
    assert matches == [("same", None), ("copy", "cast"), ("copy", "pruned"), ("descends", None), None, None]
    tip = commits(invoke)["run0/7.safetensors"]
    assert all(row["match"]["commit"] == tip for row in results[:4])


def test_checkout_restores_byte_for_byte(repo: Path, invoke: Invoke) -> None:
    for path, commit in commits(invoke).items():
        original = Path(path).read_bytes()
        assert read(invoke, "checkout", commit, "-o", "restored/here.safetensors", "--force")["bytes"] == len(original)
        assert Path("restored/here.safetensors").read_bytes() == original
    head = read(invoke, "show", "HEAD")
    code, out, _ = invoke("checkout", "HEAD")
    assert code == 0 and Path(Path(head["facts"]["path"]).name).exists() and "verified" in out
    code, _, err = invoke("checkout", "HEAD")
    assert code == 2 and "--force" in err
    assert invoke("checkout", "HEAD", "--force")[0] == 0


def test_checkout_of_some_tensors(repo: Path, invoke: Invoke) -> None:
    commit = commits(invoke)["run0/7.safetensors"]
    assert invoke("checkout", commit, "--tensor", "*.weight", "-o", "part.safetensors")[0] == 0
    part, whole = load_file("part.safetensors"), load_file("run0/7.safetensors")
    assert set(part) == {"fc1.weight", "fc2.weight"}
    assert all(np.array_equal(part[name], whole[name]) for name in part)
    assert invoke("checkout", commit, "--tensor", "nothing", "-o", "none.safetensors")[0] == 2
    assert not Path("none.safetensors").exists()


@pytest.mark.parametrize("target", ["..", "../x", ".git/x", ".mvc/config.toml", "link/x", "RUN0"])
def test_checkout_refuses_hostile_targets(target: str, repo: Path, invoke: Invoke) -> None:
    (repo.parent / "outside").mkdir()
    (repo / "link").symlink_to(repo.parent / "outside")
    before = sorted(map(str, repo.parent.rglob("*")))
    for force in ([], ["--force"]):
        code, out, err = invoke("checkout", "HEAD", "-o", target, *force)
        assert (code, out) == (2, ""), err
        assert "error: " in err
    assert sorted(map(str, repo.parent.rglob("*"))) == before


def test_a_damaged_object_is_never_checked_out(repo: Path, invoke: Invoke) -> None:
    value = read(invoke, "show", "HEAD")
    object_id = next(row["object"] for row in value["tensors"] if row["name"] == "fc1.weight")
    # where the object lies in its pack, as the pack itself says
    located = PackedObjects(LocalStorage(repo / ".mvc")).locate(ObjectId(object_id))
    assert located is not None
    lying, row = located
    span = lying.span(row)
    stored = repo / ".mvc" / lying.key
    data = bytearray(stored.read_bytes())
    data[span.offset + span.length - 5] ^= 1
    stored.chmod(0o644)
    stored.write_bytes(data)
    code, _, err = invoke("checkout", "HEAD", "-o", "x.safetensors")
    assert code == 3 and "error: " in err
    assert not Path("x.safetensors").exists() and not list(repo.glob("tmp-*"))
    value = read(invoke, "fsck", code=1)
    assert value["ok"] is False and any(row["object"] == object_id for row in value["findings"])


def test_bad_input_is_one_clear_error(repo: Path, invoke: Invoke, tmp_path: Path) -> None:
    Path("junk.safetensors").write_bytes(b"\xff" * 64)
    for args in (
        ["show", "nope"],
        ["show", "HEAD~99"],
        ["diff", "HEAD", "nope"],
        ["diff", "HEAD", "./junk.safetensors"],
        ["blame", HOSTILE],
        ["check", "nope..HEAD"],
        ["check", "./junk.safetensors"],
        ["identify", "nope.safetensors"],
        ["identify", "junk.safetensors"],
        ["checkout", "zzzz"],
        ["du", "nope"],
        ["log", "nope"],
        ["commit", "nope.safetensors"],
        ["commit", "run0", "--metric", "loss"],
        ["commit", "run0", "--metric", "loss=nan"],
        ["-C", str(tmp_path), "log"],
    ):
        code, out, err = invoke(*args)
        assert (code, out) == (2, ""), (args, err)
        lines = err.splitlines()
        assert lines[0].startswith("error: ") and len(lines) <= 2, (args, err)
        assert "\x1b" not in err and "\u202e" not in err


def test_log_limits_what_it_shows_and_says_so(repo: Path, invoke: Invoke) -> None:
    value = read(invoke, "log", "-n", "2")
    assert all(len(row["commits"]) == 2 for row in value["lineages"])
    for graph in ([], ["--graph"]):
        out = invoke("log", "-n", "2", *graph)[1]
        assert f"… {LENGTH - 2} more" in out


def test_another_directory(repo: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("-C", str(repo), "checkout", "HEAD", "-o", "got.safetensors")[0] == 0
    assert (repo / "got.safetensors").exists()
    assert read_all(invoke, "-C", str(repo), "diff", "./got.safetensors", "HEAD")["distance"] == 0


def read_all(invoke: Invoke, *args: str) -> Any:
    code, out, err = invoke(*args, "--json")
    assert code == 0, err
    return json.loads(out)


def test_hostile_names_reach_no_terminal(repo: Path, invoke: Invoke) -> None:
    evil = "evil\x1b[31m[bold]\u202e.safetensors"
    save_file({HOSTILE: np.ones((4, 4), np.float32), "\x9b2J::error::x": np.zeros(3, np.float32)}, evil)
    assert invoke("status")[0] == 0
    assert invoke("commit", evil, "-m", f"two\nlines {HOSTILE}", "--metric", f"{HOSTILE}=1")[0] == 0
    commit = commits(invoke)[evil]
    for args in (
        ["status"],
        ["log"],
        ["log", "--graph"],
        ["show", commit],
        ["blame", commit],
        ["diff", commit, "HEAD~0"],
        ["diff", commit, "run0/0.safetensors"],
        ["check", commit],
        ["identify", evil],
        ["checkout", commit, "--force"],
        ["lineage"],
        ["du", commit],
    ):
        code, out, err = invoke(*args)
        assert code == 0, (args, err)
        for text in (out, err):
            assert not {"\x1b", "\u202e", "\x9b"} & set(text), args
        if HOSTILE in json.loads(invoke(*args, "--json")[1]).__repr__():
            assert "[bold]" in out or args[0] in ("lineage", "check"), args


def test_a_checkpoint_of_several_files_comes_back_as_a_directory(repo: Path, invoke: Invoke) -> None:
    source = Path("sharded")
    source.mkdir()
    now = weights(np.random.default_rng(3))
    names = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(now)}
    for shard in set(names.values()):
        save_file({name: now[name] for name in now if names[name] == shard}, str(source / shard))
    index = {"metadata": {"total_size": sum(v.nbytes for v in now.values())}, "weight_map": names}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    commit = read(invoke, "commit", "sharded")["commits"][0]["id"]
    original = {path.name: path.read_bytes() for path in source.iterdir()}
    assert {e["path"]: e["state"] for e in read(invoke, "status", "sharded")["entries"]} == {"sharded": "committed"}

    value = read(invoke, "checkout", commit, "-o", "back")
    assert {path.name: path.read_bytes() for path in Path("back").iterdir()} == original
    assert sorted(value["paths"]) == sorted(f"back/{name}" for name in original)

    Path("back/mine.txt").write_text("do not lose me")
    code, _, err = invoke("checkout", commit, "-o", "back", "--force")
    assert code == 2 and "mine.txt" in err and Path("back/mine.txt").exists()
    Path("back/mine.txt").unlink()
    next(Path("back").glob("*.json")).write_text("changed")
    assert invoke("checkout", commit, "-o", "back")[0] == 2
    assert invoke("checkout", commit, "-o", "back", "--force")[0] == 0
    assert {path.name: path.read_bytes() for path in Path("back").iterdir()} == original
    assert not [path for path in repo.iterdir() if path.name.startswith("tmp-")]

    (source / "model-00001-of-00002.safetensors").unlink()
    (entry,) = read(invoke, "status", "sharded")["entries"]
    assert entry["state"] == "incomplete" and "model-00001-of-00002" in entry["reason"]


def test_gc_keep_proposes_and_does_it_only_with_yes(repo: Path, invoke: Invoke) -> None:
    """Commits of small models have nothing to give up; large ones say so, in text and JSON."""
    rng = np.random.default_rng(3)
    point = rng.normal(size=(90, 60)).astype("<f4")
    for n in range(4):
        save_file({"w": point}, f"large{n}.safetensors")
        point = point + 0.02 * rng.normal(size=point.shape).astype("<f4")
    read(invoke, "commit", *(f"large{n}.safetensors" for n in range(4)))
    told = read(invoke, "gc", "--keep", "last=1")
    assert (
        told["dry_run"] is told["proposed"] is True
        and told["retention"]["done"] is False
        and told["retention"]["commits"] in (2, 3)
    )
    paths = {row["path"] for line in told["retention"]["lineages"] for row in line["commits"]}
    for more in ((), ("--yes", "--dry-run")):
        code, out, err = invoke("gc", "--keep", "last=1", *more)
        assert code == 0 and "would stay as facts without their tensors" in out and all(path in out for path in paths)
        assert ("nothing was done; do it with: mvc gc --yes --keep last=1" in err) == (not more)
    assert not any(row["gone"] for line in read(invoke, "log")["lineages"] for row in line["commits"])
    assert read(invoke, "gc", "--keep", "last=1", "--yes")["retention"]["done"] is True
    rows = [row for line in read(invoke, "log")["lineages"] for row in line["commits"] if row["gone"]]
    assert {row["path"] for row in rows} == paths
    code, out, _ = invoke("log")
    assert code == 0 and out.count("tensors gone") == len(paths)
    code, _, err = invoke("checkout", rows[0]["id"], "-o", "back.safetensors")
    assert code == 2 and "were given up on" in err
    assert "given up on" in invoke("show", rows[0]["id"])[1]
    assert read(invoke, "fsck")["findings"] == []
    assert "mvc undo" in invoke("op", "--help")[1] and "do not come back" in " ".join(invoke("op", "--help")[1].split())
    assert invoke("gc", "--keep", "best=what")[0] == 2
    code, _, err = invoke("gc", "--keep", "")
    assert code == 2 and "nothing is said of what to keep" in err
    code, out, err = invoke("commit", *paths)
    assert code == 0 and f"{len(paths)} already committed" in out and "mvc commit --restore PATH" in err
    assert "gave up tensors in the store" in invoke("status", *paths)[1]
    code, out, _ = invoke("commit", "--restore", *paths)
    assert code == 0 and "with their tensors again" in out
    assert not any(row["gone"] for line in read(invoke, "log")["lineages"] for row in line["commits"])


def test_undo_is_not_offered_for_what_does_not_come_back(
    repo: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one commit, one file and one operation are spoken of as one."""
    said: list[str] = []
    monkeypatch.setattr("mvc.cli.commands.op.hint", said.append)
    rng = np.random.default_rng(4)
    point = rng.normal(size=(90, 60)).astype("<f4")
    for n in range(3):
        save_file({"w": point}, f"own{n}.safetensors")
        read(invoke, "commit", f"own{n}.safetensors", "--step", str(n))
        point = point + 0.02 * rng.normal(size=point.shape).astype("<f4")
    invoke("op", "log")
    assert said == ["take the newest back with: mvc undo"]
    code, out, _ = invoke("gc", "--keep", "last=2", "--dry-run")
    assert code == 0 and "1 commit would stay as facts without its tensors" in out
    code, out, _ = invoke("gc", "--keep", "last=2", "--yes")
    assert code == 0 and "1 commit gave up its tensors" in out and "1 file\n" in out and "1 files" not in out
    code, out, _ = invoke("op", "log", "-n", "1")
    assert code == 0 and " gave up its tensors" in out and "mvc undo OP" in said[-1]
