"""How much of the truth the inferred trajectories recovered, from `mvc log --json` and what training wrote down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Score:
    """One line of the closing table: what was asked, how many of how many, and what went wrong."""

    what: str
    right: int
    of: int
    notes: tuple[str, ...] = ()


def scores(log: dict[str, Any], check: dict[str, Any], truth_file: Path) -> list[Score]:
    """Scores of the JSON of `mvc log` and `mvc check` against the truth file of `mvc zoo train`."""
    truth = json.loads(truth_file.read_text())
    files = {Path(name).name: entry for name, entry in truth["files"].items()}
    by_id = {c["id"]: files[Path(c["path"]).name] for lineage in log["lineages"] for c in lineage["commits"]}
    found = [[by_id[c["id"]] for c in lineage["commits"]] for lineage in log["lineages"]]
    pure = [len({entry["run"] for entry in members}) == 1 for members in found]
    whole = [
        ok and len(members) == truth["runs"][members[0]["run"]]["checkpoints"]
        for ok, members in zip(pure, found, strict=True)
    ]
    ordered, directed, undecided, wrong = 0, 0, 0, []
    for lineage, members in zip(log["lineages"], found, strict=True):
        places = [entry["checkpoint"] for entry in members]
        name = members[0]["run"]
        ordered += places in (sorted(places), sorted(places, reverse=True))
        if lineage["direction"]["source"] == "undecided":
            undecided += 1
        elif places[0] < places[-1] or len(places) == 1:
            directed += 1
        else:
            wrong.append(f"{name} runs backwards")
    forks, fork_notes = _forks(log, by_id, truth)
    flagged = {c["id"] for c in check["commits"] if c["verdict"] in ("warn", "fail")}
    corrupted = {i for i, e in by_id.items() if e["checkpoint"] in truth["runs"][e["run"]]["corrupted"]}
    false = [f"{by_id[i]['run']} checkpoint {by_id[i]['checkpoint']}" for i in sorted(flagged - corrupted)]
    mixed = [", ".join(sorted({e["run"] for e in members})) for ok, members in zip(pure, found, strict=True) if not ok]
    return [
        Score("training runs found whole and unmixed", sum(whole), len(truth["runs"]), tuple(mixed)),
        Score("lineages in the right order (up to direction)", ordered, len(found)),
        Score(
            "directions stated and right" + (f" ({undecided} undecided)" if undecided else ""),
            directed,
            len(found) - undecided,
            tuple(wrong),
        ),
        Score(
            "forks attached to the exact checkpoint",
            forks,
            sum(bool(r["parent"]) for r in truth["runs"].values()),
            tuple(fork_notes),
        ),
        Score("corrupted steps flagged", len(flagged & corrupted), len(corrupted)),
        Score(
            "healthy checkpoints left alone",
            len(by_id) - len(corrupted) - len(false),
            len(by_id) - len(corrupted),
            tuple(false),
        ),
    ]


def _forks(log: dict[str, Any], by_id: dict[str, Any], truth: dict[str, Any]) -> tuple[int, list[str]]:
    right, notes = 0, []
    for lineage in log["lineages"]:
        run = by_id[lineage["commits"][0]["id"]]["run"]
        expected, origin = truth["runs"][run]["parent"], lineage["forked_from"]
        at = None if origin is None else by_id[origin["commit"]]
        if expected is None:
            if at is not None:
                notes.append(f"{run} was taken for a fork of {at['run']}")
        elif at is not None and (at["run"], at["checkpoint"]) == (expected["run"], expected["checkpoint"]):
            right += 1
        else:
            place = "nowhere" if at is None else f"{at['run']} checkpoint {at['checkpoint']}"
            notes.append(f"{run} was attached to {place}, not {expected['run']} checkpoint {expected['checkpoint']}")
    return right, notes
