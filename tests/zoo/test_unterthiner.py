"""The public zoos' reader, on a small zoo written in their layout."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from mvc.errors import FormatError, InputError, NotFoundError
from mvc.zoo import unterthiner
from mvc.zoo.unterthiner import read_unterthiner
from tests.zoo.published import EPOCHS, as_csv, write_zoo


def test_whole_models_are_read_in_pytorchs_layout(tmp_path: Path) -> None:
    weights, rows = write_zoo(tmp_path)
    zoo = read_unterthiner(tmp_path)
    assert dict(zoo.shapes) == {
        "conv1.weight": (3, 1, 2, 2), "conv1.bias": (3,), "fc1.weight": (4, 3), "fc1.bias": (4,)
    }  # fmt: skip
    assert zoo.epochs.tolist() == [0, 1, 20] and zoo.weights.shape == (2, 3, 31)
    for place, model in enumerate((0, 3)):
        for checkpoint, epoch in enumerate(EPOCHS):
            (row,) = [n for n, row in enumerate(rows) if row["modeldir"][-1] == str(model) and row["step"] == epoch]
            theirs, ours = weights[row], zoo.weights[place, checkpoint]
            kernel = theirs[3:15].reshape(2, 2, 1, 3)
            for out in range(3):
                assert np.array_equal(ours[4 * out : 4 * out + 4].reshape(2, 2), kernel[:, :, 0, out])
            assert np.array_equal(ours[12:15], theirs[:3])
            assert np.array_equal(ours[15:27].reshape(4, 3), theirs[19:31].reshape(3, 4).T)
            assert np.array_equal(ours[27:], theirs[15:19])


def test_facts_are_the_tables(tmp_path: Path) -> None:
    write_zoo(tmp_path)
    facts = read_unterthiner(tmp_path).facts
    assert facts["lr"].tolist() == [1.0, 0.001] and facts["weight_decay"] == pytest.approx([0, 3e-4])
    assert facts["activation"].tolist() == ["tanh", "relu"] and set(facts["init"]) == {"glorot_normal"}
    assert facts["fraction"].tolist() == [0.25] * 2 and facts["optimiser"].tolist() == ["adam"] * 2
    assert facts["gap"] == pytest.approx(np.array([[0, 0.01, 0.2]] * 2), abs=1e-6)
    assert "f1" not in facts


def test_a_part_is_the_first_models(tmp_path: Path) -> None:
    write_zoo(tmp_path)
    whole = read_unterthiner(tmp_path)
    assert np.array_equal(read_unterthiner(tmp_path, models=1).weights, whole.weights[:1])
    with pytest.raises(InputError, match="2 whole models"):
        read_unterthiner(tmp_path, models=3)


def test_damage_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match=r"no weights\.npy"):
        read_unterthiner(tmp_path / "none")

    def spoilt(name: str, content: bytes) -> Path:
        directory = tmp_path / "zoo"
        write_zoo(directory)
        (directory / name).write_bytes(content)
        return directory

    objects = io.BytesIO()
    np.save(objects, np.array([{}]), allow_pickle=True)
    layout = as_csv([{"varname": "a/kernel:0", "start_idx": 0, "end_idx": 31, "shape": "(31,)"}])
    short = as_csv([{"varname": "a/kernel:0", "start_idx": 0, "end_idx": 30, "shape": "(5, 6)"}])
    for name, content, message in (
        ("weights.npy", objects.getvalue(), "is no array"),
        ("weights.npy", b"\x93NUMPY", "is no array"),
        ("metrics.csv.gz", gzip.compress(b"modeldir,step\na,0\n"), "11 rows of weights, 1 of metrics"),
        ("metrics.csv.gz", gzip.compress(b"modeldir,step\n" + b"a,x\n" * 11), "lack modeldir or step"),
        ("metrics.csv.gz", gzip.compress(b"modeldir,step\n" + b"a,1\n" * 11), "lack a column"),
        ("metrics.csv.gz", gzip.compress(b"\xff\xfe"), "is no table"),
        ("metrics.csv.gz", b"no gzip", "cannot be read"),
        ("layout.csv", layout, "not understood"),
        ("layout.csv", short, "each of 31 columns"),
        ("layout.csv", b"varname\na\n", "not understood"),
    ):
        with pytest.raises(FormatError, match=message):
            read_unterthiner(spoilt(name, content))
    monkeypatch.setattr(unterthiner, "_LIMIT", 1000)
    with pytest.raises(FormatError, match="more than 1,000 bytes"):
        read_unterthiner(spoilt("metrics.csv.gz", gzip.compress(b"0" * 10_000_000)))
