"""Units put in another order: the same function, found again exactly, and never found among strangers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from mvc.geometry import derive, permute, rescale
from mvc.geometry.matching import apply, balance, match_units, matched_null, undo_scales
from mvc.geometry.permutations import Floats, PermutationSpec


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 5))


def _cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(6 * 4, 16), nn.ReLU(), nn.Linear(16, 4),
    )  # fmt: skip


def _normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip


INPUTS: dict[Callable[[], nn.Module], tuple[int, ...]] = {_mlp: (7, 20), _cnn: (7, 1, 10, 10), _normed: (7, 1, 10, 10)}
NETS = list(INPUTS)


def _arrays(module: nn.Module) -> dict[str, Floats]:
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def _spec(arrays: dict[str, Floats]) -> PermutationSpec:
    spec = derive({name: value.shape for name, value in arrays.items()})
    assert spec is not None
    return spec


def _shuffled(arrays: dict[str, Floats], spec: PermutationSpec, seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    for units in spec.units:
        arrays = permute(arrays, units, rng.permutation(units.size))
    return arrays


def _outputs(build: Callable[[], nn.Module], arrays: dict[str, Floats]) -> torch.Tensor:
    module = build().double().eval()
    module.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()}, strict=False)
    with torch.no_grad():
        found: torch.Tensor = module(torch.randn(INPUTS[build], generator=torch.Generator().manual_seed(0)).double())
    return found


def _net(build: Callable[[], nn.Module], seed: int) -> dict[str, Floats]:
    torch.manual_seed(seed)
    module = build()
    for value in module.state_dict().values():  # vectors that tell units apart
        if value.ndim == 1:
            value.copy_(torch.rand(value.shape) + 0.5)
    return _arrays(module)


@pytest.mark.parametrize("build", NETS)
def test_a_permutation_keeps_the_function_and_is_found_again(build: Callable[[], nn.Module]) -> None:
    arrays = _net(build, 1)
    spec = _spec(arrays)
    moved = _shuffled(arrays, spec, 2)
    assert any((moved[name] != arrays[name]).any() for name in arrays)
    assert torch.allclose(_outputs(build, moved), _outputs(build, arrays))
    found = match_units(arrays, moved, spec)
    assert found.cosine == pytest.approx(1)
    back = apply(moved, spec, found)
    assert all((back[name] == arrays[name]).all() for name in arrays)


@pytest.mark.parametrize("build", [_mlp, _cnn])
def test_rescaling_keeps_a_relu_nets_function_and_is_undone(build: Callable[[], nn.Module]) -> None:
    arrays = _net(build, 1)
    spec = _spec(arrays)
    moved = _shuffled(arrays, spec, 2)
    rng = np.random.default_rng(0)
    for units in spec.units:
        assert units.scalable
        moved = rescale(moved, units, np.exp(rng.normal(size=units.size)))
    assert torch.allclose(_outputs(build, moved), _outputs(build, arrays))
    found = match_units(balance(arrays, spec), balance(moved, spec), spec)
    back = undo_scales(arrays, apply(moved, spec, found), spec)
    assert all(np.allclose(back[name], arrays[name], rtol=1e-9) for name in arrays)


def test_normalised_units_are_not_scaled() -> None:
    assert not any(units.scalable for units in _spec(_net(_normed, 1)).units)


@pytest.mark.parametrize("build", [_mlp, _cnn])
def test_half_of_the_values_pruned_and_the_rest_noisy_are_still_matched(build: Callable[[], nn.Module]) -> None:
    arrays = _net(build, 1)
    spec = _spec(arrays)
    rng = np.random.default_rng(0)
    worn = {
        name: np.where(np.abs(value) < np.median(np.abs(value)), 0, value + 0.01 * rng.normal(size=value.shape))
        for name, value in arrays.items()
    }
    orders = match_units(arrays, _shuffled(worn, spec, 2), spec)
    back = apply(_shuffled(arrays, spec, 2), spec, orders)
    assert all((back[name] == arrays[name]).all() for name in arrays)


@pytest.mark.parametrize("build", NETS)
def test_a_stranger_is_hardly_more_alike_than_one_made_up(build: Callable[[], nn.Module]) -> None:
    a, b = _net(build, 1), _net(build, 2)
    spec = _spec(a)
    mean, deviation = matched_null(a, b, spec)
    assert 0 < deviation < 0.2
    assert (match_units(a, b, spec).cosine - mean) / (1 - mean) < 0.5
    assert match_units(a, _shuffled(a, spec, 3), spec).cosine > 0.999


@pytest.mark.parametrize(
    "shapes",
    [
        {"a.weight": (8, 8), "b.weight": (8, 8), "c.weight": (3, 8)},  # a and b could stand in either order
        {"fc1.weight": (8, 4), "fc2.weight": (3, 9)},  # does not fit
        {"fc.weight": (3, 4)},  # nothing hidden
        {"layer1.0.conv1.weight": (8, 8, 3, 3), "layer1.0.conv2.weight": (8, 8, 3, 3)},  # may be a residual block
        {"rnn.weight_ih_l0": (32, 8), "rnn.weight_hh_l0": (32, 8)},
        {"conv1.weight": (8, 3, 3, 3), "conv2.weight": (8, 1, 3, 3), "conv3.weight": (4, 8, 1, 1)},  # groups
        {"fc1.weight": (8, 4), "fc2.weight": (3, 8), "norm.weight": (5,)},  # whose vector?
        {"fc1.weight": (8, 8), "fc2.weight": (3, 8), "norm.weight": (8,)},  # before the layer or after it?
        {"up1.weight": (8, 16, 2, 2), "up2.weight": (4, 8, 2, 2), "embed.weight": (99, 17)},
        {"weight": (3,)},
        {},
    ],
)
def test_what_has_several_readings_has_no_spec(shapes: dict[str, tuple[int, ...]]) -> None:
    assert derive(shapes) is None


def test_layers_are_chained_by_shape_where_names_do_not_count() -> None:
    spec = derive({"head.weight": (3, 8), "body.weight": (8, 16), "stem.weight": (16, 4), "body.bias": (8,)})
    assert spec is not None
    assert [units.size for units in spec.units] == [16, 8]
    assert [axis.tensor for axis in spec.units[1].produced] == ["body.weight", "body.bias"]
