"""How well the score of a step tells drift from health, on populations that its numbers were not fitted on.

    python -m benchmarks.drift.measure --data mnist.npz --cache DIR --zoo DIR

Prints Markdown: AUROC by condition, mean and worst cell, alone and beside siblings; alarms at the default limit;
causes.
A population is judged by numbers that were fitted without it, those of HELD_OUT by the numbers as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmarks.drift.fit import CAUSE_OF, fit_causes, fit_weights, gentle, tails
from benchmarks.drift.populations import CELLS, CONDITIONS, HELD_OUT
from benchmarks.drift.walks import Signs, every, parser, signs_of
from benchmarks.trajectory.populations import CARDS, FURTHER
from mvc.drift import RULES
from mvc.drift.coefficients import BIAS, CAUSES, HEALTHY, WEIGHTS
from mvc.drift.evidence import SIGNS

Floats = npt.NDArray[np.float64]
#: parts of the populations, each of which is judged by numbers fitted without it
FOLDS = 6
HARD = ("relabelled", "rotated-90", "inverted", "backdoor", "lr-x5")


class Fitted:
    """Numbers to judge by: those of the library, or fitted anew."""

    def __init__(self, weights: Floats, tail: Mapping[str, tuple[float, float]], causes: Mapping[str, Floats]) -> None:
        self.weights, self.tail, self.causes = weights, tail, causes

    @classmethod
    def shipped(cls) -> Fitted:
        def row(bias: float, weights: Mapping[str, float]) -> Floats:
            return np.array([bias, *(weights.get(name, 0.0) for name, *_ in SIGNS)])

        return cls(row(BIAS, WEIGHTS), HEALTHY, {cause: row(*found) for cause, found in CAUSES.items()})

    @classmethod
    def on(cls, alone: Sequence[Signs], beside: Sequence[Signs]) -> Fitted:
        both = [*gentle(alone), *beside]
        weights = fit_weights(both)
        return cls(weights, tails(weights, alone, beside), fit_causes(both))

    def scores(self, evidence: Floats, kind: str) -> Floats:
        """As `mvc.drift.evidence.score`, but not cut at zero: ranks need the order there too."""
        start, slope = self.tail[kind]
        found: Floats = 0.3 + slope * (evidence @ self.weights[1:] + self.weights[0] - start)
        return found

    def ranked(self, evidence: Floats) -> list[str]:
        odds = {cause: float(evidence @ row[1:] + row[0]) for cause, row in self.causes.items()}
        return sorted(odds, key=lambda cause: -odds[cause])


def auroc(shifted: Floats, healthy: Floats) -> float:
    ranks = rankdata(np.concatenate([shifted.ravel(), healthy.ravel()]))
    count = shifted.size
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * healthy.size))


def main() -> None:
    asked = parser(__doc__ or "").parse_args()
    found = list(every(asked, [*CELLS, *HELD_OUT, *CARDS, *FURTHER]))
    signs = {kind: [signs_of(one, siblings=kind == "siblings") for one in found] for kind in ("alone", "siblings")}
    names = [one.name for one in found]
    fitted: dict[str, Fitted] = {name: Fitted.shipped() for name in HELD_OUT}
    own = [name for name in names if name not in HELD_OUT]
    for fold in range(FOLDS):
        kept = [i for i, name in enumerate(names) if name in own and own.index(name) % FOLDS != fold]
        without = Fitted.on(*([signs[kind][i] for i in kept] for kind in ("alone", "siblings")))
        fitted |= dict.fromkeys(own[fold::FOLDS], without)
    for kind, rows in signs.items():
        scores = {one.name: fitted[one.name].scores(one.healthy, kind) for one in rows}
        shifted = {one.name: fitted[one.name].scores(one.shifted, kind) for one in rows if one.shifted is not None}
        print(f"\n## {'Beside siblings' if kind == 'siblings' else 'Alone'}\n")
        _table("fitted without it: optimiser × activation × architecture", CELLS, scores, shifted)
        _table("held out: other families", HELD_OUT, scores, shifted)
        _alarms(names, scores, shifted)
    print("\n## Causes\n")
    _causes(signs["alone"], fitted)


def _table(about: str, cells: Iterable[str], scores: Mapping[str, Floats], shifted: Mapping[str, Floats]) -> None:
    known = [name for name in cells if name in shifted]
    table = np.array(
        [[auroc(shifted[name][number], scores[name]) for number in range(len(CONDITIONS))] for name in known]
    )
    print(f"AUROC, {len(known)} cells {about}\n\n| condition | mean | worst | where |\n|---|---|---|---|")
    for number, condition in enumerate(CONDITIONS):
        worst = int(table[:, number].argmin())
        print(f"| {condition} | {table[:, number].mean():.3f} | {table[worst, number]:.3f} | {known[worst]} |")
    most = table[:, [i for i, name in enumerate(CONDITIONS) if name not in ("lr-x2", "optimiser-reset")]]
    print(f"| **all but lr-x2, optimiser-reset** | **{most.mean():.4f}** | **{most.min():.3f}** | |\n")


def _alarms(names: Sequence[str], scores: Mapping[str, Floats], shifted: Mapping[str, Floats]) -> None:
    least = -np.log10(RULES["MVC004"].limit or 1.0)
    print("Alarms at the default limit: healthy steps, alarms among them, share of the hard shifts found\n")
    print(
        "| population | steps | alarms | highest | " + " | ".join(HARD) + " |\n|---|---|---|---|" + "---|" * len(HARD)
    )
    for name in names:
        healthy = scores[name]
        row = [f"{healthy.size:,}", str(int((healthy > least).sum())), f"{healthy.max():.1f}"]
        row += [f"{(shifted[name][CONDITIONS.index(c)] > least).mean():.2f}" if name in shifted else "" for c in HARD]
        print(f"| {name} | " + " | ".join(row) + " |")
    for about, chosen in (("cells", CELLS), ("held out", HELD_OUT), ("all", names)):
        known = [name for name in chosen if name in scores]
        alarms, steps = (sum(f(scores[n]) for n in known) for f in (lambda s: (s > least).sum(), np.size))
        found = [(shifted[n][CONDITIONS.index(c)] > least).mean() for n in known if n in shifted for c in HARD]
        print(f"\n{about}: {alarms} of {steps:,} healthy steps; hard shifts found {np.mean(found):.3f}")


def _causes(rows: Sequence[Signs], fitted: Mapping[str, Fitted]) -> None:
    print("| condition | cells: first | first two | held out: first | first two |\n|---|---|---|---|---|")
    sums: dict[bool, list[tuple[bool, bool]]] = {False: [], True: []}
    for number, condition in enumerate(CONDITIONS):
        if condition not in CAUSE_OF:
            continue
        cause = CAUSE_OF[condition]
        shown = []
        for outside in (False, True):
            judged = [
                (ranked[0] == cause, cause in ranked[:2])
                for one in rows
                if one.shifted is not None and (one.name in HELD_OUT) == outside
                for ranked in map(fitted[one.name].ranked, one.shifted[number].reshape(-1, len(SIGNS)))
            ]
            sums[outside] += judged
            shown += [f"{share:.2f}" for share in np.mean(judged, axis=0)]
        print(f"| {condition} ({cause}) | " + " | ".join(shown) + " |")
    means = [f"**{share:.2f}**" for outside in (False, True) for share in np.mean(sums[outside], axis=0)]
    print("| **all** | " + " | ".join(means) + " |")


if __name__ == "__main__":
    main()
