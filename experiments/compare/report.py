"""A comparison in words: the table, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compare.comparison import BEST_RULE, CLAIRVOYANT, INFORMED, Comparison, Row
from experiments.compare.gap import INTERVALS, Gap, gaps
from experiments.compare.measure import Measure
from experiments.sheets import Sheet
from experiments.statistics import Interval

#: What the informed row is.
INFORMED_NOTE = (
    "The informed planner knows each city as it is, of its future only what is to be expected, and "
    "plans anew every year: what it misses of the gap is worth of foresight or of a longer search."
)


def sheets(found: Comparison) -> list[Sheet]:
    """The table of all rows, of clairvoyant gaps, and of the worlds where there are several."""
    shown = [_rows(found), *(_gap(gap, found.measure) for gap in gaps(found))]
    if len(found.worlds) > 1:
        shown.append(_worlds(found))
    return shown


def readings(found: Comparison) -> list[str]:
    """What the table says, in words that follow from the figures."""
    lines = []
    measure = found.measure
    for row in found.rows:
        if row.entry.role:
            continue
        against = [("today's policy", row.over_quo), ("the best rule", row.over_rule)]
        told = "; ".join(
            f"{_verdict(ends)} {name} ({measure.span(ends)}{measure.suffix})"
            for name, ends in against
        )
        lines.append(f"{row.entry.name} {told}.")
    for gap in gaps(found):
        bears = "bears the" if gap.supports else "bears no"
        lines.append(
            f"The clairvoyant gap is {gap.intervals:.1f} evaluation intervals: it {bears} claim "
            f"that learning beats planning ({INTERVALS:g} are asked for)."
        )
        lines += _apart(found, gap)
    return lines


def _apart(found: Comparison, gap: Gap) -> list[str]:
    """Whether new seeds would rank the best learner and the best plan alike on the same cities."""
    here = {row.entry.name: row.here for row in found.rows if row.entry.world == gap.world}
    learnt = [(row.name, ends) for row in gap.earned if (ends := here[row.name])]
    below = here[gap.base]
    if not learnt or below is None:
        return []
    name, above = learnt[0]
    told = "lies above" if above.low > below.high else "does not lie above"
    span, suffix = found.measure.span, found.measure.suffix
    return [
        f"On these cities the interval of {name} ({span(above)}{suffix}) {told} that of "
        f"{gap.base} ({span(below)}{suffix})."
    ]


def _verdict(ends: Interval) -> str:
    if ends.low > 0:
        return "does better than"
    return "does worse than" if ends.high < 0 else "cannot be told apart from"


def _rows(found: Comparison) -> Sheet:
    measure = found.measure
    columns = (
        "policy",
        ">seeds",
        f">IQM{measure.suffix}",
        ">95 % interval",
        ">on these",
        ">p",
        f">over rule{measure.suffix}",
        ">95 % interval",
        ">beats it",
        ">95 %",
    )
    notes = (
        f"IQM: interquartile mean, over seeds and cities, of {measure.name} over the status quo on "
        f"the same held-out cities and shocks, {measure.shown}. Intervals: 95 %, for new seeds on "
        "new cities; on these: for new seeds on the same cities. p: of no gain over the status "
        "quo, corrected for the number of rows compared (Holm). Over rule: over the best rule, "
        "paired city by city. Beats it: probability that a run does better than it on a city. The "
        "best rule was chosen on other cities.",
    )
    rows = [_row(row, measure) for row in found.rows]
    return Sheet("Comparison on held-out cities", columns, rows, notes)


def _row(row: Row, measure: Measure) -> tuple[str, ...]:
    entry, chance = row.entry, row.beats_rule
    against = ("-",) * 4
    if entry.role != BEST_RULE:
        against = (
            measure.number(row.over_rule.estimate),
            measure.span(row.over_rule),
            f"{chance.estimate:.2f}",
            f"{chance.low:.2f} to {chance.high:.2f}",
        )
    return (
        entry.name,
        str(len(entry.seeds)) if entry.seeds else "-",
        measure.number(row.over_quo.estimate),
        measure.span(row.over_quo),
        "-" if row.here is None else measure.span(row.here),
        "-" if row.p_value is None else probability(row.p_value),
        *against,
    )


def _gap(gap: Gap, measure: Measure) -> Sheet:
    over = f">over {gap.base}{measure.suffix}"
    columns = ("policy", over, ">95 % interval", ">of the gap %", ">95 % interval")
    size = measure.number(gap.size.estimate)
    whole = (CLAIRVOYANT, size, measure.span(gap.size), "100", "-")
    rows = [
        (
            row.name,
            measure.number(row.over.estimate),
            measure.span(row.over),
            f"{100 * row.share.estimate:.0f}",
            f"{100 * row.share.low:.0f} to {100 * row.share.high:.0f}",
        )
        for row in gap.earned
    ]
    notes = (
        f"Means over cities and seeds, {measure.shown}, over {gap.base}, the best plan "
        "made in advance (the best rule where no plan is compared). The clairvoyant is a plan for "
        "each held-out city, climbed through its own future from what the best policy does there; "
        "longer searches find more, so that shares above zero are upper bounds.",
        *([INFORMED_NOTE] if any(row.role == INFORMED for row in gap.earned) else ()),
    )
    title = "Share of the clairvoyant gap" + (f", world {gap.world}" if gap.world else "")
    return Sheet(title, columns, [whole, *rows], notes)


def probability(value: float) -> str:
    """A p-value to three digits."""
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _worlds(found: Comparison) -> Sheet:
    keys = list(dict.fromkeys(key for _, keys in found.worlds for key in keys))
    differing = [key for key in keys if len({str(keys.get(key)) for _, keys in found.worlds}) > 1]
    rows: Sequence[tuple[str, ...]] = [
        (label, *(str(keys.get(key, "-")) for key in differing)) for label, keys in found.worlds
    ]
    notes = ("Each policy was scored in its own world; across worlds, means over cities meet.",)
    return Sheet("Worlds that differ", ("world", *differing), rows, notes)
