"""What `mvc check` can find: every rule as data. Owns ids, names, groups, default severities and what is said of each.

Ids are stable for ever: scripts, policies and reports name them. A rule that goes leaves a gap. `mvc explain` and
``docs/rules.md`` say what stands here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mvc.errors import InputError

Severity = Literal["fail", "warn", "off"]
#: integrity: of the weights as they lie; step: of how they got here; regime: of how they are trained; provenance: of
#: what was declared beside what was inferred
Group = Literal["integrity", "step", "regime", "provenance"]

NOT_FINITE = "MVC001"
#: probability under normal training below which a rule speaks
LIMIT = 1e-4
#: the same for a step as a whole: about one healthy step in three thousand
ABNORMAL = 3e-4
#: the same for a figure that is named on its own; rarer, for there are many
NAMED = 1e-5
#: the unit of limits that are such probabilities
PROBABILITY = "probability under normal training"


@dataclass(frozen=True)
class Rule:
    """``summary``: one line. ``catches``, ``misses`` and ``remedy``: whole sentences for people. ``limit`` is the
    default one in ``unit``, None for a rule that has no threshold.
    """

    id: str
    name: str
    group: Group
    severity: Severity
    summary: str
    catches: str
    misses: str
    remedy: str
    limit: float | None = LIMIT
    unit: str = PROBABILITY


_RULES = (
    Rule(
        "MVC001",
        "not-finite",
        "integrity",
        "fail",
        "a weight is NaN or infinite",
        catches="NaN or infinite values in a trainable tensor.",
        misses="Values that are large but finite, see MVC014 and MVC017.",
        remedy="Go back to the checkpoint before; look for a loss that overflowed, or for damaged memory.",
        limit=0.0,
        unit="values",
    ),
    Rule(
        "MVC002",
        "step-length",
        "step",
        "warn",
        "a step, or one matrix's part of it, is longer or shorter than the lineage's trend leads one to expect",
        catches="Another learning rate, batch size or number of updates; labels or data that the model does not know "
        "yet, which lengthen steps.",
        misses="Shifts that leave the length as it was. A learning rate that jumps by design speaks here too, unless "
        "sibling lineages jump at the same step.",
        remedy="Compare the learning rate, the batch size and the number of updates with those of the step before.",
        limit=NAMED,
    ),
    Rule(
        "MVC003",
        "turning-angle",
        "step",
        "warn",
        "a step turns otherwise than the lineage's steps lead one to expect",
        catches="A step that turns much more, or less, than the lineage's steps do.",
        misses="Shifts along the direction of training.",
        remedy="Compare data, labels and loss with those of the step before.",
        limit=NAMED,
    ),
    Rule(
        "MVC004",
        "abnormal-step",
        "step",
        "fail",
        "all figures of a step together are abnormal",
        catches="Noisy or wrong labels, data that are missing, repeated, rotated, inverted, noisy or poisoned, another "
        "learning rate: length, turn, growth of norms, layers, directions, units and inputs of the step are "
        "weighed together. The message says what told most and what the likeliest causes are.",
        misses="Changes as small as the noise of this lineage's steps; an optimiser that started anew, which leaves no "
        "trace after an interval; the first five checkpoints of a run.",
        remedy="Look at mvc diff between the step's two ends, and at what changed in data, labels and settings.",
        limit=ABNORMAL,
    ),
    Rule(
        "MVC005",
        "layer-shares",
        "step",
        "warn",
        "a step spreads over the layers as none of the last ones did",
        catches="Layers that were frozen or thawed, and shifts that some layers answer before others.",
        misses="Shifts that move all layers alike, as another learning rate does.",
        remedy="Look at mvc diff between the step's two ends: which layers moved.",
        limit=NAMED,
    ),
    Rule(
        "MVC006",
        "norm",
        "step",
        "warn",
        "weights grow or shrink otherwise than the lineage's trend",
        catches="Labels that became noisy, which shrink what was certain; another weight decay.",
        misses="Models whose norms are kept by construction, as by weight normalisation.",
        remedy="Compare weight decay, labels and loss with those of the step before.",
        limit=NAMED,
    ),
    Rule(
        "MVC007",
        "spectra",
        "step",
        "warn",
        "a matrix moves in fewer or more directions than the lineage's steps lead one to expect",
        catches="A class that is relabelled or poisoned, inverted inputs, an update of low rank that was added, though "
        "the step be no longer than others: the effective rank of a matrix's change is out of line.",
        misses="Shifts that only lengthen steps, such as another learning rate or noisy labels; matrices with a side "
        "below 8; of models of more than 48 matrices all but the largest.",
        remedy="Look at mvc diff --spectra between the step's two ends, and at labels and data of single classes.",
        limit=NAMED,
    ),
    Rule(
        "MVC008",
        "off-trajectory",
        "step",
        "warn",
        "a step moves units or inputs that the lineage's last steps did not move",
        catches="A class that is missing or relabelled, which moves a classifier's rows; a patch or noise on inputs, "
        "which moves a first layer's columns.",
        misses="Shifts that move all units and inputs alike; patterns finer than 64 groups of rows and 256 of columns.",
        remedy="Look which rows and columns of the tensor moved, and at data and labels of the classes they stand for.",
        limit=NAMED,
    ),
    Rule(
        "MVC009",
        "replay",
        "step",
        "fail",
        "a checkpoint that is said to be new is an older state of its lineage",
        catches="A file whose weights equal an older commit's, or lie within a tenth of a step of it, though it is "
        "said to follow a later one: by its declared step, by --against, or as a file beside the lineage's tip.",
        misses="A run that went back to an older state and was trained on from there: that is a fork, and the log "
        "shows it as one. Commits without declared steps.",
        remedy="Look which file was written where; the finding names the commit that it equals.",
        limit=0.1,
        unit="steps",
    ),
    Rule(
        "MVC010",
        "wrong-run",
        "step",
        "fail",
        "a checkpoint does not go on from what it is said to follow",
        catches="A commit whose declared run, or a file whose --against, is one lineage while its weights go on "
        "from another one, which is named; and weights that are as far from every lineage as strangers are.",
        misses="Runs that started from the same weights and went no further apart than a run's own steps. Commits "
        "that declare no run.",
        remedy="Correct the declared run, or look for the checkpoint that should be there; see mvc identify.",
        limit=None,
        unit="",
    ),
    Rule(
        "MVC011",
        "learning-rate",
        "regime",
        "warn",
        "an abnormal step is what another learning rate makes of one",
        catches="A learning rate several times what it was, where MVC004 speaks and this is the likeliest cause.",
        misses="Learning rates that jump by design are no different; small changes of the rate.",
        remedy="Compare the learning rate and its schedule with those of the step before.",
        limit=0.6,
        unit="least probability of this cause",
    ),
    Rule(
        "MVC012",
        "optimiser-reset",
        "regime",
        "warn",
        "the optimiser's state in the checkpoint started anew though the weights went on",
        catches="Step counters that went back, and moments that vanished, where the file itself carries the "
        "optimiser's state (torch.optim, a trainer's optimizer.pt).",
        misses="Everything where the file has weights alone: a reset leaves no trace in them after an interval.",
        remedy="Resume with the optimiser's state, or accept this as a warm start.",
        limit=None,
        unit="",
    ),
    Rule(
        "MVC013",
        "dead-tensor",
        "integrity",
        "fail",
        "a tensor, or a block of it, is zero or constant and was not",
        catches="Tensors whose values all became zero or all equal; runs of 16 or more zeros where values were.",
        misses="Zeroed columns and scattered zeros (pruning). Tensors that were never anything else.",
        remedy="Restore the tensor from the checkpoint before; look for a truncated write or a failed transfer.",
        limit=None,
        unit="",
    ),
    Rule(
        "MVC014",
        "outlier-weights",
        "integrity",
        "fail",
        "a single weight changed as none does in training",
        catches="Flipped bits of an exponent, with tensor, index and bit, and other changes of a few weights that "
        "are out of all proportion to the rest of the step and to the steps before. In a checkpoint that nothing came "
        "before, a value a million times beyond every other.",
        misses="Flips of low bits, and of weights so small that their change drowns in the step's own.",
        remedy="Restore the weight from the checkpoint before; look for failing memory or storage.",
    ),
    Rule(
        "MVC015",
        "scaled-tensor",
        "integrity",
        "fail",
        "a tensor points where it did but is of another size",
        catches="Tensors multiplied by a factor that the lineage's own growth does not explain: 64, 4, often 2.",
        misses="Small factors; any below about 5 in the first three steps; tensors that were zero or constant.",
        remedy="Look for a scale that was applied twice or not at all: loss scaling, weight norm, an export.",
    ),
    Rule(
        "MVC016",
        "swapped-units",
        "integrity",
        "fail",
        "units of a layer, or whole tensors, stand in each other's place",
        catches="Rows or columns of one tensor that were exchanged without the rest of the network; tensors of "
        "equal shape that changed places.",
        misses="Permutations that go through both neighbouring layers: the function is the same, and it is a copy "
        "(mvc identify). Units of a few weights, and steps so long that units lose their identity, as the first may.",
        remedy="Look for a conversion between layouts, an export, or a loader that matched tensors by order.",
    ),
    Rule(
        "MVC017",
        "dtype-overflow",
        "integrity",
        "fail",
        "values stop at a narrow dtype's largest number, or lost their precision",
        catches="Several values at the largest float16, bfloat16 or float8; tensors that keep their dtype and lose "
        "8 bits of precision; casts in which more than 1 % of the values fall to zero.",
        misses="Overflow to infinity, which is MVC001. Models that were of that precision from the start.",
        remedy="Keep master weights in a wider dtype, or scale before casting.",
        limit=None,
        unit="",
    ),
    Rule(
        "MVC018",
        "step-contradicts-order",
        "provenance",
        "warn",
        "the declared step is not where the weights stand in the order of their lineage",
        catches="A step that was declared wrongly: one checkpoint far from its place, or a whole lineage against time. "
        "The log keeps to what was declared.",
        misses="Places that are one apart, lineages with fewer than six declared steps, and stretches where training "
        "hardly gets on, in which no order can be read from weights.",
        remedy="Compare the file with those that it stands beside (mvc diff); commit it again with the right --step.",
        limit=1.0,
        unit="typical squared steps that another place must be cheaper by",
    ),
    Rule(
        "MVC019",
        "parent-contradicts-lineage",
        "provenance",
        "warn",
        "the weights do not come from the declared parent or run",
        catches="A declared parent that has nothing in common with the weights, or that is farther from them than a "
        "commit which does not descend from it; a declared run of which no other commit is kin.",
        misses="A parent that is named too early or too late on the right lineage, another run of the same origin, and "
        "training so violent that weights keep little of where they come from.",
        remedy="Ask mvc identify where the file comes from; commit it again with the right --parent or --run.",
        limit=1.5,
        unit="times as far, squared, as what does not descend from the parent",
    ),
)

#: id → rule, in order of ids
RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _RULES})


def find_rule(name: str) -> Rule:
    """The rule of this id or name, in capitals or not. Raises InputError (code "no-such-rule")."""
    known = {key.casefold(): (key, rule) for rule in RULES.values() for key in (rule.id, rule.name)}
    if name.casefold() in known:
        return known[name.casefold()][1]
    close = [known[key][0] for key in difflib.get_close_matches(name.casefold(), known, n=2, cutoff=0.6)]
    hint = f"did you mean: {', '.join(close)}" if close else "list the rules with: mvc explain"
    raise InputError(f"there is no rule {name!r}", hint=hint, code="no-such-rule")
