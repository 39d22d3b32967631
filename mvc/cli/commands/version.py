"""`mvc version`: which mvc this is, and what it runs on."""

from __future__ import annotations

import platform
from importlib import metadata

import click

from mvc.cli import output
from mvc.cli.options import json_option
from mvc.odb.kernel import COMPILED

#: what a report of a defect should name
_PACKAGES = ("numpy", "scipy", "torch", "safetensors", "sqlalchemy", "click")


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Print the version of mvc, of Python and of the packages that matter: what a report of a defect should say."""
    packages = {name: metadata.version(name) for name in _PACKAGES}
    result = {
        "version": metadata.version("modelvc"),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "packages": packages,
        "kernel": "compiled" if COMPILED else "numpy",
    }
    if as_json:
        output.emit_json(result, "version")
        return
    named = ", ".join(f"{name} {version}" for name, version in packages.items())
    kernel = "compiled" if COMPILED else "not compiled: NumPy does it, in twice the time"
    output.emit_lines(
        [f"mvc {result['version']}", f"Python {result['python']} on {result['system']}", named, f"kernel {kernel}"]
    )
