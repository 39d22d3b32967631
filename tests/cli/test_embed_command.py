"""`mvc embed` as a user runs it, with a real embedder, trained for a second or two."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mvc.cli import main

Invoke = Callable[..., tuple[int, str, str]]
RUNS, POINTS = 6, 12


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a small network from beginnings of their own: more commits than `identify` would match."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MVC_AUTHOR", "A Tester <t@example.org>")
    shapes = {"fc1.weight": (12, 20), "fc1.bias": (12,), "fc2.weight": (5, 12)}
    (tmp_path / "ck").mkdir()
    for run in range(RUNS):
        rng = np.random.default_rng(run)
        now, goal = ({name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(2))
        for place in range(POINTS):
            arrays = {name: value.astype(np.float32) for name, value in now.items()}
            save_file(arrays, tmp_path / "ck" / f"{run}-{place:02}.safetensors")
            now = {name: now[name] + 0.1 * (goal[name] - now[name] + rng.normal(size=s)) for name, s in shapes.items()}
    assert main.run(["init"]) == 0 and main.run(["commit", "ck"]) == 0
    return tmp_path


def test_from_training_to_a_permuted_copy(repo: Path, invoke: Invoke) -> None:
    assert invoke("embed", "list")[:2] == (0, "")
    code, out, _ = invoke("embed", "train", "--minutes", "0.03", "--json")
    trained = json.loads(out)
    assert code == 0 and trained["schema"] == "mvc.embed-train/v1" and not trained["resumed"]
    row = trained["embedder"]
    assert (row["recipe"], row["lineages"], row["checkpoints"], row["in_use"]) == (
        "invariant",
        RUNS,
        RUNS * POINTS,
        True,
    )
    assert row["figures"]["loss"] > 0
    listed = json.loads(invoke("embed", "list", "--json")[1])
    assert listed == {"schema": "mvc.embed-list/v1", "embedders": [row]}
    assert row["name"] in invoke("embed", "list")[1] and row["commits"] is None
    [known] = json.loads(invoke("embed", "list", row["name"], "--json")[1])["embedders"]
    assert len(known.pop("commits")) == RUNS * POINTS and known.items() <= row.items()

    model = load_file(repo / "ck" / "3-07.safetensors")
    order = np.random.default_rng(0).permutation(12)
    moved = {"fc1.weight": model["fc1.weight"][order], "fc1.bias": model["fc1.bias"][order]}
    save_file({**moved, "fc2.weight": np.ascontiguousarray(model["fc2.weight"][:, order])}, repo / "copy.safetensors")
    code, out, _ = invoke("embed", "apply", "ck/3-07.safetensors", "copy.safetensors", "--json")
    applied = json.loads(out)
    assert code == 0 and applied["schema"] == "mvc.embed-apply/v1" and applied["output"] is None
    first, second = (np.array(one["latent"]) for one in applied["latents"])
    assert all((one["commit"], one["lineage"], one["position"]) == (None, None, None) for one in applied["latents"])
    [head] = json.loads(invoke("embed", "apply", "HEAD", "--json")[1])["latents"]
    assert f"{head['commit'][:8]}  {head['lineage']}@{head['position']}" in invoke("embed", "apply", "HEAD")[1]
    assert np.allclose(first, second, atol=1e-4) and {one["embedder"] for one in applied["latents"]} == {row["id"]}
    match = json.loads(invoke("identify", "copy.safetensors", "--json")[1])["results"][0]["match"]
    assert match["transform"] == "permuted" and match["evidence"] == {"embedder": row["name"], "neighbour": 1}
    assert f"neighbour 1 in the latent space of embedder {row['name']}" in invoke("identify", "copy.safetensors")[1]

    assert json.loads(invoke("embed", "kin", "--json")[1])["runs"] == []
    save_file(
        {**moved, "fc2.weight": np.ascontiguousarray(model["fc2.weight"][:, order] * 1.01)}, repo / "on.safetensors"
    )
    assert invoke("commit", "on.safetensors")[0] == 0
    code, out, _ = invoke("embed", "kin", "--json")
    [run] = json.loads(out)["runs"]
    assert len(run["lineages"]) == 2 and run["links"][0]["beyond"] > 0.9
    [link], said = run["links"], invoke("embed", "kin")[1]
    assert f"{link['a_at']} has its units in another order than {link['b_at']}" in said
    names = {link[at].partition("@")[0] for at in ("a_at", "b_at")}
    assert names == {*run["lineages"]} and "joined to these by forks" not in said

    assert invoke("embed", "apply", "-o", "out.npz")[:2] == (0, f"{RUNS * POINTS + 1} latents in out.npz\n")
    with np.load(repo / "out.npz") as file:
        assert file["latents"].shape == (RUNS * POINTS + 1, 64) and len({*file["names"].tolist()}) == RUNS * POINTS + 1
    assert invoke("embed", "apply", "-o", "out.npz")[0] == 2
    assert invoke("embed", "remove", row["name"])[:2] == (0, f"removed {row['name']}\n")
    assert invoke("embed", "apply")[0] == 2 and invoke("fsck")[0] == 0


def test_refusals(repo: Path, invoke: Invoke) -> None:
    for args, words in (
        (("--minutes", "-1"), "positive number"),
        (("--card", "none"), "no embedding recipe is called 'none'"),
        (("--from", "nowhere"), "names no commit"),
    ):
        code, out, err = invoke("embed", "train", *args)
        assert (code, out) == (2, "") and words in err
    assert not (repo / ".mvc" / "training").exists()
