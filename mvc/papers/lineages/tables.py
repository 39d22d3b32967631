"""An outcome as Markdown: what was measured beside what was printed. Owns the layout; computes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mvc.papers.lineages.outcome import EngineScores, PaperOutcome, ZooOutcome
from mvc.papers.tables import number, table

#: what `engine_row` fills
ENGINE_COLUMNS = ("points", "runs found / there", "purity", "pairs: mean, worst", "direction right / stated", "s")


def markdown(outcome: PaperOutcome) -> str:
    """The whole page: sizes, a pair of tables for each zoo, notes."""
    return "\n".join(_page(outcome)) + "\n"


def _page(outcome: PaperOutcome) -> Iterator[str]:
    yield f"# {outcome.paper}"
    yield ""
    yield f"{outcome.title}. Here: {outcome.seeds} seeds × {outcome.epochs} epochs on {outcome.data}; p. = printed."
    for zoo in outcome.zoos:
        yield ""
        yield from zoo_lines(zoo)
    yield ""
    yield "## Notes"
    yield from (f"- {note}" for note in outcome.notes)


def zoo_lines(zoo: ZooOutcome) -> Iterator[str]:
    """One zoo's section: the paper's protocol by representation, then mvc's engine."""
    yield f"## {zoo.zoo}"
    yield f"`{zoo.card}`, {zoo.weights:,} weights, test accuracy {zoo.accuracy:.1%}. Reading: {zoo.reading}."
    yield ""
    if zoo.figure is not None:
        yield f"![{zoo.zoo}: dendrogram and maps of the weight space]({zoo.figure})"
        yield ""
    yield from table(
        ("paper's protocol, K given", "purity", "p.", "ordered initial epochs", "p.", "ordered pairs", "p."),
        [
            (
                row.representation,
                number(row.measured.purity),
                number(row.printed.purity),
                number(row.measured.ordered_initial_epochs, 2),
                number(row.printed.ordered_initial_epochs),
                number(row.measured.ordered_pairs),
                number(row.printed.ordered_pairs),
            )
            for row in zoo.protocol
        ],
    )
    yield ""
    yield from table(
        ("mvc, K not given: checkpoints as", *ENGINE_COLUMNS),
        [
            (f"{row.representation}, {'with' if row.initial else 'without'} the initial ones", *engine_row(row))
            for row in zoo.engine
        ],
    )


def engine_row(scores: EngineScores) -> tuple[str, ...]:
    """Cells under ENGINE_COLUMNS."""
    return (
        f"{scores.points:,}",
        f"{scores.runs_found} / {scores.runs}",
        number(scores.purity),
        f"{scores.pairs_mean:.3f}, {scores.pairs_worst:.2f}",
        f"{scores.directions_right} / {scores.directions_stated}",
        f"{scores.seconds:.1f}",
    )
