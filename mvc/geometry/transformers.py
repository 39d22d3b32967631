"""Units of transformers: attention heads as blocks, and the hidden units of feed-forward layers. Owns the layouts.

A layout is data: which projections of a block take its stream in, and which gives it back. Each pair is a symmetry by
itself, whatever the rest of the model is; the residual stream keeps its order. Heads that share a key and a value
(grouped-query attention) move with them, and among each other. Rotary positions act inside a head and permit all this;
position biases that belong to a head do not, so such attention has no units here. Reads no values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mvc.geometry.permutations import Axis, PermutationSpec, Scaling, Shapes, Units

#: names under a common prefix: projections in (query, key and value, or all in one), projection out
_ATTENTION: Sequence[tuple[tuple[str, ...], str]] = (
    (("self.query", "self.key", "self.value"), "output.dense"),  # BERT, RoBERTa, ELECTRA
    (("attention.query", "attention.key", "attention.value"), "output.dense"),  # ViT
    (("q_proj", "k_proj", "v_proj"), "o_proj"),  # Llama, Mistral, Qwen, Gemma
    (("q_proj", "k_proj", "v_proj"), "out_proj"),  # OPT, BART, CLIP, Whisper
    (("q_lin", "k_lin", "v_lin"), "out_lin"),  # DistilBERT
    (("wq", "wk", "wv"), "wo"),  # Llama as Meta publishes it
    (("to_q", "to_k", "to_v"), "to_out.0"),  # diffusers
    (("query", "key", "value"), "out"),
    (("query", "key", "value"), "proj"),
    (("in_proj",), "out_proj"),  # torch.nn.MultiheadAttention
    (("c_attn",), "c_proj"),  # GPT-2, and its retellings with linear layers
    (("qkv",), "proj"),  # timm
)
_FEED_FORWARD: Sequence[tuple[tuple[str, ...], str]] = (
    (("intermediate.dense",), "output.dense"),
    (("gate_proj", "up_proj"), "down_proj"),
    (("w1", "w3"), "w2"),
    (("c_fc",), "c_proj"),
    (("linear1",), "linear2"),
    (("lin1",), "lin2"),
    (("fc1",), "fc2"),
    (("wi_0", "wi_1"), "wo"),
    (("wi",), "wo"),
    (("dense_h_to_4h",), "dense_4h_to_h"),
)
#: signs of attention whose heads differ by more than their projections, or are normalised across
_BOUND = re.compile(r"relative_attention_bias|relative_position|[qk]_norm|norm_[qk]\b|[qk]_layernorm|alibi")


@dataclass(frozen=True)
class _Projection:
    """A fully connected layer: its tensors, the axes of its outputs and inputs in the weight, and their lengths."""

    weight: str
    bias: str | None
    out_axis: int
    out: int
    into: int

    def writes(self, inner: int, outer: int = 1, start: int = 0) -> tuple[Axis, ...]:
        own = Axis(self.weight, self.out_axis, inner, outer, start)
        return (own,) if self.bias is None else (own, Axis(self.bias, 0, inner, outer, start))

    def reads(self, inner: int, start: int = 0) -> Axis:
        return Axis(self.weight, 1 - self.out_axis, inner, 1, start)


@dataclass(frozen=True)
class _Part:
    """A block's projections in and out."""

    taking: tuple[_Projection, ...]
    giving: _Projection


def transformer(shapes: Shapes, head: int | None = None) -> PermutationSpec | None:
    """The spec of all feed-forward layers and, where ``head`` says how many values a head has, of all attention."""
    groups = [_hidden(part) for part in _parts(shapes, _FEED_FORWARD, _is_feed_forward)]
    if head is not None:
        for part in _attention(shapes):
            groups += _heads(part, head)
    return PermutationSpec(tuple(one for one in groups if one.size > 1), head) if groups else None


def head_sizes(shapes: Shapes) -> tuple[int, ...]:
    """How many values a head may have in all attention of the model, largest first: shapes do not tell which.

    None at all without attention. A head of one value is none, and neither is a single head.
    """
    widths = {(_key_width(part), part.giving.into) for part in _attention(shapes)}
    largest = max((queries for _, queries in widths), default=0) // 2
    return tuple(size for size in range(largest, 1, -1) if all(keys % size == 0 for keys, _ in widths))


def _attention(shapes: Shapes) -> list[_Part]:
    if any(_BOUND.search(name) for name in shapes):
        return []
    return list(_parts(shapes, _ATTENTION, _is_attention))


def _parts(
    shapes: Shapes, layouts: Sequence[tuple[tuple[str, ...], str]], fits: Callable[[_Part], bool]
) -> Iterator[_Part]:
    """Every place in which a layout's names stand together under one prefix and their shapes fit.

    A weight's rows are its outputs or, where only that fits biases and widths (GPT-2's Conv1D), its columns.
    """
    for taking, giving in layouts:
        for prefix in (found for name in shapes if (found := _prefix(name, giving)) is not None):
            for out_axis in (0, 1):
                ends = [_projection(shapes, f"{prefix}{name}", out_axis) for name in (*taking, giving)]
                there = [one for one in ends if one is not None]
                if len(there) == len(ends) and fits(part := _Part(tuple(there[:-1]), there[-1])):
                    yield part
                    break


def _prefix(name: str, module: str) -> str | None:
    """What stands before a module's name in that of its weight, with the dot; None for another tensor."""
    ending = f"{module}.weight"
    prefix = name.removesuffix(ending)
    return prefix if name.endswith(ending) and (not prefix or prefix.endswith(".")) else None


def _projection(shapes: Shapes, module: str, out_axis: int) -> _Projection | None:
    for weight, bias in ((f"{module}.weight", f"{module}.bias"), (f"{module}_weight", f"{module}_bias")):
        shape = shapes.get(weight, ())
        if len(shape) == 2 and shapes.get(bias, (shape[out_axis],)) == (shape[out_axis],):
            return _Projection(weight, bias if bias in shapes else None, out_axis, shape[out_axis], shape[1 - out_axis])
    return None


def _is_feed_forward(part: _Part) -> bool:
    return all((one.into, one.out) == (part.giving.out, part.giving.into) for one in part.taking)


def _is_attention(part: _Part) -> bool:
    widths = [one.out for one in part.taking]
    if any(one.into != part.giving.out for one in part.taking[:1]):
        return False
    if len(widths) == 1:
        return widths[0] == 3 * part.giving.into
    return widths[0] == part.giving.into and widths[1] == widths[2] and widths[0] % widths[1] == 0


def _hidden(part: _Part) -> Units:
    size, read = part.giving.into, part.giving.reads(1)
    produced = tuple(axis for one in part.taking for axis in one.writes(1))
    # of two projections that are multiplied, one has the activation and the other is free
    grown = part.taking[-1].writes(1)
    return Units(size, produced, (read,), scalings=(Scaling(size, (*((axis, 1) for axis in grown), (read, -1))),))


def _key_width(part: _Part) -> int:
    return part.giving.into if len(part.taking) == 1 else part.taking[1].out


def _heads(part: _Part, head: int) -> Iterator[Units]:
    """Heads that have a key of their own, or the groups of those that share one and then the heads in each."""
    width, giving = part.giving.into, part.giving
    if len(part.taking) == 1:
        yield Units(width // head, part.taking[0].writes(head, outer=3), (giving.reads(head),))
        return
    query, key, value = part.taking
    each = width // key.out
    shared = (*key.writes(head), *value.writes(head))
    if each == 1:
        yield Units(width // head, (*query.writes(head), *shared), (giving.reads(head),))
        return
    yield Units(key.out // head, shared, (), carried=(*query.writes(head * each), giving.reads(head * each)))
    for start in range(0, width, head * each):
        yield Units(each, query.writes(head, start=start), (giving.reads(head, start=start),))
