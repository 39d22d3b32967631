"""What the store makes of trainings that really happened, through `mvc commit`: raw bytes ÷ what the disk holds.

    python -m benchmarks.storage.train_gpt DIR        # some minutes
    python -m benchmarks.storage.size DIR [NPZ ...]

Every checkpoint of DIR/{scratch,frozen,bf16} is committed by itself, by the command line, into a repository of its own;
sizes are those that ``du`` counts of `.mvc`, once with all in it and once without the index, which can be rebuilt.
``moments``: whole training states, weights and Adam's moments. ``layout``: what the same tensors cost in other files.
Each NPZ is a population of small models as `benchmarks.trajectory.populations` keeps them; its first run's checkpoints
are committed at once, in float32 and cast.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from safetensors.torch import save_file as save_torch

_COUNT = 10


def mvc(root: Path, *arguments: str) -> None:
    command = [sys.executable, "-c", "from mvc.cli.main import main; main()", *arguments]
    subprocess.run(command, cwd=root, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def disk(root: Path, *, index: bool = True) -> int:
    """Bytes that ``du`` counts of a repository's store."""
    command = ["du", "-s", "--block-size=1", *([] if index else ["--exclude=index"]), ".mvc"]
    return int(subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split()[0])


def one_by_one(name: str, files: Sequence[Path], scratch: Path) -> Path:
    """Commits each file alone, and tells what that came to; returns the repository."""
    root = scratch / name
    root.mkdir()
    mvc(root, "init")
    raw = 0
    for file in files:
        place = root / file.name
        shutil.copyfile(file, place)
        mvc(root, "commit", place.name)
        raw += place.stat().st_size
    tell(name, len(files), raw, root)
    mvc(root, "gc", "--grace", "0")
    tell(f"{name}, after gc", len(files), raw, root)
    return root


def tell(name: str, count: int, raw: int, root: Path) -> None:
    whole, kept = disk(root), disk(root, index=False)
    print(
        f"| {name} | {count} | {raw / 1e6:.1f} | {kept / 1e6:.2f} | {raw / kept:.2f} | {raw / whole:.2f} |", flush=True
    )


def layouts(source: Path, scratch: Path) -> None:
    """A checkpoint, and its tensors again in other files."""
    root = scratch / "layout"
    root.mkdir()
    mvc(root, "init")
    shutil.copyfile(source, root / source.name)
    mvc(root, "commit", source.name)
    tensors = load_file(source)
    half = len(tensors) // 2
    names = list(tensors)

    def sharded(place: Path) -> None:
        place.mkdir()
        parts = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
        for part, own in parts.items():
            save_torch({name: tensors[name] for name in own}, place / part)
        weights = ", ".join(f'"{name}": "{part}"' for part, own in parts.items() for name in own)
        (place / "model.safetensors.index.json").write_text(f'{{"metadata": {{}}, "weight_map": {{{weights}}}}}')

    forms: dict[str, Callable[[Path], object]] = {
        "resharded": sharded,
        "reordered.pt": lambda place: torch.save({name: tensors[name].clone() for name in reversed(names)}, place),
        "renamed.safetensors": lambda place: save_torch({f"model.{name}": tensors[name] for name in names}, place),
        "moved.pt": lambda place: torch.save({name: tensors[name].clone() for name in names}, place),
    }
    size = source.stat().st_size
    for name, write in forms.items():
        write(root / name)
        before, index = disk(root, index=False), disk(root)
        mvc(root, "commit", name)
        cost, whole = disk(root, index=False) - before, disk(root) - index
        print(f"| {name} | {cost:,} | {100 * cost / size:.3f} % | {whole:,} |", flush=True)


def small(path: Path, scratch: Path) -> None:
    """One run of a population of small models, in three dtypes, each all at once."""
    weights = np.load(path, allow_pickle=True)["weights"].astype("f4")  # (runs, checkpoints, d)
    run = weights[0]
    for dtype in ("float32", "float16", "bfloat16"):
        kind = np.dtype(ml_dtypes.bfloat16) if dtype == "bfloat16" else np.dtype(dtype)
        root = scratch / f"{path.stem}-{dtype}"
        root.mkdir()
        mvc(root, "init")
        for number, row in enumerate(run):
            save_file({"w.weight": row.astype(kind).reshape(1, -1)}, root / f"{number:03}.safetensors")
        mvc(root, "commit", ".")
        raw = sum(file.stat().st_size for file in root.glob("*.safetensors"))
        tell(f"{path.stem}, {dtype}", len(run), raw, root)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("populations", type=Path, nargs="*")
    parser.add_argument("--only", nargs="*", default=["bf16", "frozen", "scratch", "moments", "small", "layout"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as name:
        scratch = Path(name)
        print("| population | checkpoints | raw, MB | stored, MB | raw ÷ stored | with the index |")
        print("|---|---|---|---|---|---|")
        for kind in (one for one in ("bf16", "frozen", "scratch") if one in given.only):
            one_by_one(kind, sorted((given.directory / kind).glob("*.safetensors"))[:_COUNT], scratch)
        if "moments" in given.only:
            one_by_one("moments", sorted((given.directory / "moments").glob("*.pt"))[:5], scratch)
        for path in given.populations if "small" in given.only else ():
            small(path, scratch)
        if "layout" in given.only:
            print("\n| the same tensors | bytes more | of a checkpoint | with the index |")
            print("|---|---|---|---|")
            layouts(given.directory / "scratch" / f"{_COUNT - 1:02}.safetensors", scratch)


if __name__ == "__main__":
    main()
