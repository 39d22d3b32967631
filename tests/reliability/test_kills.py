"""kill -9 at any moment of any change (rows 28 and 31), with real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvc.testing.kills import kill_loop


@pytest.mark.parametrize("seed", range(2))
def test_thirty_kills(tmp_path: Path, seed: int) -> None:
    tally = kill_loop(tmp_path, 15, seed)
    assert tally.kills == 15 and tally.acknowledged > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_three_hundred_kills(tmp_path: Path, seed: int) -> None:
    tally = kill_loop(tmp_path, 30, seed)
    assert tally.kills == 30 and tally.acknowledged > 0
