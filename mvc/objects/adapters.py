"""Low-rank adapters (LoRA, Hu et al. 2022) by their tensors' names, as PEFT writes them. Owns what such a name says.

An adapter's tensors are the two thin factors of a change to another model's weights. They share no tensor with that
model, and nothing in them tells which one it is: that has to be declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_WRAPPED = "base_model.model."
_PARTS = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")


def is_adapter(names: Iterable[str]) -> bool:
    """Whether these are an adapter's tensors alone: factors, and nothing of the layers that they are added to."""
    parts = [name.split(".") for name in names]
    return any(_factor(part) for part in parts) and not any("base_layer" in part for part in parts)


def adapted(adapter: Mapping[str, tuple[int, ...]], base: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Names of the base's tensors that an adapter changes, sorted; both given as name → shape.

    A pair of factors [r, in] and [out, r] changes the weight [out, in] (or [in, out]) under the same name. Modules that
    were trained as a whole are stored beside the factors under their own names.
    """
    found = set()
    for name, shape in adapter.items():
        parts = name.removeprefix(_WRAPPED).split(".")
        factor = next((part for part in parts if part in _PARTS), None)
        if factor is None:
            whole = ".".join(part for part in parts if part != "modules_to_save")
            found |= {whole} if base.get(whole) == shape else set()
        elif factor in ("lora_A", "lora_embedding_A") and len(shape) > 1:
            target = ".".join(parts[: parts.index(factor)]) + ".weight"
            other = adapter.get(name.replace(factor, factor[:-1] + "B"))
            if other is not None and _fits(shape, other, base.get(target)):
                found.add(target)
    return tuple(sorted(found))


def _factor(parts: list[str]) -> bool:
    return any(part in _PARTS for part in parts)


def _fits(down: tuple[int, ...], up: tuple[int, ...], weight: tuple[int, ...] | None) -> bool:
    return weight is not None and len(weight) > 1 and {down[1], up[0]} == set(weight[:2])
