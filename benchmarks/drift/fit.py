"""Fits what `mvc.drift.evidence` owns: weights of signs, the healthy steps' tail, and causes.

    python -m benchmarks.drift.fit --data mnist.npz --cache DIR --zoo DIR > mvc/drift/coefficients.py

Fitted on the cells of `populations.CELLS` and on the healthy populations of trajectories, each judged alone and beside
its siblings; every population counts alike, and so does every condition. Populations whose learning rate jumps by
design are left out where a run is judged alone: nothing in its own past tells a restart from an accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from benchmarks.drift.populations import CELLS, CONDITIONS
from benchmarks.drift.walks import Signs, every, parser, signs_of
from benchmarks.trajectory.populations import CARDS, FURTHER
from mvc.drift import SIGNS

Floats = npt.NDArray[np.float64]

#: condition → what it is called; those that leave no trace, or could be called either, are not fitted
CAUSE_OF = {
    "label-noise-10": "label corruption",
    "label-noise-20": "label corruption",
    "relabelled": "label corruption",
    "rotated-15": "data shift",
    "rotated-90": "data shift",
    "inverted": "data shift",
    "input-noise": "data shift",
    "missing": "data shift",
    "subset-same-steps": "data shift",
    "subset": "data shift",
    "backdoor": "data shift",
    "lr-x2": "learning rate",
    "lr-x5": "learning rate",
}
#: populations whose learning rate jumps by design
JUMPS = ("restarts", "steps")
_SHIFTED = [number for number, name in enumerate(CONDITIONS) if name in CAUSE_OF]
#: a weight's usual size, for its penalty; weight of all healthy steps beside all shifted ones
_SIZE, _HEALTHY = 1.0, 3.0
#: quantiles of healthy steps between which the tail's line is fitted
_QUANTILES = np.linspace(0.9, 0.999, 40)


def fit_weights(populations: Sequence[Signs]) -> Floats:
    """Bias and weights [1 + A], weights not negative."""
    x, y, w = [], [], []
    for one in populations:
        healthy = one.healthy.reshape(-1, one.healthy.shape[-1])
        x.append(healthy)
        y.append(np.zeros(len(healthy)))
        w.append(np.full(len(healthy), _HEALTHY / len(healthy)))
        for number in _SHIFTED if one.shifted is not None else ():
            found = one.shifted[number].reshape(-1, healthy.shape[1])
            x.append(found)
            y.append(np.ones(len(found)))
            w.append(np.full(len(found), 1 / len(found) / len(_SHIFTED)))
    design, sides, weights = np.concatenate(x), 2 * np.concatenate(y) - 1, np.concatenate(w)
    weights *= len(weights) / weights.sum()

    def loss(values: Floats) -> tuple[float, Floats]:
        margins = sides * (design @ values[1:] + values[0])
        slopes = -weights * sides / (1 + np.exp(margins))
        value = float(weights @ np.logaddexp(0, -margins)) + 0.5 * float(values[1:] @ values[1:]) / _SIZE
        return value, np.concatenate([[slopes.sum()], design.T @ slopes + values[1:] / _SIZE])

    start = np.concatenate([[-2.0], np.full(design.shape[1], 0.1)])
    bounds = [(None, None)] + [(0.0, None)] * design.shape[1]
    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found


def fit_tail(strengths: Sequence[Floats]) -> tuple[float, float]:
    """Where the tail of healthy strengths starts, and by how much -log10 of their share falls beyond; populations count
    alike."""
    values = np.concatenate([row.ravel() for row in strengths])
    counts = np.concatenate([np.full(row.size, 1 / row.size) for row in strengths])
    order = np.argsort(values)
    shares = np.cumsum(counts[order]) / counts.sum()
    points = np.interp(_QUANTILES, shares, values[order])
    slope, level = np.polyfit(points, -np.log10(1 - _QUANTILES), 1)
    return float((0.3 - level) / slope), float(slope)


def fit_causes(populations: Sequence[Signs]) -> Mapping[str, Floats]:
    """Cause → bias and weights [1 + A] of a multinomial regression on shifted steps; causes count alike."""
    names = sorted(set(CAUSE_OF.values()))
    x, y, w = [], [], []
    for one in populations:
        for number in _SHIFTED if one.shifted is not None else ():
            cause = CAUSE_OF[CONDITIONS[number]]
            found = one.shifted[number].reshape(-1, one.healthy.shape[-1])
            x.append(found)
            y += [names.index(cause)] * len(found)
            alike = sum(other == cause for other in CAUSE_OF.values())
            w.append(np.full(len(found), 1 / len(found) / alike))
    design, labels, weights = np.concatenate(x), np.eye(len(names))[y], np.concatenate(w)
    weights *= len(weights) / weights.sum()

    def loss(values: Floats) -> tuple[float, Floats]:
        table = values.reshape(len(names), -1)
        logits = design @ table[:, 1:].T + table[:, 0]
        logits -= logits.max(axis=1, keepdims=True)
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        slopes = weights[:, None] * (chances - labels)
        steps = np.concatenate([slopes.sum(axis=0)[:, None], slopes.T @ design + table[:, 1:] / _SIZE], axis=1)
        value = -float(weights @ np.log(np.maximum((chances * labels).sum(axis=1), 1e-300)))
        return value + 0.5 * float((table[:, 1:] ** 2).sum()) / _SIZE, steps.ravel()

    start = np.zeros(len(names) * (1 + design.shape[1]))
    table = minimize(loss, start, jac=True, method="L-BFGS-B").x.reshape(len(names), -1)
    return dict(zip(names, table, strict=True))


def gentle(populations: Sequence[Signs]) -> list[Signs]:
    """Without those whose learning rate jumps by design."""
    return [one for one in populations if not any(word in one.name for word in JUMPS)]


def tails(weights: Floats, alone: Sequence[Signs], beside: Sequence[Signs]) -> dict[str, tuple[float, float]]:
    chosen = {"alone": gentle(alone), "siblings": beside}
    return {kind: fit_tail([one.healthy @ weights[1:] + weights[0] for one in rows]) for kind, rows in chosen.items()}


def main() -> None:
    asked = parser(__doc__ or "").parse_args()
    found = list(every(asked, [*CELLS, *CARDS, *FURTHER]))
    alone, beside = ([signs_of(one, siblings=siblings) for one in found] for siblings in (False, True))
    weights = fit_weights([*gentle(alone), *beside])
    causes = fit_causes([*gentle(alone), *beside])
    print('"""Fitted numbers of `mvc.drift.evidence`, as ``python -m benchmarks.drift.fit`` prints them."""\n')
    print("from __future__ import annotations\n\nfrom collections.abc import Mapping\nfrom typing import Literal\n")
    print(f"StepCause = Literal[{', '.join(repr(name) for name in causes)}]\n")
    print("#: sign → weight; signs that are not named weigh nothing")
    print("WEIGHTS: Mapping[str, float] = {")
    print("".join(_rows(weights[1:], 0.005, "    ")) + "}")
    print(f"BIAS = {weights[0]:.3f}")
    print("#: where the tail of healthy strengths starts, and by how much -log10 of their share falls beyond")
    print("HEALTHY: Mapping[str, tuple[float, float]] = {")
    for kind, (start, slope) in tails(weights, alone, beside).items():
        print(f'    "{kind}": ({start:.3f}, {slope:.4f}),')
    print("}\n#: cause → bias and weights of signs")
    print("CAUSES: Mapping[StepCause, tuple[float, Mapping[str, float]]] = {")
    for cause, row in causes.items():
        print(f'    "{cause}": (\n        {row[0]:.3f},\n        {{')
        print("".join(_rows(row[1:], 0.02, "            ")) + "        },\n    ),")
    print("}")


def _rows(weights: Floats, least: float, indent: str) -> list[str]:
    return [f'{indent}"{n}": {w:.3f},\n' for (n, *_), w in zip(SIGNS, weights, strict=True) if abs(w) >= least]


if __name__ == "__main__":
    main()
