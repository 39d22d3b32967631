"""Training: it learns, it is seeded, and interrupted it ends where it would have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.recipes import Recipe
from mvc.embedding.train import Progress, train
from mvc.errors import FormatError, InputError

SHAPES = {"fc1.weight": (5, 8), "fc1.bias": (5,), "fc2.weight": (3, 5), "fc2.bias": (3,)}
SIZE = 40 + 5 + 15 + 3
DEEPER = {"fc1.weight": (5, 4), "fc2.weight": (5, 5), "fc3.weight": (3, 5), "fc3.bias": (3,)}  # as many weights
QUICK = Recipe(
    "quick", statistics=True, width=16, heads=2, feedforward=24, latent=8, projection=(8, 4), erase=0.5, dropout=0.1,
    batch=60, per_model=5, epochs=12,
)  # fmt: skip


def _walks(models: int, seed: int) -> np.ndarray:
    """Models that drift from where they start, [models, 10, d]."""
    rng = np.random.default_rng(seed)
    start, drift = rng.normal(size=(2, models, 1, SIZE))
    return (start + 0.2 * drift * np.arange(10)[:, None]).astype(np.float32)


@pytest.mark.parametrize("loss", ["ED", "E_c", "E_cD", "E_c+D"])
def test_training_lowers_its_loss_on_models_it_never_saw(loss: str) -> None:
    seen: list[Progress] = []
    recipe = replace(QUICK, loss=loss, epochs=10, erase=0.1, dropout=0.0)
    embedder = train(_walks(60, 0), SHAPES, recipe, validation=_walks(20, 1), progress=seen.append)
    names = {"ED": ["reconstruction"], "E_c": ["contrast"]}.get(loss, ["contrast", "reconstruction"])
    assert [*seen[0].losses] == [*seen[0].validation] == [*names, "loss"]
    assert seen[-1].share == 1 and seen[-1].step == seen[-1].steps and len(seen) == 20
    assert seen[-1].validation["loss"] < seen[0].validation["loss"]
    assert embedder.embed(_walks(3, 2)[:, 0]).shape == (3, 8)


def test_the_seed_says_what_is_learned_and_the_callers_stream_goes_on() -> None:
    data = _walks(12, 0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = train(data, SHAPES, QUICK).to_bytes()
    assert torch.equal(torch.rand(3), expected)
    assert train(data, SHAPES, QUICK).to_bytes() == first
    assert train(data, SHAPES, replace(QUICK, seed=1)).to_bytes() != first


@pytest.mark.parametrize("loss", ["E_c", "E_cD"])
def test_interrupted_is_uninterrupted(loss: str) -> None:
    data, recipe = _walks(12, 0), replace(QUICK, loss=loss)
    states: list[bytes] = []
    whole = train(data, SHAPES, recipe, keep=states.append).to_bytes()
    assert len(states) > 5
    for state in (states[0], states[3], states[-1]):
        assert train(data, SHAPES, recipe, start=state).to_bytes() == whole


@pytest.mark.parametrize("shapes", [SHAPES, DEEPER], ids=["one-layer", "two-layers"])
@pytest.mark.parametrize("encoder", ["invariant", "feedforward", "neuron", "weight"])
def test_every_encoder_goes_on(encoder: str, shapes: dict[str, tuple[int, ...]]) -> None:
    changes = {"tokens": encoder} if encoder in ("neuron", "weight") else {"encoder": encoder}
    data, recipe = _walks(12, 0), replace(QUICK, epochs=4, **changes)
    states: list[bytes] = []
    whole = train(data, shapes, recipe, keep=states.append).to_bytes()
    assert train(data, shapes, recipe, start=states[1]).to_bytes() == whole


def test_a_state_belongs_to_its_training() -> None:
    data = _walks(12, 0)
    states: list[bytes] = []
    train(data, SHAPES, QUICK, keep=states.append)
    with pytest.raises(InputError, match="another data"):
        train(data + 1, SHAPES, QUICK, start=states[0])
    with pytest.raises(InputError, match="another recipe"):
        train(data, SHAPES, replace(QUICK, lr=1e-3), start=states[0])
    for damaged in (b"", states[0][:-1], states[0][:40], b"x" * 100, train(data, SHAPES, QUICK).to_bytes()):
        with pytest.raises(FormatError):
            train(data, SHAPES, QUICK, start=damaged)


def test_the_probe_sees_the_embedder_as_it_is() -> None:
    seen: list[Progress] = []
    got: list[Embedder] = []

    def probe(embedder: Embedder) -> dict[str, float]:
        got.append(embedder)
        return {"spread": float(embedder.embed(_walks(5, 3)[:, 0]).std())}

    last = train(_walks(12, 0), SHAPES, QUICK, progress=seen.append, probe=probe)
    assert [one.scores["spread"] for one in seen] == [float(e.embed(_walks(5, 3)[:, 0]).std()) for e in got]
    assert got[-1].to_bytes() == last.to_bytes() != got[0].to_bytes()


def test_minutes_end_a_training() -> None:
    seen: list[Progress] = []
    train(_walks(12, 0), SHAPES, replace(QUICK, epochs=60_000), minutes=0.01, progress=seen.append)
    assert seen[-1].share == 1 and seen[-1].step < seen[-1].steps and seen[-1].seconds >= 0.6


def test_embeddings_do_not_depend_on_the_company() -> None:
    embedder = train(_walks(12, 0), SHAPES, QUICK)
    weights = _walks(30, 4).reshape(-1, SIZE)
    together = embedder.embed(weights)
    assert together.dtype == np.float32 and together.shape == (300, 8)
    assert np.allclose(np.concatenate([embedder.embed(part) for part in np.split(weights, 10)]), together, atol=1e-5)
    assert embedder.embed(weights[:0]).shape == (0, 8)


def test_weights_that_do_not_fit_are_refused() -> None:
    embedder = train(_walks(12, 0), SHAPES, QUICK)
    with pytest.raises(InputError, match="63 weights"):
        embedder.embed(np.zeros((2, 5)))
    with pytest.raises(InputError, match="finite"):
        embedder.embed(np.full((2, SIZE), np.nan))
    for wrong in (np.zeros((4, SIZE)), np.zeros((1, 1, SIZE)), np.zeros((3, 3, 7))):
        with pytest.raises(InputError, match="trained on"):
            train(wrong, SHAPES, QUICK)
    with pytest.raises(InputError, match="finite"):
        train(np.full((3, 3, SIZE), np.inf), SHAPES, QUICK)


@pytest.mark.parametrize("scale", [2.0**-80, 2.0**100])
def test_weights_whose_squares_leave_single_precision_are_standardised(scale: float) -> None:
    data = _walks(12, 0)
    recipe = replace(QUICK, epochs=2)
    embedder = from_bytes(train(data * np.float32(scale), SHAPES, recipe).to_bytes())
    latents = embedder.embed(data[:, 0] * np.float32(scale))
    assert np.allclose(latents, train(data, SHAPES, recipe).embed(data[:, 0]), atol=1e-3)


def test_few_models_fill_a_batch_with_more_checkpoints_and_large_ones_with_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []

    def trained(models: int, per_model: int) -> int:
        recipe = replace(QUICK, per_model=per_model, epochs=2)
        train(_walks(models, 0), SHAPES, recipe, progress=lambda one: steps.append(one.steps))
        return steps[-1]

    assert trained(6, 1) == 2  # 60 checkpoints are one batch of 60
    assert trained(60, 1) == trained(60, 5) == 20
    monkeypatch.setattr("mvc.embedding.train._LARGEST", 8 * SIZE)
    assert trained(6, 5) == 15  # batches of eight
