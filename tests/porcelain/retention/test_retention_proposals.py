"""Which commits would give up their tensors: shown first, and nothing else is done."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvc.errors import InputError
from mvc.porcelain.commits import commit
from mvc.porcelain.gc import gc, parse_age, retention
from mvc.porcelain.lineages import pin
from mvc.porcelain.log import log
from mvc.porcelain.retention import parse_keep
from mvc.porcelain.tags import create_tag
from mvc.porcelain.workspace import Workspace
from tests.porcelain.retention.runs import RULE, SHAPES, rows


def test_the_proposal_changes_nothing_and_names_what_would_go(filled: Workspace) -> None:
    before, head = log(filled), filled.repository.head()
    told = retention(filled, "last=2,every=4,best=loss")
    assert {row.lineage: len(row.commits) for row in told.lineages} == {
        row.name: {12: 6, 5: 1}[len(row.commits)] for row in before.lineages
    }
    assert told.freed_bytes > 0 and not told.done
    dry = gc(filled, keep="last=2,every=4,best=loss", dry_run=True)
    assert dry.retention == told and dry.removed == 0
    assert filled.repository.head() == head and log(filled) == before


def test_named_and_declared_commits_keep_theirs(filled: Workspace) -> None:
    names = {path[-17:]: one.id for path, one in rows(filled).items()}
    tagged, pinned, parent = (
        names[key] for key in names if key.endswith(("a/02.safetensors", "b/02.safetensors", "b/05.safetensors"))
    )
    create_tag(filled, "good", tagged)
    pin(filled, pinned, next(row.name for row in log(filled).lineages if any(one.id == pinned for one in row.commits)))
    fork = {row.forked_from.commit for row in log(filled).lineages if row.forked_from is not None}
    commit(filled, [next(iter(Path(filled.repository.root).parent.glob("c/04*")))], parent=parent)
    told = {one.id for row in retention(filled, "last=1").lineages for one in row.commits}
    assert told and not told & {tagged, pinned, *fork}


def test_a_metric_that_nobody_has_gives_up_nothing(filled: Workspace, write: Any, walk: Any) -> None:
    with pytest.raises(InputError, match="no commit has a metric 'nosuch'") as caught:
        gc(filled, keep="best=nosuch:min")
    assert caught.value.hint == "there are: loss"
    assert all(one.gone is None for one in rows(filled).values())
    silent = [write(f"d/{n}.safetensors", point) for n, point in enumerate(walk(11, 5, shapes=SHAPES))]
    mine = {one.id for one in commit(filled, silent, run="d").commits}
    told = retention(filled, "best=loss")
    assert told.commits > 10 and not mine & {one.id for row in told.lineages for one in row.commits}
    (blank,) = (row for row in told.lineages if row.unscored)
    assert (blank.lineage, blank.kept, blank.commits, blank.unscored) == ("d", 5, (), ("loss",))


def test_what_costs_more_to_remember_than_it_frees_stays(workspace: Workspace, write: Any, walk: Any) -> None:
    """Tensors just above the size from which signatures are sketches, in values that take few bytes."""
    start = np.zeros((65, 64), np.float32)
    rng = np.random.default_rng(5)
    paths = []
    for n in range(6):
        start = start + (rng.random(start.shape) < 0.05).astype(np.float32)
        paths.append(write(f"{n}.safetensors", {"w": start}))
    commit(workspace, paths, run="a")
    told = retention(workspace, "last=1")
    assert (told.commits, told.freed_bytes, told.memory_bytes) == (0, 0, 0) and told.light == 5


def test_small_models_and_shared_tensors_give_up_nothing(
    workspace: Workspace, population: list[Path], write: Any
) -> None:
    commit(workspace, population)
    frozen = {"w": np.ones((80, 70), np.float32)}
    heads = [write(f"h/{n}.safetensors", frozen | {"h": np.full(4, n, np.float32)}) for n in range(6)]
    commit(workspace, heads, run="h")
    told = retention(workspace, "last=1")
    assert told.commits == 0 and told.lineages == () and told.small > 5


def test_what_was_agreed_is_what_is_done(filled: Workspace, write: Any, walk: Any) -> None:
    told = retention(filled, RULE)
    commit(filled, [write("d/0.safetensors", walk(9, 1, shapes=SHAPES)[0])])
    create_tag(filled, "late", told.lineages[0].commits[0].id)
    with pytest.raises(InputError, match="not what it was"):
        gc(filled, keep=RULE, agreed=told)
    assert all(one.gone is None for one in rows(filled).values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing is said"),
        ("last=0", "a number from 1"),
        ("last=-1", "a number from 1"),
        ("every=0", "a number from 1"),
        ("last=1,last=5", "'last' is said twice"),
        ("best=:min", "names no metric"),
        ("best=", "names no metric"),
        ("best=loss:max:min", "says twice which way"),
        (",", "nothing is said"),
        ("best=foo", "more or less"),
        ("best=foo:up", "more or less"),
        ("all", "says nothing"),
        ("last=1;every=2", "a number from 1"),
    ],
)
def test_rules_that_say_nothing_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_keep(text)


def test_rules_and_ages() -> None:
    keep = parse_keep("last=3, every=10,best=val/loss,best=acc,best=x:y:max")
    assert (keep.last, keep.every) == (3, 10)
    assert keep.best == (("val/loss", False), ("acc", True), ("x:y", True))
    assert parse_age("14") == parse_age("2w") == timedelta(days=14)
    assert parse_age("90min") == timedelta(minutes=90)
    with pytest.raises(InputError):
        parse_age("-1d")
