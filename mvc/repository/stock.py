"""What is stored, looked at form by form. Owns the verdict on each object, and moving what is damaged out of the way.

With repair, files with damaged objects go to ``quarantine/``, a pack once all else in it is stored elsewhere; nothing
is deleted. A quarantined object is missing, and comes back when the same checkpoint is committed or fetched again; what
rests on it waits for it where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Mapping
from dataclasses import dataclass

from mvc.errors import IntegrityError, MvcError
from mvc.objects import ObjectId
from mvc.odb import Form, check_forms, salvage
from mvc.odb.packs import DIRECTORY
from mvc.odb.salvage import Salvaged
from mvc.repository.findings import Finding
from mvc.repository.judging import Forms, Judged, judge
from mvc.repository.quarantine import quarantine
from mvc.repository.repository import Repository


@dataclass(frozen=True)
class Stock:
    """What is ``stored``, as it is now: ``headers`` of what can be read, what is ``blocked`` by what. ``damaged`` is
    what was found so and is not sound now; what of that was ``moved`` to quarantine is not stored any more.
    ``undecoded`` objects are what was written, by their checksums. ``findings`` are about files, and objects that have
    another copy."""

    stored: Collection[ObjectId]
    headers: Mapping[ObjectId, bytes]
    blocked: Mapping[ObjectId, frozenset[ObjectId]]
    damaged: Mapping[ObjectId, MvcError]
    moved: frozenset[ObjectId]
    undecoded: frozenset[ObjectId]
    findings: tuple[Finding, ...]


def take_stock(
    repository: Repository, *, repair: bool, full: bool, progress: Callable[[int, int | None], None] | None = None
) -> Stock:
    """Looks at every stored form; with ``repair``, moves files with damaged ones away. Then it needs the lock.

    Raises StorageError.
    """
    odb = repository.odb
    threaded = repository.fs.sync_threads > 0

    def look() -> tuple[Forms, Judged]:
        forms = check_forms(odb, decode=full, threaded=threaded, told=progress or (lambda done, total: None))
        return forms, judge(forms)

    forms, first = look()
    unusable = dict(odb.damaged_packs)
    saved: Mapping[str, Salvaged] = {}
    now = first
    spoilt = (form for some in first.spoilt.values() for form in some)
    files = {
        form.key for form in spoilt if isinstance(form.error, IntegrityError)
    }  # not what the disk cannot read back
    files |= {key for key, error in unusable.items() if error.code == "damaged-pack"}
    if repair and files:
        saved = _move(repository, files)
        forms, now = look()
    moved = frozenset(one for one, some in first.spoilt.items() if repair and any(form.key in files for form in some))
    return Stock(
        stored=forms.keys(),
        headers=now.sound,
        blocked=now.blocked,
        damaged={one: error for one, error in {**first.damaged, **now.damaged}.items() if one not in now.sound},
        moved=moved,
        undecoded=frozenset()
        if full
        else frozenset(one for one, some in forms.items() if all(form.proved for form in some)),
        findings=(*_of_packs(unusable, saved), *_of_copies(first.spoilt, now.sound, moved=repair)),
    )


def _of_packs(unusable: Mapping[str, MvcError], saved: Mapping[str, Salvaged]) -> Iterator[Finding]:
    """Packs that cannot be used; those of today that are damaged may be moved by now."""
    for key, error in sorted(unusable.items()):
        message = error.message
        if key in saved:
            whole, waiting = map(len, saved[key])
            more = f" and {waiting} that cannot be proved until their base is back" if waiting else ""
            message += f"; {whole} whole objects{more} of it were brought back"
        yield Finding("damaged", key, message, key in saved)


def _of_copies(
    spoilt: Mapping[ObjectId, Collection[Form]], sound: Container[ObjectId], *, moved: bool
) -> Iterator[Finding]:
    """Damaged copies of what can be read all the same."""
    for object_id, forms in sorted(spoilt.items()):
        for form in forms if object_id in sound else ():
            what = form.error.message if form.error is not None else "damaged"
            told = "; moved to quarantine" if moved else ""
            yield Finding("damaged", object_id, f"{what} (in {form.key}; another copy of it is sound){told}", moved)


def _move(repository: Repository, files: set[str]) -> Mapping[str, Salvaged]:
    """Moves these files to quarantine; what is whole in packs among them is stored elsewhere before."""
    packs = sorted(key for key in files if key.startswith(f"{DIRECTORY}/"))
    for key in sorted(files - set(packs)):
        quarantine(repository, repository.directory / key)
    saved = salvage(repository.odb, packs) if packs else {}
    for key in packs:
        quarantine(repository, repository.directory / key)
    repository.odb.forget()
    return saved
