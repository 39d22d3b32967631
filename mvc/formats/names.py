"""Names of tensors. Owns which names are possible, how two equal ones are told apart and which prefixes are dropped.

Refuses empty names, NUL, names that are not Unicode text, and names longer than MAX_NAME characters. Control
characters are allowed: whoever prints a name escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mvc.errors import FormatError
from mvc.formats.source import printable

MAX_NAME = 4096
#: the one entry that weight averaging puts beside the wrapped model's own
_BESIDE_WRAPPER = frozenset({"n_averaged"})


def check_name(name: str) -> str:
    """The name itself. Raises FormatError for one that cannot name a tensor."""
    if not name:
        raise FormatError("a tensor has an empty name", hint="give every tensor a name of 1 to 4096 characters")
    if len(name) > MAX_NAME:
        raise FormatError(
            f"a tensor's name has {len(name)} characters: {printable(name)}",
            hint=f"names of up to {MAX_NAME} characters are read",
        )
    if "\0" in name:
        raise FormatError(f"the tensor name {printable(name)} contains NUL", hint="rename the tensor")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise FormatError(f"the tensor name {printable(name)} is not Unicode text", hint="rename the tensor") from None
    return name


def make_unique(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, later ones of equal names numbered ``name~2``, ``name~3``, …; none of them in ``taken``."""
    seen = set(taken)
    counts: dict[str, int] = {}
    result = []
    for name in names:
        unique = name
        while unique in seen:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}~{counts[name]}"
        seen.add(unique)
        result.append(unique)
    return result


def canonical_names(names: Sequence[str]) -> list[str]:
    """Names without what training wrappers put in front: DataParallel's ``module.``, torch.compile's ``_orig_mod.``.

    ``module.`` goes where every name of the model has it, so that a model's own attribute of that name stays;
    ``_orig_mod`` goes anywhere, since torch.compile may wrap any submodule. Where two names would become one, both
    stay whole.
    """
    short = [_without_compile(name) for name in names]
    while True:
        wrapped = [name for name in short if name not in _BESIDE_WRAPPER]
        if not wrapped or not all(name.startswith("module.") and len(name) > 7 for name in wrapped):
            break
        short = [name.removeprefix("module.") if name not in _BESIDE_WRAPPER else name for name in short]
    counts: dict[str, int] = {}
    for name in short:
        counts[name] = counts.get(name, 0) + 1
    return make_unique(whole if counts[name] > 1 else name for whole, name in zip(names, short, strict=True))


def _without_compile(name: str) -> str:
    if "_orig_mod" not in name:
        return name
    return ".".join(part for part in name.split(".") if part != "_orig_mod") or name
