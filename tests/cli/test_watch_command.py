"""`mvc watch` as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

Invoke = Callable[..., tuple[int, str, str]]


def test_once(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"w": np.eye(4, dtype=np.float32)}, str(tmp_path / "a.safetensors"))
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04half")
    assert invoke("init")[0] == 0
    code, out, err = invoke("watch", "--once", "--settle", "0.1", "--run", "one")
    assert code == 0 and "starts" in out and "one@0" in out
    assert "waiting:" in err and "half.npz" in err
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(content[:-1])
    code, out, _ = invoke("watch", "--once", "--settle", "0", "--json")
    told = json.loads(out)
    assert code == 1 and told["schema"] == "mvc.watch/v1" and told["commits"] == []
    assert [Path(item["path"]).name for item in told["failed"]] == ["cut.safetensors"]
    assert invoke("watch", "nowhere")[0] == 2


def test_until_it_is_interrupted(tmp_path: Path) -> None:
    save_file({"w": np.eye(4, dtype=np.float32)}, str(tmp_path / "a.safetensors"))
    program = [sys.executable, "-m", "mvc"]
    subprocess.run([*program, "init"], cwd=tmp_path, check=True, capture_output=True)
    command = [*program, "watch", "--settle", "0", "--interval", "0.1", "--json"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert [row["path"] for row in json.loads(process.stdout.readline())["commits"]] == ["a.safetensors"]
        process.send_signal(signal.SIGINT)
        assert "1 checkpoint committed" in process.stderr.read()
        assert process.wait() == 130
