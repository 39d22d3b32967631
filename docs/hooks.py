"""For mkdocs: pages link to measurements and source files beside docs/. The measurements become pages of the site; what
is no page is named instead of linked.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds every result of a benchmark as ``benchmarks/…``."""
    for path in sorted((ROOT / "benchmarks").rglob("*.md")):
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Points links at where the site has the file, and takes those out that leave it."""
    here = page.file.src_uri
    if here.startswith("benchmarks/"):
        page.meta.setdefault("search", {"boost": 0.2})  # whoever searches wants to do something, mostly
    place = here if here.startswith("benchmarks/") else f"docs/{here}"

    def moved(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        if ":" in target:
            return found[0]
        real = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
        uri = real.removeprefix("docs/")
        if real.startswith(("docs/", "benchmarks/")) and files.get_file_from_path(uri) is not None:
            return f"[{words}]({posixpath.relpath(uri, posixpath.dirname(here) or '.')}{anchor})"
        return words if (ROOT / real).exists() else found[0]  # what is nowhere, mkdocs complains of

    return _LINK.sub(moved, markdown)
