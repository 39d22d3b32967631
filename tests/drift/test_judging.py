"""What is normal, what is not, and when nothing can be said."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mvc.drift import HISTORY, RULES, SIGNS, Layout, Siblings, causes, judge_walk, profile_step, signs, surprises, walk
from mvc.drift.coefficients import CAUSES, HEALTHY, WEIGHTS
from mvc.drift.walks import Floats
from mvc.testing.trajectories import SHAPES, Walk, synthetic_run, tensors_of

LAYOUT = Layout.of(SHAPES)


def figures(weights: Floats) -> Floats:
    models = [tensors_of(row) for row in weights]
    steps = np.diff(weights, axis=0)
    norms = np.maximum(np.linalg.norm(steps, axis=1), 1e-300)
    turns = np.concatenate([[np.nan], (steps[1:] * steps[:-1]).sum(axis=1) / norms[1:] / norms[:-1]])
    profiles = [profile_step(a, b) for a, b in pairwise(models)]
    return walk(LAYOUT, profiles, turns)


SIBLINGS = Siblings.of([figures(synthetic_run(100 + i)) for i in range(4)])


@pytest.mark.parametrize("siblings", [None, SIBLINGS], ids=["alone", "siblings"])
@pytest.mark.parametrize("seed", range(4))
def test_healthy_steps_are_left_alone(seed: int, siblings: Siblings | None) -> None:
    judged = judge_walk(LAYOUT, figures(synthetic_run(seed, Walk(points=20))), siblings=siblings)
    assert len(judged) == 20
    assert [judgement.score is None for judgement in judged] == [point < HISTORY for point in range(20)]
    assert all(judgement.findings == () and not judgement.causes for judgement in judged)


@pytest.mark.parametrize("factor", [8.0, 1 / 8])
def test_a_step_of_another_length_is_found(factor: float) -> None:
    run = synthetic_run(1)
    run[-1] = run[-2] + factor * (run[-1] - run[-2])
    last = judge_walk(LAYOUT, figures(run), siblings=SIBLINGS, start=len(run) - 1)[0]
    rules = [finding.rule for finding in last.findings]
    assert "MVC002" in rules
    # a learning rate that falls makes steps shorter, and is no accident by itself
    assert (rules[0] == "MVC004") == (factor > 1)
    if factor > 1:
        assert last.score is not None and last.score > 4
        chances = list(last.causes.values())
        assert sum(chances) == pytest.approx(1) and chances == sorted(chances, reverse=True)


def test_turning_back_is_found() -> None:
    run = synthetic_run(2)
    plain = judge_walk(LAYOUT, figures(run), siblings=SIBLINGS, start=len(run) - 1)[0]
    run[-1] = run[-2] - (run[-1] - run[-2])
    back = judge_walk(LAYOUT, figures(run), siblings=SIBLINGS, start=len(run) - 1)[0]
    assert plain.score is not None and back.score is not None and back.score > plain.score + 2


def test_too_little_history_is_silence_with_the_reason() -> None:
    judged = judge_walk(LAYOUT, figures(synthetic_run(3)[:HISTORY]))
    assert [judgement.score for judgement in judged] == [None] * HISTORY
    assert judged[0].reason.startswith("no checkpoint before it") and "1 checkpoint before" in judged[1].reason


def test_an_identical_checkpoint_is_no_drift() -> None:
    run = synthetic_run(4)
    judged = judge_walk(LAYOUT, figures(np.concatenate([run, run[-1:]])))[-1]
    assert judged.findings == () and judged.score == 0.0 and "identical" in judged.reason


def test_judging_all_at_once_is_judging_one_by_one() -> None:
    values = figures(synthetic_run(3))
    single = [judge_walk(LAYOUT, values[:i], siblings=SIBLINGS, start=i)[0] for i in range(len(values) + 1)]
    assert list(judge_walk(LAYOUT, values, siblings=SIBLINGS)) == single


def test_siblings_that_jump_together_make_a_jump_usual() -> None:
    def jumping(seed: int) -> Floats:
        run = synthetic_run(seed)
        run[12:] += 5 * (run[12] - run[11])
        return figures(run)

    values = jumping(1)
    alone = judge_walk(LAYOUT, values, start=12)[0]
    beside = judge_walk(LAYOUT, values, siblings=Siblings.of([jumping(50 + i) for i in range(4)]), start=12)[0]
    assert alone.findings and not beside.findings


def test_a_limit_changes_findings_and_no_score() -> None:
    run = synthetic_run(1)
    run[-1] = run[-2] + 2 * (run[-1] - run[-2])
    values = figures(run)
    plain = judge_walk(LAYOUT, values, start=len(values))[0]
    never = judge_walk(LAYOUT, values, start=len(values), limits=dict.fromkeys(RULES, 1e-30))[0]
    always = judge_walk(LAYOUT, values, start=len(values), limits={"MVC004": 0.9})[0]
    assert plain.score == never.score == always.score
    assert never.findings == () and "MVC004" in {finding.rule for finding in always.findings}


def test_surprises_are_about_normal_for_noise_and_large_for_a_jump() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 50))
    found = surprises(noise, np.ones(50), start=20)
    assert 0.8 < float(np.sqrt(np.mean(found**2))) < 1.2
    noise[-1] += 20
    assert float(surprises(noise, np.ones(50), start=59).min()) > 2.5
    assert float(surprises(-noise, np.ones(50), start=59).max()) < -2.5


def test_a_trend_is_no_surprise() -> None:
    line = np.linspace(0, 10, 30)[:, None] + 0.01 * np.random.default_rng(1).normal(size=(30, 20))
    assert float(np.abs(surprises(line, np.full(20, 0.05), start=10)).mean()) < 1.5


def test_fitted_numbers_name_what_there_is() -> None:
    names = {name for name, *_ in SIGNS}
    assert WEIGHTS.keys() <= names and all(weight > 0 for weight in WEIGHTS.values())
    assert all(weights.keys() <= names for _, weights in CAUSES.values())
    assert HEALTHY.keys() == {"alone", "siblings"} and all(slope > 0 for _, slope in HEALTHY.values())


def test_signs_do_not_depend_on_how_many_tensors_there_are() -> None:
    kinds = ["matrix-length", "columns"]
    once = signs(kinds, np.array([3.0, -4.0]))
    thrice = signs(kinds * 3, np.array([3.0, -4.0] * 3))
    names = [name for name, *_ in SIGNS]
    assert once[names.index("matrix-length+")] == thrice[names.index("matrix-length+")] == 2.0
    assert once[names.index("matrix-length-")] == 0.0 and once[names.index("columns")] == 3.0
    assert signs(kinds, np.array([np.nan, np.nan])).sum() == 0


def test_longer_steps_alone_mean_another_learning_rate() -> None:
    evidence = np.zeros(len(SIGNS))
    for i, (name, *_) in enumerate(SIGNS):
        if name in ("length+", "matrix-length+"):
            evidence[i] = 5.0
    assert next(iter(causes(evidence))) == "learning rate"


def test_an_only_sibling_teaches_too() -> None:
    only = Siblings.of([figures(synthetic_run(100))])
    judged = judge_walk(LAYOUT, figures(synthetic_run(1)), siblings=only)
    assert judged[-1].score is not None and not any(judgement.findings for judgement in judged)
    assert Siblings.of([]) is None
