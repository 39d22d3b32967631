"""Units put in another order: the same function, found again exactly, and never found among strangers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from mvc.geometry import balance, derive, fit_scales, head_sizes, permute, rescale
from mvc.geometry.matching import apply, choose_heads, match_units, matched_null
from mvc.geometry.permutations import Floats, PermutationSpec
from tests.geometry.nets import HEADS, INPUTS, ResNet, cnn, mlp, normed

Build = Callable[[], nn.Module]
NETS = list(INPUTS)


def _arrays(module: nn.Module) -> dict[str, Floats]:
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def _spec(arrays: dict[str, Floats], build: Build | None = None) -> PermutationSpec:
    spec = derive({name: value.shape for name, value in arrays.items()}, HEADS.get(build))
    assert spec is not None
    return spec


def _shuffled(arrays: dict[str, Floats], spec: PermutationSpec, seed: int) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    for units in spec.units:
        arrays = permute(arrays, units, rng.permutation(units.size))
    return arrays


def _scaled(arrays: dict[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    for scaling in (scaling for units in spec.units for scaling in units.scalings):
        arrays = rescale(arrays, scaling, np.exp(rng.normal(size=scaling.size)))
    return arrays


def _outputs(build: Build, arrays: dict[str, Floats]) -> torch.Tensor:
    module = build().double().eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 0.0  # the only thing that a scale before the normalisation does not leave as it was
    module.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()}, strict=False)
    with torch.no_grad():
        found: torch.Tensor = module(torch.randn(INPUTS[build], generator=torch.Generator().manual_seed(0)).double())
    return found


def _net(build: Build, seed: int) -> dict[str, Floats]:
    torch.manual_seed(seed)
    module = build()
    for value in module.state_dict().values():  # vectors that tell units apart
        if value.ndim == 1:
            value.copy_(torch.rand(value.shape) + 0.5)
    return _arrays(module)


@pytest.mark.parametrize("build", NETS)
def test_a_permutation_keeps_the_function_and_is_found_again(build: Build) -> None:
    arrays = _net(build, 1)
    spec = _spec(arrays, build)
    moved = _shuffled(arrays, spec, 2)
    assert all((moved[name] != arrays[name]).any() for name in spec.tensors)
    assert torch.allclose(_outputs(build, moved), _outputs(build, arrays))
    found = match_units(arrays, moved, spec)
    assert found.cosine == pytest.approx(1)
    back = apply(moved, spec, found)
    assert all((back[name] == arrays[name]).all() for name in arrays)


@pytest.mark.parametrize("build", [mlp, cnn, normed, ResNet])
def test_rescaling_keeps_a_relu_nets_function_and_is_found_again(build: Build) -> None:
    arrays = _net(build, 1)
    spec = _spec(arrays)
    assert all(units.scalable for units in spec.units)
    moved = _scaled(_shuffled(arrays, spec, 2), spec)
    assert torch.allclose(_outputs(build, moved), _outputs(build, arrays))
    weights = [name for name in arrays if "running" not in name]
    kept = spec.among(weights)
    known, file = ({name: one[name] for name in weights} for one in (arrays, moved))
    ordered = apply(file, kept, match_units(balance(known, kept), balance(file, kept), kept))
    expected = fit_scales(known, ordered, kept)
    assert all(np.allclose(expected[name], ordered[name], rtol=1e-6) for name in weights)


def test_dead_units_are_no_hindrance_to_scales() -> None:
    arrays = _net(mlp, 1)
    arrays["0.weight"][3] = arrays["0.bias"][3] = 0
    arrays["4.weight"][:, 5] = 0
    spec = _spec(arrays)
    moved = _scaled(_shuffled(arrays, spec, 2), spec)
    ordered = apply(moved, spec, match_units(balance(arrays, spec), balance(moved, spec), spec))
    expected = fit_scales(arrays, ordered, spec)
    assert all(np.allclose(expected[name], ordered[name], rtol=1e-6) for name in arrays)


def test_other_normalisations_allow_no_scales() -> None:
    shapes = {name: value.shape for name, value in _net(normed, 1).items() if "running" not in name}
    spec = derive(shapes)
    assert spec is not None
    assert not any(units.scalable for units in spec.units)


@pytest.mark.parametrize("build", HEADS)
def test_the_width_of_heads_is_read_from_a_copy(build: Build) -> None:
    arrays = _net(build, 1)
    shapes = {name: value.shape for name, value in arrays.items()}
    moved = _shuffled(arrays, _spec(arrays, build), 2)
    rng = np.random.default_rng(0)
    noisy = {name: value + 0.3 * value.std() * rng.normal(size=value.shape) for name, value in arrays.items()}
    for one in (arrays, noisy):
        spec = choose_heads(one, moved, shapes)
        assert spec is not None
        assert spec.heads == HEADS[build]


def test_a_residual_stream_has_one_order() -> None:
    spec = _spec(_net(ResNet, 1))
    assert [units.size for units in spec.units] == [6, 6, 6, 8, 8, 8]
    stream = {axis.tensor for axis in spec.units[0].produced}
    assert {"conv1.weight", "layer1.0.bn2.running_var", "layer1.1.conv2.weight"} <= stream
    assert {axis.tensor for axis in spec.units[0].read} == {
        "layer1.0.conv1.weight", "layer1.1.conv1.weight", "layer2.0.conv1.weight", "layer2.0.downsample.0.weight"
    }  # fmt: skip


def test_heads_that_positions_are_bound_to_keep_their_order() -> None:
    shapes = {f"a.SelfAttention.{one}.weight": (16, 16) for one in "qkvo"}
    shapes |= {"a.SelfAttention.relative_attention_bias.weight": (8, 4)}
    assert head_sizes(shapes) == ()


@pytest.mark.parametrize("build", [mlp, cnn])
def test_half_of_the_values_pruned_and_the_rest_noisy_are_still_matched(build: Build) -> None:
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


@pytest.mark.parametrize("build", [mlp, cnn, normed])
def test_a_stranger_is_hardly_more_alike_than_one_made_up(build: Build) -> None:
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
