"""Which stored objects can be read, and who is to blame where one cannot. Owns the verdict on objects, given what is
known of every stored form.

An object is sound where one of its forms is, and all that this form rests on is. What cannot be read for want of
another object is not damaged itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mvc.errors import MvcError
from mvc.objects import ObjectId
from mvc.odb import Form
from mvc.odb.links import circular, unfit

Forms = Mapping[ObjectId, Sequence[Form]]


@dataclass(frozen=True)
class Judged:
    """``sound`` objects and their canonical headers; those that are ``damaged`` by themselves, and how; those that are
    ``blocked`` by others, which are missing or damaged; ``spoilt``: every form that is damaged by itself, of sound
    objects, too."""

    sound: Mapping[ObjectId, bytes]
    damaged: Mapping[ObjectId, MvcError]
    blocked: Mapping[ObjectId, frozenset[ObjectId]]
    spoilt: Mapping[ObjectId, Sequence[Form]]


def judge(forms: Forms) -> Judged:
    """The verdict on every object that is stored in these forms."""
    sound = _readable(forms)
    damaged: dict[ObjectId, MvcError] = {}
    blocked: dict[ObjectId, frozenset[ObjectId]] = {}
    spoilt: dict[ObjectId, list[Form]] = {}
    for object_id, some in forms.items():
        for form in some:
            error = _own_error(object_id, form, sound)
            if error is not None:
                spoilt.setdefault(object_id, []).append(replace(form, error=error))
                if object_id not in sound:
                    damaged.setdefault(object_id, error)
    for object_id in forms.keys() - sound.keys() - damaged.keys():
        if culprits := _culprits(object_id, forms, sound):
            blocked[object_id] = culprits
        else:
            damaged[object_id] = error = circular(object_id)
            spoilt[object_id] = [replace(form, error=error) for form in forms[object_id]]
    return Judged(sound, damaged, blocked, spoilt)


def _readable(forms: Forms) -> dict[ObjectId, bytes]:
    """Objects of which one form is whole, as is all that it rests on, and their canonical headers."""
    waiting = [
        (form.link, object_id) for object_id, some in forms.items() for form in some if form.error is None and form.link
    ]
    waiting.sort(key=lambda item: item[0].reach)  # so that mostly one pass is enough
    found: dict[ObjectId, bytes] = {}
    progress = True
    while progress:
        left = []
        for link, object_id in waiting:
            if object_id in found:
                continue
            if all(found.get(base) == link.header for base in link.bases):
                found[object_id] = link.header
            else:
                left.append((link, object_id))
        progress, waiting = len(left) < len(waiting) and bool(left), left
    return found


def _own_error(object_id: ObjectId, form: Form, headers: Mapping[ObjectId, bytes]) -> MvcError | None:
    """What is wrong with a form itself, and not with what it rests on."""
    link = form.link
    if link is None or not link.bases:
        return form.error
    for base in link.bases:
        if base not in headers:
            return None
        if headers[base] != link.header:
            return unfit(object_id, base)
    return form.error


def _culprits(object_id: ObjectId, forms: Forms, readable: Mapping[ObjectId, bytes]) -> frozenset[ObjectId]:
    """Why an object cannot be read that is not damaged: the farthest objects that it rests on, however far below, that
    are missing or damaged themselves."""
    found: set[ObjectId] = set()
    seen: set[ObjectId] = set()
    pending = [object_id]
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        bases = {base for form in forms.get(at, ()) if form.link is not None for base in form.link.bases}
        below = [base for base in bases if base not in readable]
        pending += below
        if not below:
            found.add(at)
    return frozenset(found - {object_id})
