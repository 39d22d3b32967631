"""What `import mvc` offers: one class whose methods are the verbs, one line each. Owns nothing but the spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mvc.porcelain.author import author as found_author
from mvc.porcelain.blame import blame
from mvc.porcelain.check import check
from mvc.porcelain.checkout import checkout
from mvc.porcelain.commits import commit
from mvc.porcelain.diff import diff
from mvc.porcelain.du import du
from mvc.porcelain.embed import apply, list_embedders
from mvc.porcelain.fsck import fsck
from mvc.porcelain.gc import gc
from mvc.porcelain.identify import identify
from mvc.porcelain.init import init
from mvc.porcelain.learning import train_embedder
from mvc.porcelain.lineages import list_lineages, pin, rename, unpin
from mvc.porcelain.loading import Weights, load
from mvc.porcelain.log import log
from mvc.porcelain.operations import NEWEST, as_of, op_log, undo
from mvc.porcelain.progress import Report
from mvc.porcelain.reindex import reindex
from mvc.porcelain.results.blames import BlameResult
from mvc.porcelain.results.checks import CheckResult
from mvc.porcelain.results.commits import CheckoutResult, CommitResult
from mvc.porcelain.results.diffs import DiffResult
from mvc.porcelain.results.embedders import EmbedderRow, EmbedTrainResult, LatentRow
from mvc.porcelain.results.keeping import DuResult, GcResult
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.results.matches import IdentifyResult
from mvc.porcelain.results.operations import OperationRow, UndoResult
from mvc.porcelain.results.shows import ShowResult
from mvc.porcelain.results.states import (
    FsckResult,
    LineageResult,
    LineageRow,
    ReindexResult,
    StatusResult,
    TagResult,
    TagRow,
)
from mvc.porcelain.revisions import resolve
from mvc.porcelain.show import show
from mvc.porcelain.status import status
from mvc.porcelain.tags import create_tag, delete_tag, list_tags
from mvc.porcelain.workspace import Workspace

PathLike = str | Path


class Repository:
    """A repository of models. Made by `open` or `init`; raises what is in ``mvc.errors``.

    Relative paths are seen from the process's working directory. One instance belongs to one thread.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @classmethod
    def open(cls, path: PathLike = ".", *, author: str = "", trust: bool = False) -> Repository:
        """The nearest repository at or above ``path``. ``author`` is who commits, as ``Name <email>``; as for `mvc
        commit` there unless given, by MVC_AUTHOR or git's settings."""
        return cls(Workspace.open(path, author=author or found_author(Path(path)), trust=trust))

    @classmethod
    def init(cls, path: PathLike = ".", *, template: PathLike | None = None, author: str = "") -> Repository:
        """A new repository in ``path``, or the one that is there."""
        init(Path(path), template=None if template is None else Path(template))
        return cls.open(path, author=author)

    @property
    def path(self) -> Path:
        """Its working directory."""
        return self._workspace.repository.root

    def commit(
        self,
        *paths: PathLike,
        message: str = "",
        step: float | None = None,
        run: str | None = None,
        parent: str | None = None,
        metrics: Mapping[str, float] | None = None,
        tag: str | None = None,
        extra: Mapping[str, str] | None = None,
        time: datetime | None = None,
        pointer: bool = False,
        verify: bool = False,
        restore: bool = False,
        progress: Report | None = None,
    ) -> CommitResult:
        return commit(
            self._workspace,
            paths,
            message=message,
            step=step,
            run=run,
            parent=parent,
            metrics=metrics,
            tag=tag,
            extra=extra,
            time=time,
            pointer=pointer,
            verify=verify,
            restore=restore,
            progress=progress,
        )

    def log(self, *revisions: str, limit: int | None = None) -> tuple[LogLineage, ...]:
        return log(self._workspace, revisions, limit=limit).lineages

    def load(self, revision: str = "HEAD", *, torch: bool = False) -> Weights:
        return load(self._workspace, revision, torch=torch)

    def resolve(self, revision: str) -> str:
        return resolve(self._workspace, revision, Path())

    def show(self, revision: str = "HEAD", *, spectra: bool = False, bootstrap: int = 0) -> ShowResult:
        return show(self._workspace, revision, spectra=spectra, bootstrap=bootstrap)

    def status(self, *paths: PathLike) -> StatusResult:
        return status(self._workspace, [Path(path) for path in paths])

    def diff(
        self, a: str, b: str, *, tensor: str | None = None, spectra: bool = False, exact: bool = False
    ) -> DiffResult:
        return diff(self._workspace, a, b, tensor=tensor, spectra=spectra, exact=exact)

    def blame(self, revision: str = "HEAD", *, tensor: str | None = None, exact: bool = False) -> BlameResult:
        return blame(self._workspace, revision, tensor=tensor, exact=exact)

    def check(self, *revisions: str, policy: PathLike | None = None, since: str | None = None) -> CheckResult:
        chosen = revisions if revisions or since else ("HEAD",)
        return check(self._workspace, chosen, policy=None if policy is None else Path(policy), since=since)

    def identify(self, *paths: PathLike) -> IdentifyResult:
        return identify(self._workspace, [Path(path) for path in paths])

    def checkout(
        self, revision: str, target: PathLike | None = None, *, tensor: str | None = None, force: bool = False
    ) -> CheckoutResult:
        place = None if target is None else Path(target)
        return checkout(self._workspace, revision, directory=Path(), target=place, tensor=tensor, force=force)

    def tags(self) -> Sequence[TagRow]:
        return list_tags(self._workspace).tags

    def tag(self, name: str, revision: str = "HEAD") -> TagResult:
        return create_tag(self._workspace, name, revision)

    def delete_tag(self, name: str) -> TagResult:
        return delete_tag(self._workspace, name)

    def lineages(self) -> Sequence[LineageRow]:
        return list_lineages(self._workspace).lineages

    def rename(self, lineage: str, name: str) -> LineageResult:
        return rename(self._workspace, lineage, name)

    def pin(self, revision: str, lineage: str) -> LineageResult:
        return pin(self._workspace, revision, lineage)

    def unpin(self, revision: str) -> LineageResult:
        return unpin(self._workspace, revision)

    def op_log(self, *, limit: int | None = None) -> Sequence[OperationRow]:
        return op_log(self._workspace, limit=limit).operations

    def undo(self, operation: str = NEWEST) -> UndoResult:
        return undo(self._workspace, operation)

    def at_op(self, operation: str) -> Repository:
        """The repository as it was after an operation, for reading."""
        return Repository(as_of(self._workspace, operation))

    def embedders(self) -> Sequence[EmbedderRow]:
        return list_embedders(self._workspace).embedders

    def train_embedder(
        self, *lineages: str, recipe: str | None = None, minutes: float | None = None, progress: Report | None = None
    ) -> EmbedTrainResult:
        return train_embedder(self._workspace, lineages, recipe=recipe, minutes=minutes, progress=progress)

    def embed(self, *revisions: str, embedder: str | None = None) -> Sequence[LatentRow]:
        return apply(self._workspace, revisions, directory=Path(), embedder=embedder).latents

    def du(self, *revisions: str, tensor: str | None = None) -> DuResult:
        return du(self._workspace, revisions, tensor=tensor)

    def gc(self, *, keep: str | None = None, dry_run: bool = False, progress: Report | None = None) -> GcResult:
        return gc(self._workspace, keep=keep, dry_run=dry_run, progress=progress)

    def fsck(
        self,
        *,
        repair: bool = False,
        full: bool = False,
        sources: Sequence[PathLike] = (),
        progress: Report | None = None,
    ) -> FsckResult:
        paths = [Path(source) for source in sources]
        return fsck(self._workspace, repair=repair, full=full, sources=paths, progress=progress)

    def reindex(self, *, progress: Report | None = None) -> ReindexResult:
        return reindex(self._workspace, progress=progress)
