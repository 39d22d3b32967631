"""`mvc zoo import`: a published zoo becomes checkpoint files, or commits whose runs are lineages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from mvc.zoo.unterthiner import read_unterthiner
from tests.cli.conftest import Invoke
from tests.zoo.published import EPOCHS, write_zoo


def test_a_published_zoo_becomes_files_and_commits(tmp_path: Path, invoke: Invoke) -> None:
    write_zoo(tmp_path / "mnist", models=7)
    zoo = read_unterthiner(tmp_path / "mnist")
    at = ("-C", str(tmp_path))
    assert invoke(*at, "init", "kept")[0] == 0
    code, out, err = invoke(*at, "zoo", "import", "mnist", "--into", "kept", "-o", "files")
    assert (code, err) == (0, "") and "15 checkpoints of 5 runs in" in out and "15 new commits in" in out
    truth = json.loads((tmp_path / "files-truth.json").read_text())
    for number, weights in enumerate(zoo.weights):
        run = truth["runs"][f"mnist-{number:03d}"]
        assert (run["card"], run["seed"]) == ("mnist", 42)
        assert run["hyperparameters"]["lr"] == zoo.facts["lr"][number]
        assert run["hyperparameters"]["activation"] == zoo.facts["activation"][number]
        for place, epoch in enumerate(EPOCHS):
            name = f"mnist-{number:03d}/checkpoint-{place:03d}.safetensors"
            tensors = load_file(tmp_path / "files" / name)
            assert np.array_equal(np.concatenate([tensors[one].ravel() for one in zoo.shapes]), weights[place])
            assert truth["files"][name]["epoch"] == epoch and "f1_0" not in truth["files"][name]
    code, out, _ = invoke("-C", str(tmp_path / "kept"), "log", "--json")
    lineages = {row["name"]: row for row in json.loads(out)["lineages"]}
    assert sorted(lineages) == [f"mnist-{number:03d}" for number in range(5)]
    assert [commit["step"] for commit in lineages["mnist-003"]["commits"]] == list(EPOCHS)
    code, out, _ = invoke(*at, "zoo", "import", "mnist", "--into", "kept", "--models", "2", "--json")
    result = json.loads(out)
    assert result["schema"] == "mvc.zoo-import/v1" and (result["runs"], result["committed"]) == (2, 0)


def test_mistakes_of_an_import_are_one_error(tmp_path: Path, invoke: Invoke) -> None:
    write_zoo(tmp_path / "mnist")
    for wrong, message in (
        (("mnist",), "would go nowhere"),
        (("none", "-o", "out"), "no weights.npy in"),
        (("mnist", "-o", "out", "--models", "9"), "has 2 whole models"),
        (("mnist", "-o", "mnist"), "is not empty"),
        (("mnist", "--into", "nowhere"), "not in an mvc repository"),
    ):
        code, out, err = invoke("-C", str(tmp_path), "zoo", "import", *wrong)
        assert code == 2 and out == "" and message in err and err.count("error:") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mnist"]
