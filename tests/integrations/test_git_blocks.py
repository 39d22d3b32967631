"""Lines of ours in others' files come out again without a trace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mvc.integrations.git.blocks import has_block, with_block, without_block

TEXTS = st.lists(st.sampled_from([b"*.txt text", b"", b"[core]", b"\tbare = false\r", b"# <<< mvc", b"\xff\x00"])).map(
    b"\n".join
) | st.binary(max_size=40)
LINES = st.lists(st.sampled_from(["*.npz diff=mvc", "[include]", "\tpath = mvc/config", ""]), max_size=4)


@given(TEXTS, LINES, LINES)
def test_in_and_out(text: bytes, lines: list[str], others: list[str]) -> None:
    once = with_block(text, lines)
    assert has_block(once) and not has_block(text)
    assert with_block(once, lines) == once
    assert with_block(with_block(text, others), lines) == once
    assert without_block(once, lines) == text
    assert without_block(text, lines) == text


@given(
    st.lists(st.sampled_from(["a", "[b]", "\tc = d", ""]), max_size=4).map(
        lambda lines: "".join(f"{x}\n" for x in lines)
    )
)
def test_what_comes_after_stays(more: str) -> None:
    text = b"first\nlast without an end"
    assert without_block(with_block(text, ["x"]) + more.encode(), ["x"]) in (
        text + more.encode(),  # nothing came after
        text + b"\n" + more.encode(),
    )


def test_lines_that_others_put_between_keep_their_section() -> None:
    text = with_block(b"[core]\n", ["[include]", "\tpath = ours"]).replace(
        b"\tpath = ours\n", b"\tpath = ours\n\tpath = theirs\n"
    )
    assert without_block(text, ["[include]", "\tpath = ours"]) == b"[core]\n[include]\n\tpath = theirs\n"
