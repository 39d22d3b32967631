"""Memory that a commit takes: that of a few tensors, however many a checkpoint has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

#: the most that the process ever held; ru_maxrss would count what the process that started it held
_CODE = """
import sys
from mvc.cli.main import run
code = run(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("PEAK", 1024 * int(peak.split()[1]), file=sys.stderr)
sys.exit(code)
"""


def peak(root: Path, *arguments: str) -> int:
    """Bytes resident at most."""
    command = [sys.executable, "-c", _CODE, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return int(done.stderr.split("PEAK")[1])


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [(40_000_000, 3), (7_000_000, 9)], ids=["large", "small"])
def test_commit_and_checkout_hold_a_few_tensors(tmp_path: Path, size: int, count: int) -> None:
    bound = 3 * size + 200_000_000
    rng = np.random.default_rng(0)
    weights = {f"{i}.weight": 0.02 * rng.standard_normal((size // 4000, 1000), np.float32) for i in range(count)}
    peak(tmp_path, "init")
    for number in range(3):
        save_file(weights, str(tmp_path / f"{number}.safetensors"))
        for values in weights.values():
            values += 1e-4 * rng.standard_normal(values.shape, np.float32)
        assert peak(tmp_path, "commit", f"{number}.safetensors") <= bound
    for path in tmp_path.glob("*.safetensors"):
        path.unlink()  # what the tensors rest on is in the store alone
    assert peak(tmp_path, "checkout", "HEAD", "-o", "again") <= bound
