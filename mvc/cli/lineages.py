"""How lineages and their commits look in text: headings, markers, one-line summaries. Shared by log, show, lineage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from mvc.cli.messages import paint
from mvc.cli.text import count, escape, fit, fit_path, number, percent, short, width
from mvc.porcelain.results.logs import DirectionResult, ForkedFrom, LogCommit, LogLineage, OverlapResult

#: columns of the longest marker, of a title that says anything, of a file beside a message
MARKER, LEAST, FILE = 28, 8, 16
#: markers' styles, what is to be seen first
_URGENT = ("bad", "warn", "tag", "dim")


def architecture_words(lineage: LogLineage) -> str:
    """``3 tensors · 2,160 weights``."""
    if not lineage.tensors:
        return f"architecture {escape(lineage.architecture)}"
    return f"{count(lineage.tensors, 'tensor')} · {count(lineage.weights, 'weight')}"


def direction_words(direction: DirectionResult) -> str:
    """Which way time runs, by what, how sure."""
    if direction.source == "declared":
        return "order as declared"
    if direction.source == "undecided":
        return "order from weights, direction undecided"
    return f"order from weights, direction {percent(direction.confidence)} sure"


def fork_words(fork: ForkedFrom, commits: Sequence[LogCommit] = ()) -> str:
    """Where a lineage comes from; ``commits`` say whether its first is an average, of which that is the main source."""
    averaged = any(commit.mixture and commit.position == 0 for commit in commits)
    how = "an average, first of all of" if averaged else "forked from"
    return f"{how} {escape(fork.lineage)} at {short(fork.commit)} ({percent(fork.confidence)} sure)"


def overlap_words(overlap: OverlapResult, places: Mapping[str, tuple[str, int]]) -> str:
    """What a lineage has to do with a model of another architecture, and how much of both that is about."""
    name, place = places.get(overlap.commit, (overlap.lineage, None))
    there = f"{escape(name)} at {short(overlap.commit)}" if place is None else f"{escape(name)}@{place}"
    if overlap.kind == "adapter":
        return f"adapter of {there}: changes {count(overlap.tensors, 'tensor')}, {percent(overlap.coverage)} of it"
    if not overlap.shared:
        return f"no tensor in common with {there}, its declared parent"
    facts = [count(overlap.tensors, "tensor")]
    if overlap.identical:
        facts.append(
            "equal" if overlap.identical == overlap.shared else f"{percent(overlap.identical / overlap.shared)} equal"
        )
    facts.append(f"cosine {number(overlap.cosine)}")
    if overlap.order == "undecided":
        facts.append("which came first is undecided")
    elif overlap.order == "before":
        facts.append(f"came before it, {percent(overlap.confidence)} sure")
    return f"{percent(overlap.coverage)} shared with {there}: {', '.join(facts)}"


def overlap_lines(
    overlaps: Sequence[OverlapResult], adapter: bool, places: Mapping[str, tuple[str, int]], most: int = 2
) -> list[str]:
    """Lines on other architectures, the first ones in words; an adapter without a base says what it lacks."""
    lines = [overlap_words(overlap, places) for overlap in overlaps[:most]]
    if len(overlaps) > most:
        lines.append(f"… shares tensors with {count(len(overlaps) - most, 'more architecture')}")
    if adapter and not any(overlap.source == "declared" for overlap in overlaps):
        lines.append("adapter: needs its base declared (mvc commit --parent BASE)")
    return lines


def heading(lineage: LogLineage, *, fork: bool = True) -> tuple[str, str]:
    """Name and facts of a lineage, both escaped, not coloured."""
    facts = [count(len(lineage.commits), "commit")]
    if len(lineage.commits) > 1:
        facts.append(direction_words(lineage.direction))
    if fork and lineage.forked_from is not None:
        facts.append(fork_words(lineage.forked_from, lineage.commits))
    return escape(lineage.name), " · ".join(facts)


def declared(commit: LogCommit) -> bool:
    """Whether the step that led to a commit was declared (its step, parent or pin) rather than found."""
    return commit.evidence.get("source") == "declared"


def markers(commit: LogCommit) -> list[tuple[str, str]]:
    """(text, style) of what marks a commit: its tags, declared step, broken rules, an unusual relation."""
    found = [(escape(tag), "tag") for tag in commit.tags]
    if commit.step is not None:
        found.append((f"step {number(commit.step, 6)}", "dim"))
    if commit.relation in ("copies", "mixes", "duplicate", "restores"):
        precision = commit.evidence.get("precision")
        found.append((commit.relation if precision is None else f"copy in {escape(precision)}", "warn"))
    if commit.gone is not None:
        found.append(("tensors gone", "warn"))
    found.extend((f"! {escape(flag)}", "bad") for flag in commit.flags)
    return found


def title(commit: LogCommit, columns: int) -> str:
    """What a person would call the commit, cut to ``columns``: the message's first line and the file it came from. The
    file gives way to the message until half is left to it, and goes where that would say nothing."""
    message = escape(commit.message.strip().splitlines()[0]) if commit.message.strip() else ""
    path = escape(commit.path)
    if not message:
        return fit_path(path, columns)
    room = max(columns - width(message) - 2, columns // 2)
    if width(path) > room < FILE:
        return fit(message, columns, keep="start")
    path = fit_path(path, room)
    return f"{fit(message, columns - width(path) - 2, keep='start')}  {paint(path, 'dim')}"


def commit_row(commit: LogCommit, columns: int, *, before: str = "") -> str:
    """``id @position`` then ``before`` (already escaped), markers and the title, cut to ``columns``."""
    plain = f"{short(commit.id)} {f'@{commit.position}':>4}"
    row = f"{paint(short(commit.id), 'id')} {f'@{commit.position}':>4}"
    used = width(plain)
    if before:
        row += f"  {paint(before, 'bar')}"
        used += 2 + width(before)
    for text, style in _fitting(markers(commit), columns - used):
        row += f"  {paint(text, style)}"
        used += 2 + width(text)
    room = columns - used - 2
    return f"{row}  {title(commit, room)}" if room >= LEAST else row


def _fitting(found: Sequence[tuple[str, str]], columns: int) -> list[tuple[str, str]]:
    """Markers for which there is room, those first that say that something is odd; then how many there are more."""
    found = [(fit(text, MARKER, keep="start"), style) for text, style in found]
    free = columns if sum(2 + width(text) for text, _ in found) <= columns else columns - 6
    chosen = set()
    for place in sorted(range(len(found)), key=lambda place: _URGENT.index(found[place][1])):
        if 2 + width(found[place][0]) <= free:
            free -= 2 + width(found[place][0])
            chosen.add(place)
    left = [style for place, (_, style) in enumerate(found) if place not in chosen]
    more = [(f"! +{len(left)}", "bad") if "bad" in left else (f"+{len(left)}", "dim")] if left else []
    return [found[place] for place in sorted(chosen)] + more


def shown(lineage: LogLineage, newest: int, keep: Collection[str] = (), *, strict: bool = False) -> Sequence[int]:
    """Indices of the commits to draw, newest first; ``keep`` names ids that are drawn whatever happens.

    The newest ``newest`` commits and, unless ``strict``, the first one, tagged and flagged ones. A gap of one is not
    worth a line saying so.
    """
    commits = lineage.commits
    last = len(commits) - 1
    if strict:
        return [i for i in range(last, -1, -1) if i > last - newest or commits[i].id in keep]
    chosen = {
        index
        for index, commit in enumerate(commits)
        if index > last - newest or index == 0 or commit.id in keep or commit.tags or commit.flags
    }
    chosen |= {index for index in range(1, last) if index - 1 in chosen and index + 1 in chosen}
    return sorted(chosen, reverse=True)


def gap_words(lineage: LogLineage, hidden: int, columns: int) -> str:
    """How many commits are left out, and the command that shows them as far as it fits."""
    head, tail = f"… {hidden:,} more (mvc log ", " shows them)"
    room = columns - len(head) - len(tail)
    return head + fit(escape(lineage.name), room, keep="start") + tail if room >= 8 else f"… {hidden:,} more"


def full_bar(commits: Sequence[LogCommit]) -> float:
    """The step that a full bar stands for: three median steps or, if no step is as long, the longest.

    The step out of the initial weights can be ten times as long as all others, which would flatten them.
    """
    steps = sorted(commit.distance for commit in commits if commit.distance is not None)
    return min(steps[-1], 3 * steps[len(steps) // 2]) if steps else 0.0
