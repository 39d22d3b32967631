"""What `mvc explain` explains: a rule of `check`, or why a commit stands where it stands. Owns nothing but which of
the two is meant: the rules' words are the catalogue's, the evidence is inference's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvc.drift import RULES, Rule, find_rule
from mvc.errors import InputError, NotFoundError
from mvc.porcelain.reading import History
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import inference_of
from mvc.porcelain.workspace import Workspace


@dataclass(frozen=True)
class ExplainedCommit:
    """Where a commit stands and why; ``inference`` is that of `show`, {} for one without trainable tensors. ``flags``:
    ids of the rules that it breaks."""

    id: str
    path: str
    inference: Mapping[str, Any]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ExplainResult:
    """Rules as the catalogue has them: severity and limit are the defaults, which a policy may change."""

    rules: tuple[Rule, ...]
    commits: tuple[ExplainedCommit, ...] = ()


def explain(
    names: Sequence[str] = (), find: Callable[[], Workspace] | None = None, *, directory: Path = Path()
) -> ExplainResult:
    """The rules and commits of these names, all rules without any. ``find`` gives the repository whose revisions may be
    meant; it is called only where a name is no rule's.

    Raises InputError for a rule that there is not, NotFoundError for what is no revision either.
    """
    if not names:
        return ExplainResult(tuple(RULES.values()))
    rules: dict[Rule, None] = {}
    commits: dict[str, ExplainedCommit] = {}
    history: History | None = None
    for name in names:
        try:
            rules[find_rule(name)] = None
            continue
        except InputError as error:
            unknown = error
        if find is None:
            raise unknown
        try:
            history = history or History(find())
            commit = resolve(history.workspace, name, directory)
        except NotFoundError as error:
            if error.code == "no-repository" and unknown.hint.startswith("did you mean"):
                raise unknown from None
            if error.code == "no-repository":
                message = f"{name!r} is no rule, and a commit could only be looked up in a repository"
                raise NotFoundError(message, hint="list the rules with: mvc explain", code=error.code) from None
            close = [hint for hint in (error.hint, unknown.hint) if hint.startswith("did you mean")]
            hint = close[0] if close else "list what there is with: mvc explain, mvc log"
            raise NotFoundError(f"{name!r} names no rule, commit, tag or lineage", hint=hint) from None
        placed = history.placed(commit)
        inference = inference_of(history, commit)
        path = history.workspace.repository.commit(commit).path
        commits[commit] = ExplainedCommit(commit, path, inference, placed.flags if placed is not None else ())
    return ExplainResult(tuple(rules), tuple(commits.values()))
