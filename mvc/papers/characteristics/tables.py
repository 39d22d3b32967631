"""An outcome as Markdown: what was measured beside what was printed. Owns the layout; computes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mvc.papers.characteristics.outcome import Cell, CharacteristicsOutcome, RowOutcome, TableOutcome, ZooOutcome
from mvc.papers.tables import number, table

_LEGEND = (
    "R² of numbers and accuracy of categories on test models, in percent; τ as it is. Mean ± sample deviation over "
    "repeats, each with its own split by model and its own training. After the slash: as printed, – where that is "
    "not known here; rows without a slash are not in the paper. CPU minutes are of one training on one core; its limit "
    "is by the clock: E_cD in the paper's size is given four times as many as the others. Rows that an earlier run "
    "measured stand as that run's options had them."
)


def markdown(outcome: CharacteristicsOutcome) -> str:
    """The whole page: sizes, populations, every table, notes."""
    return "\n".join(_page(outcome)) + "\n"


def _page(outcome: CharacteristicsOutcome) -> Iterator[str]:
    yield f"# {outcome.paper}"
    yield ""
    done = "" if outcome.done == outcome.planned else f" {outcome.done} of {outcome.planned} measurements so far."
    size = f"{outcome.repeats} repeats, images: {outcome.data}.{done}" if outcome.planned else "what is kept."
    yield f"{outcome.title}. Here: {size}"
    yield ""
    yield _LEGEND
    yield ""
    titles = ("zoo", "card", "models", "left out", "checkpoints", "weights", "test accuracy: least, mean, most")
    yield from table(titles, [_zoo(zoo) for zoo in outcome.zoos])
    for one in outcome.tables:
        yield ""
        yield from _section(one)
    yield ""
    yield "## Notes"
    yield from (f"- {note}" for note in outcome.notes)


def _zoo(zoo: ZooOutcome) -> tuple[str, ...]:
    return (
        zoo.zoo,
        f"`{zoo.card}`",
        f"{zoo.models:,}",
        str(zoo.left_out),
        str(zoo.checkpoints),
        f"{zoo.weights:,}",
        ", ".join(f"{share:.0%}" for share in zoo.accuracy),
    )


def _section(one: TableOutcome) -> Iterator[str]:
    digits, factor = (1, 100.0) if one.measure == "score" else (3, 1.0)
    several = len({(row.zoo, row.beyond) for row in one.rows}) > 1
    heading = f"Table {one.table}" if one.table.isdigit() else one.table.upper()
    yield f"## {heading}: {one.title}"
    yield ""
    where = ("zoo",) if several else ()
    yield from table(
        (*where, "representation", "size", "CPU minutes", "limit", *one.targets),
        [
            (
                *((_place(row),) if several else ()),
                row.label,
                "–" if row.width is None else f"{row.width:,}",
                number(row.minutes, 1),
                "–" if row.limit is None else f"{row.limit:g}",
                *(_cell(cell, row, factor, digits) for cell in row.cells),
            )
            for row in one.rows
        ],
    )
    missing = dict.fromkeys(f"{row.label}: {row.missing}." for row in one.rows if row.missing)
    if missing:
        yield ""
        yield from missing


def _place(row: RowOutcome) -> str:
    return row.zoo if row.beyond is None else f"{row.zoo} → {row.beyond}"


def _cell(cell: Cell, row: RowOutcome, factor: float, digits: int) -> str:
    measured = cell.measured
    text = number(None if measured is None else factor * measured.mean, digits)
    if measured is not None and measured.deviation is not None:
        text += f" ± {number(factor * measured.deviation, digits)}"
    return f"{text} / {number(cell.printed, digits)}" if row.in_paper else text
