"""Which tensors of a base an adapter changes follows from its names and shapes, as PEFT writes them."""

from __future__ import annotations

import pytest

from mvc.objects.adapters import adapted, is_adapter

BASE = {
    "h.0.q.weight": (8, 6),
    "h.0.v.weight": (4, 6),
    "h.0.c.weight": (6, 12),
    "wte.weight": (30, 6),
    "score.weight": (2, 6),
    "conv.weight": (8, 3, 3, 3),
}


WRAPPED = "base_model.model."


def _pair(module: str, out: int, into: int, rank: int = 2, kind: str = "lora_") -> dict[str, tuple[int, ...]]:
    head = f"{WRAPPED}{module}.{kind}"
    return {f"{head}A.weight": (rank, into), f"{head}B.weight": (out, rank)}


@pytest.mark.parametrize(
    ("tensors", "changed"),
    [
        (_pair("h.0.q", 8, 6) | _pair("h.0.v", 4, 6, rank=3), ("h.0.q.weight", "h.0.v.weight")),
        # GPT-2 keeps its weights the other way round
        (_pair("h.0.c", 12, 6), ("h.0.c.weight",)),
        # another model's shapes, another model's names
        (_pair("h.0.q", 9, 6) | _pair("h.7.q", 8, 6), ()),
        # a head that was trained as a whole
        (_pair("h.0.q", 8, 6) | {f"{WRAPPED}score.modules_to_save.weight": (2, 6)}, ("h.0.q.weight", "score.weight")),
        ({"conv.lora_A.weight": (2, 3, 3, 3), "conv.lora_B.weight": (8, 2, 1, 1)}, ("conv.weight",)),
        ({"wte.lora_embedding_A": (2, 30), "wte.lora_embedding_B": (6, 2)}, ("wte.weight",)),
        # several adapters beside each other have names of their own
        ({"h.0.q.lora_A.default.weight": (2, 6), "h.0.q.lora_B.default.weight": (8, 2)}, ("h.0.q.weight",)),
    ],
)  # fmt: skip
def test_an_adapters_names_say_what_it_changes(tensors: dict[str, tuple[int, ...]], changed: tuple[str, ...]) -> None:
    assert is_adapter(tensors)
    assert adapted(tensors, BASE) == changed


def test_a_model_with_its_adapter_in_it_is_no_adapter() -> None:
    assert not is_adapter(BASE)
    inside = {name.replace(".weight", ".base_layer.weight"): shape for name, shape in BASE.items()}
    assert not is_adapter(inside | _pair("h.0.q", 8, 6))
