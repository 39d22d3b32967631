"""Which files of a git repository concern mvc, by git alone: so that a hook is done at once where none does.

A file may be a model that is named as weights usually are, is a pointer or an index of shards, or that .gitattributes
gives ``diff=mvc``. What each hook is about follows from what git hands over: pre-push gets lines ``LOCAL-REF ID
REMOTE-REF REMOTE-ID``, pre-receive ``OLD-ID NEW-ID REF``, zeros for nothing on that side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mvc.errors import InputError
from mvc.integrations.git.reading import Blob, GitRepository, is_id

#: the value of git's attribute "diff" that marks models
DRIVER = "mvc"
_NAMES = (".mvc", ".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".npz", ".pth.tar", ".index.json")


def models(git: GitRepository, blobs: Sequence[Blob]) -> list[Blob]:
    """Those of these files that may be models, in order."""
    others = {blob.path for blob in blobs if not blob.path.endswith(_NAMES)}
    marked = git.with_attribute(sorted(others), "diff", DRIVER)
    return [blob for blob in blobs if blob.path not in others or blob.path in marked]


def leaving(git: GitRepository, stdin: str) -> list[Blob]:
    """Files of the git commits that a push takes to where they are not yet, by pre-push's lines. Raises InputError."""
    found: dict[Blob, None] = {}
    for _, local, _, remote in _lines(stdin, 4):
        commit = git.commit_of(local) if is_id(local) else None
        if commit is None:
            continue  # deletes a ref, or names a tree or a single file
        before = git.commit_of(remote) if is_id(remote) else None
        # what the remote has and was never fetched tells nothing of what it lacks: then as for a new branch
        found |= dict.fromkeys(git.new_blobs([commit], [before] if before else ["--remotes"]))
    return list(found)


def arriving(git: GitRepository, stdin: str) -> list[Blob]:
    """Files of the git commits that no ref leads to yet, by pre-receive's lines. Raises InputError."""
    arrived = (git.commit_of(new) for _, new, _ in _lines(stdin, 3) if is_id(new))
    return git.new_blobs([commit for commit in arrived if commit is not None], ["--all"])


def committed_now(git: GitRepository) -> list[Blob]:
    """Files that HEAD's commit brought."""
    head = git.commit_of("HEAD")
    return [] if head is None else git.blobs_of(head)


def checked_out(git: GitRepository, before: str, after: str, branch: str) -> list[Blob]:
    """Files that moving from one git commit to another changed; after a clone, or a checkout of files, all of them."""
    if branch == "1" and is_id(before) and is_id(after):
        return git.changed(before, after) if before != after else []
    return git.tracked()


def merged(git: GitRepository) -> list[Blob]:
    """Files that a merge or a pull changed."""
    before, after = git.commit_of("ORIG_HEAD"), git.commit_of("HEAD")
    return [] if before is None or after is None else git.changed(before, after)


def _lines(stdin: str, words: int) -> Iterator[list[str]]:
    for line in stdin.splitlines():
        found = line.rsplit(" ", words - 1)  # what a user pushed may be named with spaces: HEAD@{1 day ago}
        if len(found) != words:
            raise InputError(f"git handed over a line that is none: {line!r}", hint="let git call this hook")
        yield found
