"""The GPT of real size, here a small one: it learns, is what its seed says, and leaves alone what is to stay."""

from __future__ import annotations

from dataclasses import replace

import torch

from mvc.zoo.gpt import GPT, GPT_BYTES, GPTRun, library_text

SMALL = replace(GPT_BYTES, layers=2, width=20, context=16, batch=4, warmup=1, lr=3e-3)


def test_the_card_has_the_size_that_it_says() -> None:
    assert sum(weight.numel() for weight in GPT(GPT_BYTES, 0).parameters()) == 10_046_080


def test_it_learns_and_is_the_same_again() -> None:
    text = library_text(20_000)
    runs = [GPTRun(SMALL, text) for _ in range(2)]
    losses = [[run.train(10) for _ in range(4)] for run in runs]
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0] - 0.5
    assert all(torch.equal(a, b) for a, b in zip(runs[0].weights().values(), runs[1].weights().values(), strict=True))


def test_the_last_block_alone_learns() -> None:
    run = GPTRun(replace(SMALL, trained_blocks=1), library_text(20_000))
    before = run.weights()
    run.train(2)
    changed = {name for name, weight in run.weights().items() if not torch.equal(weight, before[name])}
    assert changed
    assert all(name.startswith("blocks.1.") for name in changed)


def test_a_byte_is_told_from_those_before_it_alone() -> None:
    model = GPT(SMALL, 0)
    text = torch.randint(256, (1, 16), generator=torch.Generator().manual_seed(0))
    other = text.clone()
    other[0, 10:] = 7
    with torch.no_grad():
        assert torch.allclose(model(text)[0, :10], model(other)[0, :10], atol=1e-5)
