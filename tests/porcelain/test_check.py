"""What is checked, by which policy, and that checking changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import InputError, NotFoundError
from mvc.porcelain.check import check
from mvc.porcelain.commits import commit
from mvc.porcelain.log import log
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace

Write = Callable[..., Path]
Walk = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(workspace: Workspace, write: Write, walk: Walk) -> list[str]:
    """Ten commits of one run, in the order of training."""
    points = walk(1, 10)
    paths = [write(f"repo/{step:02}.safetensors", point, step=str(step)) for step, point in enumerate(points)]
    return [row.id for row in commit(workspace, paths).commits]


@pytest.fixture
def broken(write: Write, walk: Walk) -> Path:
    """The run's last checkpoint with a value that is not a number."""
    point = {name: value.copy() for name, value in walk(1, 10)[-1].items()}
    point["fc2.weight"][0, 0] = np.nan
    return write("repo/broken.safetensors", point)


def snapshot(directory: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
        for path in sorted(directory.rglob("*"))
    }


def test_checking_a_file_writes_nothing(workspace: Workspace, run: list[str], broken: Path) -> None:
    before = snapshot(workspace.repository.root)
    result = check(workspace, [str(broken)])
    assert result.verdict == "fail" and result.commits[0].id is None
    assert snapshot(workspace.repository.root) == before


def test_a_certain_finding_gives_the_largest_score(workspace: Workspace, run: list[str], broken: Path) -> None:
    by_path = {row.path: row.score for row in check(workspace, [*run, str(broken)]).commits}
    scores = [score for path, score in by_path.items() if path != str(broken) and score is not None]
    worst = by_path[str(broken)]
    assert scores and worst is not None and worst > max(scores)


def test_ignored_findings_are_shown_and_count_for_nothing(workspace: Workspace, run: list[str], broken: Path) -> None:
    workspace.repository.layout.policy.write_text(
        '[rules]\nstep = "off"\n'
        '[[ignore]]\nrule = "not-finite"\ntensor = "fc2.*"\nreason = "one unit is masked"\nexpires = 2030-01-31\n'
    )
    result = check(workspace, [str(broken)], today=date(2030, 1, 31))
    assert result.findings == () and result.commits[0].verdict == "pass"
    (ignored,) = result.ignored
    assert ignored.ignore is not None
    assert (ignored.rule, ignored.tensor, ignored.ignore.reason) == ("MVC001", "fc2.weight", "one unit is masked")
    later = check(workspace, [str(broken)], today=date(2030, 2, 1))
    (finding,) = later.findings
    assert later.verdict == "fail" and later.ignored == ()
    assert finding.ignore is not None and finding.ignore.expires == "2030-01-31"


def test_which_policy_goes_before_which(workspace: Workspace, run: list[str], broken: Path, tmp_path: Path) -> None:
    def verdict(policy: Path | None = None) -> tuple[str, str | None]:
        result = check(workspace, [str(broken)], policy=policy)
        return result.verdict, None if result.policy is None else Path(result.policy).name

    def off(severity: str, prefix: str = "") -> str:
        return f'[{prefix}rules]\nMVC001 = "{severity}"\nstep = "off"\n'

    assert verdict() == ("fail", None)
    pyproject = workspace.repository.root / "pyproject.toml"
    pyproject.write_text("[tool.other]\nx = 1\n")
    assert verdict() == ("fail", None)
    pyproject.write_text(off("warn", "tool.mvc."))
    assert verdict() == ("warn", "pyproject.toml")
    workspace.repository.layout.policy.write_text(off("off"))
    assert verdict() == ("pass", "policy.toml")
    named = tmp_path / "named.toml"
    named.write_text(off("fail"))
    assert verdict(named) == ("fail", "named.toml")
    assert verdict(pyproject) == ("warn", "pyproject.toml")


def test_policies_that_cannot_be_used(workspace: Workspace, run: list[str], tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        check(workspace, policy=tmp_path / "none.toml")
    workspace.repository.layout.policy.write_bytes(b"\xff")
    with pytest.raises(InputError, match="is no policy"):
        check(workspace)
    workspace.repository.layout.policy.unlink()
    pyproject = workspace.repository.root / "pyproject.toml"
    pyproject.write_text('[tool.mvc]\nrulez = "x"\n')
    with pytest.raises(InputError, match=r"\[tool.mvc\].*unknown table 'rulez'"):
        check(workspace)
    pyproject.write_text("tool = 3\n")
    with pytest.raises(InputError, match="'tool' is no table"):
        check(workspace)


def ids(workspace: Workspace, *revisions: str, since: str | None = None) -> list[str | None]:
    return [row.id for row in check(workspace, revisions, since=since).commits]


def test_ranges_are_those_of_trajectories(workspace: Workspace, run: list[str]) -> None:
    assert ids(workspace, f"{run[2]}..{run[5]}") == run[3:6]
    assert ids(workspace, f"{run[5]}..{run[2]}") == []
    assert ids(workspace, f"{run[6]}..") == run[7:] == ids(workspace, f"{run[6]}..HEAD")
    assert ids(workspace, f"..{run[3]}") == []
    assert ids(workspace, f"{run[6]}..", run[8], run[1]) == [*run[7:], run[1]]
    with pytest.raises(NotFoundError):
        check(workspace, [f"nothing..{run[2]}"])
    with pytest.raises(InputError, match="no range"):
        check(workspace, [f"{run[2]}...{run[5]}"])
    with pytest.raises(InputError, match="not of files"):
        check(workspace, [f"00.safetensors..{run[5]}"], directory=workspace.repository.root)


def test_a_directory_stands_for_the_checkpoints_in_it(workspace: Workspace, run: list[str], broken: Path) -> None:
    directory = workspace.repository.root
    result = check(workspace, ["."], directory=directory)
    assert len(result.commits) == 11 and {row.path for row in result.commits if row.verdict == "fail"} == {str(broken)}
    (directory / "empty").mkdir()
    with pytest.raises(InputError, match="no checkpoint in"):
        check(workspace, ["empty"], directory=directory)


def test_what_is_newer_than_a_tag(workspace: Workspace, run: list[str], write: Write, walk: Walk) -> None:
    create_tag(workspace, "v1", run[6])
    assert ids(workspace, since="v1") == run[7:]
    other = commit(workspace, [write(f"repo/b{i}.safetensors", p) for i, p in enumerate(walk(2, 3))]).commits
    fork = commit(workspace, [write("repo/fork.safetensors", walk(3, 2, start=walk(1, 10)[7])[1])]).commits
    newer = ids(workspace, since="v1")
    assert set(newer) == {*run[7:], *(row.id for row in (*other, *fork))} and len(newer) == len(set(newer))
    create_tag(workspace, "v2", other[0].id)
    assert set(ids(workspace, since="v2")) == {other[1].id, other[2].id, fork[0].id}
    order = [row.id for lineage in log(workspace).lineages for row in lineage.commits]
    assert newer == sorted(newer, key=lambda commit_id: order.index(str(commit_id)))


def test_what_was_recorded_later_is_newer_wherever_it_lands(workspace: Workspace, write: Write, walk: Walk) -> None:
    paths = [write(f"repo/{step:02}.safetensors", p, step=str(step)) for step, p in enumerate(walk(1, 8))]
    late = [row.id for row in commit(workspace, paths[4:]).commits]
    early = [row.id for row in commit(workspace, paths[:4]).commits]
    assert ids(workspace, since=late[1]) == [*early, *late[2:]]
