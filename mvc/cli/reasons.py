"""Why a commit stands where it stands, in sentences made of the evidence that inference gave. Owns the words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mvc.cli.lineages import overlap_words
from mvc.cli.text import escape, number, percent, short
from mvc.drift import RULES
from mvc.porcelain.explain import ExplainedCommit
from mvc.porcelain.results.logs import OverlapResult

_RELATIONS = {
    "starts": "It starts a lineage of its own",
    "extends": "It goes on from {parent}",
    "forks": "It leaves {parent}",
    "copies": "It has the weights of {parent}",
    "mixes": "It is an average of other commits",
}


def sentences(commit: ExplainedCommit) -> Iterator[str]:
    """One sentence or two each: what it is, how sure that is, what speaks for it, what else it could be."""
    inference = commit.inference
    if not inference:
        yield "It has no trainable tensors, so nothing is inferred of it."
        return
    evidence: Mapping[str, Any] = inference["evidence"]
    parent = short(inference["parent"]) if inference["parent"] else "?"
    if inference["forked_from"] and inference["relation"] == "forks":
        parent = f"{escape(inference['forked_from']['lineage'])} at {parent}"
    template = _RELATIONS.get(inference["relation"], escape(inference["relation"]))
    if "precision" in evidence:
        template = f"It is {{parent}} in another precision, {escape(evidence['precision'])}"
    relation = template.format(parent=parent)
    declared = evidence.get("source") == "declared"
    yield f"{relation}: {'as declared' if declared else percent(inference['confidence']) + ' sure'}."
    if evidence.get("reason"):
        yield f"{escape(evidence['reason'])}."
    if inference["mixture"]:
        parts = [f"{percent(part['weight'])} of {_place(part)}" for part in inference["mixture"]]
        yield f"Its weights are {', '.join(parts)}, with no more left over than rounding."
    yield from _kinship(inference, evidence)
    yield from _order(inference, evidence)
    for row in inference["overlaps"]:
        overlap = OverlapResult(**row)
        if overlap.own == commit.id:
            yield f"Another architecture: {overlap_words(overlap, {})}."
    if inference["runner_up"] and inference["runner_up"] != inference["parent"]:
        away = evidence.get("runner_up_distance")
        far = "" if away is None else f", {number(away)} away"
        yield f"The nearest commit of another lineage is {short(inference['runner_up'])}{far}."
    if evidence.get("fork_runner_up"):
        yield f"If it did not leave there, then at {short(evidence['fork_runner_up'])}."
    for rule in commit.flags:
        yield f"mvc check finds {rule} {RULES[rule].name}: {escape(RULES[rule].summary)}."


def _kinship(inference: Mapping[str, Any], evidence: Mapping[str, Any]) -> Iterator[str]:
    if "sigmas" in evidence:
        yield (
            f"Its weights have a cosine of {number(evidence['cosine'])} with their nearest relative: "
            f"{number(evidence['sigmas'])} standard deviations beyond what strangers reach by chance (6 make kin)."
        )
    elif inference["relation"] == "starts" and not evidence.get("reason"):
        yield "Its weights have no more in common with any other lineage than strangers have by chance."


def _order(inference: Mapping[str, Any], evidence: Mapping[str, Any]) -> Iterator[str]:
    if inference["distance"] is not None and inference["relation"] in ("extends", "forks"):
        angle = inference["turning_angle"]
        turn = "" if angle is None else f", turning by {angle:.0f}° from the step before"
        yield f"The step from there is {number(inference['distance'])} long{turn}."
    if "order_agreement" in evidence and inference["position"]:
        yield (
            f"{percent(evidence['order_agreement'])} of the weights' parts, asked one by one, "
            "would not exchange it with a neighbour."
        )
    direction = inference["direction"]
    if direction["source"] == "undecided":
        yield "Which of its lineage's ends came first, the weights do not tell."
    elif direction["source"] == "weights":
        yield f"Which of its lineage's ends came first is {percent(direction['confidence'])} sure."


def _place(part: Mapping[str, Any]) -> str:
    if part.get("lineage") is None:
        return short(part["commit"])
    return f"{escape(part['lineage'])}@{part['position']}"
