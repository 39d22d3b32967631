"""An embedder's bytes: canonical, and nothing that is not one is taken for one."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.recipes import Recipe
from mvc.errors import FormatError

SHAPES = {"fc1.weight": (5, 8), "fc2.weight": (3, 5)}
SMALL = Recipe("small", statistics=True, width=16, heads=2, feedforward=24, latent=8, projection=(8, 4), loss="E_cD")


@pytest.fixture(scope="module")
def raw() -> bytes:
    return Embedder(SHAPES, SMALL, facts={"models": 3}).to_bytes()


def _with(raw: bytes, change: dict[str, object]) -> bytes:
    """The same tensors with other facts."""
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    facts = json.loads(header["__metadata__"]["mvc"])
    for key, value in change.items():
        at = facts
        *path, last = key.split(".")
        for part in path:
            at = at[part]
        at[last] = value
    header["__metadata__"]["mvc"] = json.dumps(facts)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + raw[8 + length :]


def test_bytes_go_there_and_back(raw: bytes) -> None:
    embedder = from_bytes(raw)
    assert embedder.to_bytes() == raw == from_bytes(_with(raw, {})).to_bytes()
    assert embedder.recipe == SMALL and dict(embedder.shapes) == SHAPES and list(embedder.shapes) == list(SHAPES)
    assert embedder.facts == {"models": 3}
    weights = np.random.default_rng(0).normal(size=(4, 55))
    assert np.array_equal(from_bytes(embedder.to_bytes()).embed(weights), embedder.embed(weights))


def test_reading_and_embedding_imports_no_compiler(tmp_path: Path) -> None:
    """torch's compiler takes as long to import as the rest of torch, and draws nothing but initial values."""
    for recipe in (SMALL, replace(SMALL, encoder="invariant", loss="E_c"), replace(SMALL, tokens="weight")):
        (tmp_path / f"{recipe.encoder}-{recipe.tokens}").write_bytes(Embedder(SHAPES, recipe).to_bytes())
    code = (
        "import sys; from pathlib import Path; import numpy as np; from mvc.embedding.embedder import from_bytes;"
        "[from_bytes(file.read_bytes()).embed(np.zeros((2, 55))) for file in Path(sys.argv[1]).iterdir()];"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "soup"}, {"version": 2}, {"recipe": 3}, {"recipe": {}}, {"recipe.width": 1 << 50},
        {"recipe.width": 32}, {"recipe.blocks": 60_000}, {"recipe.encoder": "os.system"}, {"recipe.width": None},
        {"shapes": []}, {"shapes": [["fc1.weight", [5, -8]]]}, {"shapes": "x"}, {"facts": 1},
        {"shapes": [["fc1.weight", [1 << 40, 8]], ["fc2.weight", [3, 1 << 40]]]},
        {"shapes": [["fc1.weight", [1000, 800]], ["fc2.weight", [3, 1000]]]},
    ],
    ids=str,
)  # fmt: skip
def test_facts_that_do_not_fit_are_damage(raw: bytes, change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        from_bytes(_with(raw, change))


def test_no_other_bytes_are_an_embedder(raw: bytes) -> None:
    for other in (b"", b"\x00" * 8, raw[:100], raw[:-1], raw + b"x", b"PK\x03\x04" + raw):
        with pytest.raises(FormatError):
            from_bytes(other)
    broken = bytearray(raw)
    broken[-4:] = struct.pack("<f", float("nan"))
    with pytest.raises(FormatError, match="not finite"):
        from_bytes(bytes(broken))


def test_flipped_bits_end_in_an_embedder_or_an_error(raw: bytes) -> None:
    rng = np.random.default_rng(0)
    for place in [*range(0, 600, 7), *rng.integers(0, len(raw), 40)]:
        broken = bytearray(raw)
        broken[place] ^= 1 << int(rng.integers(8))
        try:
            found = from_bytes(bytes(broken))
        except FormatError:
            continue
        assert found.to_bytes() == bytes(broken)  # what is taken is an embedder of its own
