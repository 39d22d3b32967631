"""What every format must do, once: each format inherits the same suite."""

from __future__ import annotations

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvc.errors import FormatError, MvcError
from mvc.formats import open_checkpoint
from mvc.objects import read_array, tensor_id
from tests.formats.makers import (
    NUMPY_NAMES,
    Arrays,
    check_checkpoint,
    sample_arrays,
    torch_state,
    write_safetensors,
    write_torch,
)


class FormatContract:
    """Inherit and say how the format is written."""

    #: dtypes that the format's own library can write
    dtypes = tuple(name for name in NUMPY_NAMES if not name.startswith(("F8", "BF")))
    #: what the file calls its format
    format = ""

    def write(self, directory: Path, arrays: Arrays) -> Path:
        raise NotImplementedError

    def test_names_specs_and_bytes(self, tmp_path: Path) -> None:
        arrays = sample_arrays()
        with open_checkpoint(self.write(tmp_path, arrays)) as checkpoint:
            check_checkpoint(checkpoint, arrays)
            assert self.format in {file.format for _, file in checkpoint.files}

    def test_arrays_are_read_only_and_equal(self, tmp_path: Path) -> None:
        arrays = sample_arrays()
        with open_checkpoint(self.write(tmp_path, arrays)) as checkpoint:
            for name, expected in arrays.items():
                array = read_array(checkpoint, name)
                np.testing.assert_array_equal(array, expected)
                assert not array.flags.writeable

    def test_ids_depend_on_content_alone(self, tmp_path: Path) -> None:
        arrays = sample_arrays()
        reference = tmp_path / "reference"
        reference.mkdir()
        with (
            open_checkpoint(self.write(tmp_path, arrays)) as here,
            open_checkpoint(write_safetensors(reference / "r", arrays)) as there,
        ):
            for name in arrays:
                assert here.object_id(name) == there.object_id(name)
                assert here.object_id(name) == tensor_id(here.specs[name], here.read(name))

    @pytest.mark.parametrize("dtype", list(NUMPY_NAMES))
    def test_dtypes(self, tmp_path: Path, dtype: str) -> None:
        if dtype not in self.dtypes:
            pytest.skip("the format's library has no such dtype")
        kind = np.dtype(NUMPY_NAMES[dtype])
        raw = np.arange(6 * kind.itemsize, dtype=np.uint8)
        array = (raw % 2 if dtype == "BOOL" else raw).view(kind).reshape(3, 2)
        with open_checkpoint(self.write(tmp_path, {"w": array})) as checkpoint:
            assert checkpoint.specs["w"].dtype == dtype
            check_checkpoint(checkpoint, {"w": array})

    def test_every_truncation_is_one_clean_error(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, {"w": np.arange(8, dtype=np.float32), "b": np.ones(2, dtype=np.float32)})
        victim = next(iter(sorted(path.glob("*.safetensors")))) if path.is_dir() else path
        whole = victim.read_bytes()
        for length in range(0, len(whole), max(1, len(whole) // 60)):
            victim.write_bytes(whole[:length])
            with pytest.raises(FormatError), open_checkpoint(path):
                pass

    def test_flipped_bytes_never_escape(self, tmp_path: Path) -> None:
        """Any one byte changed: read as it is, or refused with one of our errors."""
        path = self.write(tmp_path, {"w": np.arange(8, dtype=np.float32)})
        victim = next(iter(sorted(path.glob("*.safetensors")))) if path.is_dir() else path
        whole = victim.read_bytes()
        for at in range(0, len(whole), max(1, len(whole) // 400)):
            victim.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
            try:
                with open_checkpoint(path) as checkpoint:
                    for name in checkpoint.specs:
                        checkpoint.read(name)
            except MvcError as error:
                assert error.message and error.message.isascii()


class TestSafetensors(FormatContract):
    format = "safetensors"
    dtypes = tuple(name for name in NUMPY_NAMES if not name.startswith("C128"))

    def write(self, directory: Path, arrays: Arrays) -> Path:
        return write_safetensors(directory / "m.bin", arrays)


class TestTorchZip(FormatContract):
    format = "torch-zip"
    dtypes = tuple(NUMPY_NAMES)

    def write(self, directory: Path, arrays: Arrays) -> Path:
        return write_torch(directory / "m.safetensors", torch_state(arrays))  # the name says nothing


class TestTorchWrapped(FormatContract):
    """As training loops save it: wrapped, prefixed, beside an optimizer."""

    format = "torch-zip"
    dtypes = tuple(NUMPY_NAMES)

    def write(self, directory: Path, arrays: Arrays) -> Path:
        state = {f"module._orig_mod.{name}": tensor for name, tensor in torch_state(arrays).items()}
        parameter = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.Adam([parameter])
        parameter.sum().backward()
        optimizer.step()
        value = {"epoch": 3, "optimizer": optimizer.state_dict(), "model": state, "ema": {"shadow": torch.ones(2)}}
        return write_torch(directory / "m.pt", value)

    def test_roles(self, tmp_path: Path) -> None:
        with open_checkpoint(self.write(tmp_path, sample_arrays())) as checkpoint:
            ((_, file),) = checkpoint.files
            roles = {tensor.name: tensor.role for tensor in file.tensors}
            assert roles["ema.shadow"] == "other"
            assert roles["optimizer.state.0.exp_avg"] == "optimizer"
            assert checkpoint.facts == {"step": 3.0}


class TestTorchLegacy(FormatContract):
    format = "torch-legacy"
    dtypes = tuple(NUMPY_NAMES)

    def write(self, directory: Path, arrays: Arrays) -> Path:
        return write_torch(directory / "m.pt", torch_state(arrays), legacy=True)


class TestNpz(FormatContract):
    format = "npz"

    def write(self, directory: Path, arrays: Arrays) -> Path:
        with (directory / "m.npz").open("wb") as stream:
            np.savez(stream, **{"file": np.ones(1)} if not arrays else dict(arrays))
        return directory / "m.npz"


class TestNpzCompressed(FormatContract):
    format = "npz"

    def write(self, directory: Path, arrays: Arrays) -> Path:
        with (directory / "m.npz").open("wb") as stream:
            np.savez_compressed(stream, **dict(arrays))
        return directory / "m.npz"


class TestSharded(FormatContract):
    format = "safetensors"
    dtypes = TestSafetensors.dtypes

    def write(self, directory: Path, arrays: Arrays) -> Path:
        names = sorted(arrays)
        parts = [names[::2], names[1::2]] if len(names) > 1 else [names]
        weight_map = {}
        for number, part in enumerate(parts):
            shard = f"model-{number + 1:05}-of-{len(parts):05}.safetensors"
            write_safetensors(directory / shard, {name: arrays[name] for name in part})
            weight_map.update(dict.fromkeys(part, shard))
        total = sum(array.nbytes for array in arrays.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (directory / "model.safetensors.index.json").write_text(json.dumps(index))
        return directory


def test_bfloat16_bits_survive_a_change_of_format(tmp_path: Path) -> None:
    array = np.arange(256, dtype=np.uint16).view(ml_dtypes.bfloat16)
    paths = [
        write_safetensors(tmp_path / "a", {"w": array}),
        write_torch(tmp_path / "b", torch_state({"w": array})),
        write_torch(tmp_path / "c", torch_state({"w": array}), legacy=True),
    ]
    ids = set()
    for path in paths:
        with open_checkpoint(path) as checkpoint:
            ids.add(checkpoint.object_id("w"))
    assert len(ids) == 1


_NAMES = st.text(st.characters(exclude_characters="\0/\\", exclude_categories=["Cs"]), min_size=1, max_size=12)
_FORMATS = [TestSafetensors, TestTorchZip, TestTorchWrapped, TestTorchLegacy, TestNpz, TestNpzCompressed, TestSharded]


@st.composite
def _models(draw: st.DrawFn) -> dict[str, np.ndarray]:
    kinds = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_, np.complex64])
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
    return draw(st.dictionaries(_NAMES, kinds.flatmap(lambda kind: hnp.arrays(kind, shapes)), min_size=1, max_size=5))


@settings(max_examples=40, deadline=None)
@given(model=_models(), contract=st.sampled_from(_FORMATS))
def test_arbitrary_tensors(
    tmp_path_factory: pytest.TempPathFactory, model: dict[str, np.ndarray], contract: type[FormatContract]
) -> None:
    reserved = ("file", "allow_pickle", "__metadata__")  # NumPy's arguments, safetensors' own key
    arrays = {name: array.copy(order="C") for name, array in model.items() if name not in reserved}
    arrays = arrays or {"w": np.ones(1)}
    with open_checkpoint(contract().write(tmp_path_factory.mktemp("any"), arrays)) as checkpoint:
        check_checkpoint(checkpoint, arrays)
