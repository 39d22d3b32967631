"""The second protocol: representations against other ways to compute them, populations laid out, scores, the card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA, KernelPCA

from mvc.embedding.probes import kendall, ridge, split
from mvc.embedding.recipes import find_recipe
from mvc.errors import InputError
from mvc.geometry import TRIMMED, layer_statistics
from mvc.papers import schurholt_2021_hyper
from mvc.papers.characteristics.measuring import rank, score
from mvc.papers.characteristics.points import lay_out
from mvc.papers.characteristics.representations import SAMPLE, fit
from mvc.papers.characteristics.run import recipe_of
from mvc.zoo.populations import Zoo
from mvc.zoo.published import find_population

CARD = schurholt_2021_hyper.CARD
RNG = np.random.default_rng


def zoo(models: int = 12, checkpoints: int = 4, *, seed: int = 0, lr: bool = True) -> Zoo:
    """Random walks whose first weight is the accuracy and whose length grows with the epoch."""
    rng = RNG(seed)
    weights = rng.normal(size=(models, checkpoints, 6)).cumsum(1).astype(np.float32)
    rates = np.tile([1e-3, 1e-2], models)[:models] if lr else np.full(models, 1e-3)
    return Zoo(
        name="walks",
        weights=weights,
        shapes={"fc1.weight": (2, 2), "fc1.bias": (2,)},
        epochs=np.arange(checkpoints, dtype=np.float64),
        members=(),
        facts={
            "test_accuracy": weights[..., 0].astype(np.float64),
            "gap": rng.normal(size=(models, checkpoints)),
            "f1": rng.random(size=(models, checkpoints, 3)),
            "lr": rates,
            "dropout": np.zeros(models),
            "activation": np.where(rates > 5e-3, "relu", "tanh"),
            "init": np.full(models, "normal"),
        },
    )


def test_a_population_is_rows_and_what_varies_among_them() -> None:
    walks = zoo()
    walks.weights[3, 2, 1] = np.nan
    points = lay_out(walks, initial=False)
    assert points.rows.shape == (33, 6) and points.left_out == 1 and points.checkpoints == 3
    assert list(points.numbers) == ["epoch", "accuracy", "gap", "F1 0", "F1 1", "F1 2", "learning rate"]
    assert list(points.categories) == ["activation"]
    model, place = 7, 2  # the eighth of those left: number 8, as 3 is left out
    row = model * 3 + place
    assert np.array_equal(points.rows[row], walks.weights[8, 3]) and points.owners[row] == model
    assert points.numbers["epoch"][row] == 3 and points.numbers["F1 1"][row] == walks.facts["f1"][8, 3, 1]
    assert points.numbers["learning rate"][row] == walks.facts["lr"][8]
    assert np.array_equal(points.of([model])[0], walks.weights[8, 1:])
    assert lay_out(walks, initial=True).rows.shape == (44, 6)


def test_models_that_diverged_are_left_out() -> None:
    walks = zoo(10)
    walks.weights[4, 1] *= 1e4
    walks.weights[6, -1, 0] = np.inf
    points = lay_out(walks, initial=False)
    assert points.left_out == 2 and len(points.accuracy) == 8
    assert np.array_equal(points.of([4])[0], walks.weights[5, 1:])
    walks.weights[:8, -1] = np.inf
    with pytest.raises(InputError, match="2 of 10 models"):
        lay_out(walks, initial=False)


def cloud() -> tuple[np.ndarray, np.ndarray]:
    mixing = RNG(1).normal(size=(8, 8))
    return (RNG(2).normal(size=(60, 8)) @ mixing + 2).astype(np.float32), (RNG(3).normal(size=(9, 8)) @ mixing + 2)


def same_up_to_signs(a: np.ndarray, b: np.ndarray) -> None:
    signs = np.sign((a * b).sum(0))
    np.testing.assert_allclose(a * signs, b, atol=2e-4)


def test_reductions_are_scikit_learns() -> None:
    train, fresh = cloud()
    shapes = [(2, 3), (2,)]
    linear = fit("pca", train, shapes, components=3, seed=0)(fresh)
    same_up_to_signs(linear, PCA(3).fit(train).transform(fresh))
    cosine = fit("pca-cosine", train, shapes, components=3, seed=0)(fresh)
    same_up_to_signs(cosine, KernelPCA(3, kernel="cosine").fit(train.astype(np.float64)).transform(fresh))
    radial = fit("pca-rbf", train, shapes, components=3, seed=0)(fresh)
    same_up_to_signs(radial, KernelPCA(3, kernel="rbf").fit(train.astype(np.float64)).transform(fresh))


def test_weights_and_statistics_are_what_they_are_called() -> None:
    train, fresh = cloud()
    shapes = [(2, 3), (2,)]
    assert fit("weights", train, shapes, components=3, seed=0)(fresh) is fresh
    found = fit("statistics", train, shapes, components=3, seed=0)(fresh)
    np.testing.assert_allclose(found, [layer_statistics([row[:6], row[6:]], TRIMMED) for row in fresh])
    with pytest.raises(InputError, match="trained"):
        fit("embedding", train, shapes, components=3, seed=0)


def test_a_radial_kernel_is_fitted_to_a_sample_and_places_every_row() -> None:
    rows = RNG(4).normal(size=(SAMPLE + 500, 3))
    encode = fit("pca-rbf", rows, [(3,)], components=2, seed=1)
    placed = encode(np.tile(rows, (4, 1)))
    assert placed.shape == (4 * len(rows), 2)
    np.testing.assert_allclose(placed[: len(rows)], placed[-len(rows) :])


@pytest.mark.slow
def test_umap_is_the_same_every_time() -> None:
    pytest.importorskip("umap")
    train, fresh = cloud()
    first, again = (fit("umap", train, [(8,)], components=2, seed=0)(fresh) for _ in range(2))
    assert first.shape == (9, 2) and np.array_equal(first, again)


def test_scores_are_those_of_one_probe_a_target() -> None:
    points = lay_out(zoo(30), initial=False)
    parts = split(points.owners, 0)
    found = score(points.rows, points, parts)
    assert found["accuracy"].test == pytest.approx(1, abs=1e-6)  # it is the first weight
    alone = ridge(points.rows, points.numbers["gap"], parts)
    assert (found["gap"].validation, found["gap"].test) == pytest.approx((alone.validation, alone.test))
    assert set(found) == {*points.numbers, *points.categories} and 0 <= found["activation"].test <= 1


def test_ranks_are_of_another_populations_truth() -> None:
    points, other = lay_out(zoo(20), initial=False), lay_out(zoo(10, seed=5, lr=False), initial=False)
    parts = split(points.owners, 0)
    truth = dict(other.numbers)
    found = rank(points.rows, points, parts, other.rows, truth)
    assert found["accuracy"] == pytest.approx(1) and "learning rate" not in found
    backwards = rank(points.rows, points, parts, -other.rows, truth)
    assert backwards["accuracy"] == pytest.approx(-1)
    assert kendall(truth["accuracy"], -truth["accuracy"]) == -1


def test_every_cell_of_the_card_can_be_run() -> None:
    names = {one.name for one in CARD.zoos}
    assert len(set(CARD.numbers)) == len(CARD.numbers)
    for one in CARD.zoos:
        assert find_population(one.zoo).members()
    for table in CARD.tables:
        assert len({(row.label, row.zoo, row.beyond) for row in table.rows}) == len(table.rows)
        for row in table.rows:
            assert row.zoo in names and (row.beyond is None or row.beyond in names)
            assert (row.beyond is not None) == (table.measure == "kendall")
            if row.representation.kind == "embedding":
                assert recipe_of(row.representation, 2).seed == 2


def test_the_ablations_change_what_they_are_called_after() -> None:
    changes = {table.number: [recipe_of(row.representation, 0) for row in table.rows] for table in CARD.tables[3:7]}
    (plain,) = (recipe_of(row.representation, 0) for row in CARD.tables[0].rows if row.label == "E_cD, small and fast")
    paper = find_recipe("schurholt-2021")
    same = (
        "tokens",
        "pooling",
        "loss",
        "gamma",
        "temperature",
        "projection",
        "latent",
        "erase",
        "erase_share",
        "permute",
    )
    assert all(getattr(plain, name) == getattr(paper, name) for name in same)
    assert [recipe.loss for recipe in changes["1"]] == ["ED", "E_c", "E_c+D", "E_cD"]
    assert changes["1"][-1] == plain and changes["2"][4] == plain
    assert [recipe.latent for recipe in changes["12"]] == [50, 33, 20]
    everything = [(recipe.permute, recipe.erase > 0, recipe.noise > 0) for recipe in changes["3"]]
    assert len(set(everything)) == 8 and all(replace(r, **used(plain)) == plain for r in changes["3"])


def used(recipe: object) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in ("permute", "erase", "noise")}
