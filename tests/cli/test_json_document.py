"""docs/json.md names every field that a command prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from mvc.porcelain.commits import commit
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from mvc.repository import Repository
from mvc.testing.trajectories import Walk, synthetic_run, tensors_of
from tests.cli.conftest import Invoke

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "json.md").read_text("utf-8")
_SECTIONS = {
    name: part
    for part in re.split(r"^## ", _DOCUMENT, flags=re.MULTILINE)
    for name in re.findall(r"mvc\.[\w.-]+/v\d", part.partition("\n")[0])
}
#: what these hold is the repository's or the machine's own
_OPEN = {"evidence", "metrics", "extra", "packages", "tags", "settings"}


def fields(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from fields(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            if key not in _OPEN or isinstance(item, list):
                yield from fields(item)


def words(section: str, seen: frozenset[str] = frozenset()) -> str:
    """A section with those that it refers to."""
    names = set(re.findall(r"(?:as in|as of|see) `([\w-]+)`", _SECTIONS[section])) - seen
    return _SECTIONS[section] + "".join(words(f"mvc.{name}/v1", seen | names) for name in sorted(names))


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a broken last step, a fork and an average, so that few fields are empty."""
    root = tmp_path_factory.mktemp("document")
    workspace = Workspace.of(Repository.init(root), author="T <t@example.org>")
    run = synthetic_run(1, Walk(points=9))
    fork = synthetic_run(3, Walk(points=6, first=0.12), start=run[4])
    run[-1] += 0.8 * np.random.default_rng(0).normal(size=run.shape[1])
    points = [*run, *fork, (run[-2] + fork[-1]) / 2]
    for i, point in enumerate(points):
        save_file(tensors_of(point), str(root / f"{i}.safetensors"))
    commit(workspace, [root / f"{i}.safetensors" for i in range(len(points))], run=None)
    create_tag(workspace, "v1", "HEAD")
    return root


@pytest.mark.parametrize(
    "line",
    [
        "status", "log", "show HEAD", "show --spectra HEAD", "diff HEAD~1 HEAD", "blame HEAD", "check --all",
        "explain MVC004", "explain HEAD", "tag", "identify 0.safetensors", "lineage", "op log", "fsck", "gc --dry-run",
        "du", "version", "zoo list", "paper list", "init", "commit 0.safetensors", "reindex", "checkout HEAD -o new",
    ],
)  # fmt: skip
def test_every_field_is_documented(line: str, repo: Path, invoke: Invoke) -> None:
    (repo / "new").unlink(missing_ok=True)
    _, out, _ = invoke("-C", str(repo), *line.split(), "--json")
    found = json.loads(out)
    said = set(re.findall(r"\w+", "".join(re.findall(r"`[^`]*`", words(found.pop("schema"))))))
    assert sorted(set(fields(found)) - said) == []
