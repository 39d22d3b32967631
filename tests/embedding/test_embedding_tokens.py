"""Weights cut into tokens: every weight in its unit's token, and nothing cut of what is not understood."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.embedding.tokens import graph, layout, neuron_tokens, unit_tokens, weight_tokens
from mvc.errors import InputError
from tests.embedding.places import NETS, Build, layout_of, unbiased
from tests.geometry.nets import Gpt, ResNet, normed

TETRIS = {"fc1.weight": (5, 16), "fc2.weight": (4, 5)}


def test_a_tetris_net_has_nine_neurons_and_five_units() -> None:
    of = layout(TETRIS)
    assert [kind.slots.shape for kind in neuron_tokens(of)] == [(5, 16), (4, 5)]
    assert [kind.slots.shape for kind in weight_tokens(of)] == [(80, 1), (20, 1)]
    (units,) = unit_tokens(of)
    expected = [[*range(16 * unit, 16 * unit + 16), *range(80 + unit, 100, 5)] for unit in range(5)]
    assert units.slots.tolist() == expected


def test_biases_stand_with_their_neurons() -> None:
    of = layout({"fc1.weight": (3, 2), "fc1.bias": (3,), "fc2.weight": (2, 3), "fc2.bias": (2,)})
    first, second = neuron_tokens(of)
    assert first.slots.tolist() == [[0, 1, 6], [2, 3, 7], [4, 5, 8]]
    assert second.slots.tolist() == [[9, 10, 11, 15], [12, 13, 14, 16]]
    units, rest = unit_tokens(of)
    assert units.slots.tolist() == [[0, 1, 6, 9, 12], [2, 3, 7, 10, 13], [4, 5, 8, 11, 14]]
    assert rest.slots.tolist() == [[15, 16]]


@pytest.mark.parametrize("build", [*NETS, unbiased, ResNet])
def test_no_weight_is_lost(build: Build) -> None:
    shapes = {n: tuple(v.shape) for n, v in build().state_dict().items() if "running" not in n and "num_" not in n}
    of = layout(shapes)
    every = np.arange(of.size)
    for kinds in (weight_tokens(of), neuron_tokens(of)):
        assert np.array_equal(np.sort(np.concatenate([kind.slots.ravel() for kind in kinds])), every)
    assert np.array_equal(np.unique(np.concatenate([kind.slots.ravel() for kind in unit_tokens(of)])), every)
    found = graph(of)
    parts = [*(kind.slots for kind in found.units), *(edges.slots for edges in found.edges), found.rest]
    assert np.array_equal(np.sort(np.concatenate([part.ravel() for part in parts])), every)


def test_edges_join_the_units_that_the_weights_join() -> None:
    of = layout_of(unbiased)
    (edges,) = graph(of).edges
    assert {edges.to, edges.source} == {0, 1}
    weight = of.places["2.weight"]  # (4, 5)
    assert np.array_equal(edges.slots[:, :, 0], weight if edges.slots.shape[0] == 4 else weight.T)


def test_flattened_channels_are_edges_of_several_weights() -> None:
    of = layout({"conv1.weight": (3, 1, 2, 2), "fc1.weight": (5, 12), "fc2.weight": (2, 5)})
    (edges,) = graph(of).edges
    assert sorted(edges.slots.shape) == [3, 4, 5]


def test_what_is_not_understood_is_refused() -> None:
    wrong = [
        {"fc.weight": (4, 16)},
        {"a": (3,)},
        {name: tuple(value.shape) for name, value in Gpt().state_dict().items() if "c_proj" in name},
        {"fc1.weight": (5, 16), "fc2.weight": (4, 7)},
    ]
    for shapes in wrong:
        with pytest.raises(InputError, match="not understood") as caught:
            layout(shapes)
        assert caught.value.hint
    with pytest.raises(InputError, match="10,000,000"):
        layout({"fc1.weight": (10_000, 10_000), "fc2.weight": (4, 10_000)})


def test_normalisation_stands_with_its_channel() -> None:
    shapes = {n: tuple(v.shape) for n, v in normed().state_dict().items() if "running" not in n and "num_" not in n}
    first = neuron_tokens(layout(shapes))[0]
    assert first.slots.shape == (8, 9 + 1 + 2)
