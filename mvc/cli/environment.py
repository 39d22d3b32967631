"""What the process was started in: the environment variables that mvc knows. Nothing else in mvc reads them."""

from __future__ import annotations

import os


def variable(name: str) -> str:
    return os.environ.get(name, "")


def colour_wanted() -> bool:
    """As https://no-color.org has it, and not on a terminal that cannot."""
    return not variable("NO_COLOR") and variable("TERM") != "dumb"


def moves() -> bool:
    """Whether a terminal can overwrite what it shows."""
    return variable("TERM") != "dumb"


def traceback_wanted() -> bool:
    return bool(variable("MVC_TRACEBACK"))


def pager() -> str:
    """Command line of the pager, '' for none, chosen as git does."""
    for name in ("MVC_PAGER", "GIT_PAGER", "PAGER"):
        if name in os.environ:
            command = variable(name).strip()
            return "" if command == "cat" else command
    return "less"


def pager_environment() -> dict[str, str]:
    """Environment for the pager: less leaves short output on the screen, keeps colours, does not wrap to nothing."""
    return {"LESS": "FRX", "LV": "-c", **os.environ}
