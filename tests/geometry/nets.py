"""Small torch networks in the layouts that symmetries are derived from, with inputs for each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 5))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 6, 3, bias=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(6 * 4, 16), nn.ReLU(), nn.Linear(16, 4),
    )  # fmt: skip


def normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    )  # fmt: skip


class _Basic(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
        same = into == out
        self.downsample = None if same else nn.Sequential(nn.Conv2d(into, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.downsample is None else self.downsample(x)
        hidden = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(skip + self.bn2(self.conv2(hidden)))


class ResNet(nn.Module):
    """Torchvision's layout: two stages, the first of two blocks that share the stem's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.layer1 = nn.Sequential(_Basic(6, 6), _Basic(6, 6))
        self.layer2 = nn.Sequential(_Basic(6, 8), _Basic(8, 8))
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """[batch, time, width] each, keys and values perhaps of fewer heads."""
    size = query.shape[-1] // heads
    q, k, v = (one.unflatten(-1, (-1, size)).transpose(1, 2) for one in (query, key, value))
    k, v = (one.repeat_interleave(heads // one.shape[1], 1) for one in (k, v))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


class Encoder(nn.Module):
    """Torch's own encoder layers, query, key and value fused."""

    def __init__(self) -> None:
        super().__init__()
        layers = (nn.TransformerEncoderLayer(16, 4, 24, dropout=0, batch_first=True) for _ in range(2))
        self.embed, self.layers, self.head = nn.Linear(5, 16), nn.ModuleList(layers), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class _Conv1D(nn.Module):
    """GPT-2's linear layer, weight [in, out]."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(into, out) / into**0.5), nn.Parameter(torch.randn(out))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


class _GptBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.attn = nn.ModuleDict({"c_attn": _Conv1D(16, 48), "c_proj": _Conv1D(16, 16)})
        self.mlp = nn.ModuleDict({"c_fc": _Conv1D(16, 40), "c_proj": _Conv1D(40, 16)})

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn["c_proj"](_attend(*self.attn["c_attn"](self.ln_1(x)).chunk(3, -1), 4))
        return x + self.mlp["c_proj"](functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class Gpt(nn.Module):
    """GPT-2's layout."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.ln_f = nn.Linear(5, 16, bias=False), nn.LayerNorm(16)
        self.h = nn.ModuleList(_GptBlock() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.wte(x)
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class _LlamaBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = {"q_proj": (16, 24), "k_proj": (16, 12), "v_proj": (16, 12), "o_proj": (24, 16)}
        self.self_attn = nn.ModuleDict({name: nn.Linear(*size, bias=False) for name, size in sizes.items()})
        sizes = {"gate_proj": (16, 40), "up_proj": (16, 40), "down_proj": (40, 16)}
        self.mlp = nn.ModuleDict({name: nn.Linear(*size, bias=False) for name, size in sizes.items()})
        self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(16), nn.LayerNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.input_layernorm(x)
        x = x + self.self_attn["o_proj"](_attend(*(self.self_attn[f"{one}_proj"](y) for one in "qkv"), 6))
        y = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](functional.silu(self.mlp["gate_proj"](y)) * self.mlp["up_proj"](y))


class Llama(nn.Module):
    """Llama's layout: six query heads of four values, each pair with a key and a value of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens, self.lm_head = nn.Linear(5, 16, bias=False), nn.Linear(16, 5, bias=False)
        self.layers = nn.ModuleList(_LlamaBlock() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed_tokens(x)
        for block in self.layers:
            x = block(x)
        return self.lm_head(x)


class _BertLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        own = nn.ModuleDict({name: nn.Linear(16, 16) for name in ("query", "key", "value")})
        self.attention = nn.ModuleDict(
            {"self": own, "output": nn.ModuleDict({"dense": nn.Linear(16, 16), "LayerNorm": nn.LayerNorm(16)})}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(16, 40)})
        self.output = nn.ModuleDict({"dense": nn.Linear(40, 16), "LayerNorm": nn.LayerNorm(16)})

    def forward(self, x: Tensor) -> Tensor:
        own, out = self.attention["self"], self.attention["output"]
        x = out["LayerNorm"](x + out["dense"](_attend(own["query"](x), own["key"](x), own["value"](x), 4)))
        hidden = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](hidden))


class Bert(nn.Module):
    """BERT's layout."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings, self.layer = nn.Linear(5, 16), nn.ModuleList(_BertLayer() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embeddings(x)
        for layer in self.layer:
            x = layer(x)
        return x


#: network → shape of its inputs
INPUTS: dict[Callable[[], nn.Module], tuple[int, ...]] = {
    mlp: (7, 20), cnn: (7, 1, 10, 10), normed: (7, 1, 10, 10), ResNet: (7, 1, 10, 10),
    Encoder: (3, 6, 5), Gpt: (3, 6, 5), Llama: (3, 6, 5), Bert: (3, 6, 5),
}  # fmt: skip
#: values of an attention head
HEADS = {Encoder: 4, Gpt: 4, Llama: 4, Bert: 4}
