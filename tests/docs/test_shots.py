"""Pictures of a terminal show what stays on it."""

from __future__ import annotations

from demo.shots import settled


def test_progress_that_was_taken_away_is_not_in_the_picture() -> None:
    bar = "\x1b[?25lchecking ━━╸ 1/2\r\x1b[2Kchecking ━━━ 2/2\r\n\x1b[1A\x1b[2K\x1b[?25h"
    assert settled(f"{bar}\x1b[32mpass\x1b[0m  a\r\n{bar}2 checked\r\n") == "\x1b[32mpass\x1b[0m  a\n2 checked\n"
