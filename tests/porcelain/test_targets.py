"""Where a checkout may write, against people who would have it write elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvc.errors import ExistsError, InputError, IntegrityError
from mvc.porcelain.targets import base_name, check_recorded, check_recorded_set, check_target, folded


def test_plain_targets_pass(tmp_path: Path) -> None:
    assert check_target(Path("a.safetensors"), tmp_path) == tmp_path / "a.safetensors"
    assert check_target(Path("new/dir/a"), tmp_path) == tmp_path / "new/dir/a"
    assert check_target(tmp_path / "b", tmp_path / "elsewhere") == tmp_path / "b"


@pytest.mark.parametrize("target", ["..", "../x", "a/../../x", ".", "", "/", "a/.."])
def test_going_up_is_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        check_target(Path(target), tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        ".git/x",
        ".GIT/hooks/post-commit",
        ".mvc/objects/x",
        ".git",
        ".mvc",
        ".Mvc",
        ".git./x",
        ".g\u200cit/x",
        "GIT~1/x",
    ],
)
def test_private_directories_are_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        check_target(Path(target), tmp_path)
    with pytest.raises(InputError):
        check_target(tmp_path / target, tmp_path)


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "loop").symlink_to("loop")
    (inside / "private").symlink_to(inside / ".git")
    for target in ("link/x", "link/new/x", "loop/x", "private/x"):
        with pytest.raises(InputError):
            check_target(Path(target), inside)
        with pytest.raises(InputError):
            check_target(inside / target, inside)


def test_links_that_stay_inside_pass(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert check_target(Path("link/x"), tmp_path) == tmp_path / "link/x"


@pytest.mark.parametrize(("old", "new"), [("Model.pt", "model.pt"), ("é.pt", "e\u0301.pt"), ("ﬁ", "ﬁ."), ("a", "A ")])
def test_twins_are_refused(old: str, new: str, tmp_path: Path) -> None:
    (tmp_path / old).touch()
    with pytest.raises(ExistsError):
        check_target(Path(new), tmp_path)
    check_target(Path(old), tmp_path)


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a//b", "a/./b", "", ".git/config", "a/.mvc/x", "a\0b", "a/.."]
)
def test_recorded_paths_are_not_trusted(path: str) -> None:
    with pytest.raises(IntegrityError):
        check_recorded(path)


def test_recorded_sets_have_no_twins() -> None:
    assert [str(path) for path in check_recorded_set(["a/b", "a/c"])] == ["a/b", "a/c"]
    for paths in (["a", "A"], ["x/é", "x/e\u0301"], ["a", "a"]):
        with pytest.raises(IntegrityError):
            check_recorded_set(paths)


def test_base_name_is_the_last_part_only() -> None:
    assert base_name("runs/7/model.safetensors") == "model.safetensors"
    assert base_name("../../etc/passwd") == "passwd"
    for path in ("..", "", "/", "x/.."):
        with pytest.raises(IntegrityError):
            base_name(path)


def test_folding_is_idempotent() -> None:
    for name in ("ǅ", "İ", ".GIT. ", "ß"):
        assert folded(folded(name)) == folded(name)
