"""git's own configuration files, read as git reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mvc.formats.git_settings import parse_settings

TEXT = r"""
[core] bare = false ; a comment
# [lfs] storage = no
[LFS]
	Storage = "a \"b\" \\c" d  # more
	empty =
	flag
[includeIf "gitdir:~/work/"]
	path = ~/x
[remote "a.b\"c"] url = one \
two
[user]
	name = Ann; Bo
	name = "Ann # L" ; the last
"""


def test_what_git_reads_is_read(tmp_path: Path) -> None:
    found = parse_settings(TEXT)
    assert found["lfs.storage"] == 'a "b" \\c d' and found["user.name"] == "Ann # L" and found["lfs.flag"] == "true"
    assert found['remote.a.b"c.url'] == "one two" and found["includeif.gitdir:~/work/.path"] == "~/x"
    if shutil.which("git"):
        file = tmp_path / "config"
        file.write_text(TEXT)
        for key in ("lfs.storage", "lfs.empty", "core.bare", 'remote.a.b"c.url', "user.name"):
            asked = subprocess.run(["git", "config", "-f", str(file), key], capture_output=True, text=True, check=True)
            assert found[key] == asked.stdout.removesuffix("\n")


@given(st.text())
def test_what_is_none_breaks_nothing(text: str) -> None:
    assert all(isinstance(value, str) for value in parse_settings(text).values())


@pytest.mark.parametrize("text", ["[", "[a", '[a "', '[a "b', "=", "= x", "[a]\n= x", '[a]\nb = "c', "[a]\nb = c\\"])
def test_torn_ones(text: str) -> None:
    parse_settings(text)
