"""A comparison in words: the table, and what it says."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.compare.comparison import BEST_RULE, CLAIRVOYANT, Comparison, Row
from experiments.compare.gap import INTERVALS, Gap, gaps
from experiments.sheets import Sheet
from experiments.statistics import Interval

SURE = 0.05


def sheets(found: Comparison) -> list[Sheet]:
    """The table of all rows, of clairvoyant gaps, and of the worlds where there are several."""
    shown = [_rows(found), *(_gap(gap) for gap in gaps(found))]
    if len(found.worlds) > 1:
        shown.append(_worlds(found))
    return shown


def readings(found: Comparison) -> list[str]:
    """What the table says, in words that follow from the figures."""
    lines = []
    for row in found.rows:
        if row.entry.role:
            continue
        against = [("today's policy", row.over_quo), ("the best rule", row.over_rule)]
        told = "; ".join(f"{_verdict(ends)} {name} ({span(ends)} %)" for name, ends in against)
        lines.append(f"{row.entry.name} {told}.")
    for gap in gaps(found):
        bears = "bears" if gap.supports else "bears no"
        lines.append(
            f"The clairvoyant gap is {gap.intervals:.1f} evaluation intervals: it {bears} claim "
            f"that learning beats planning ({INTERVALS:g} are asked for)."
        )
    return lines


def span(ends: Interval) -> str:
    """An interval in percent."""
    return f"{percent(ends.low)} to {percent(ends.high)}"


def percent(share: float) -> str:
    """A signed percentage to three digits, without a minus before nothing."""
    return f"{round(100 * share, 3) + 0.0:+.3f}"


def _verdict(ends: Interval) -> str:
    if ends.low > 0:
        return "does better than"
    return "does worse than" if ends.high < 0 else "cannot be told apart from"


def _rows(found: Comparison) -> Sheet:
    columns = (
        "policy",
        ">seeds",
        ">IQM %",
        ">95 % interval",
        ">p",
        ">over rule %",
        ">95 % interval",
        ">beats it",
        ">95 %",
    )
    notes = (
        "IQM: interquartile mean, over seeds and cities, of welfare over the status quo on the "
        "same held-out cities and shocks, percent of baseline income. Intervals: 95 %, for new "
        "seeds on new cities. p: of no gain over the status quo, corrected for the number of rows "
        "compared (Holm). Over rule: over the best rule, paired city by city. Beats it: "
        "probability that a run does better than it on a city. The best rule was chosen on other "
        "cities.",
    )
    return Sheet("Comparison on held-out cities", columns, [_row(row) for row in found.rows], notes)


def _row(row: Row) -> tuple[str, ...]:
    entry, chance = row.entry, row.beats_rule
    against = ("-",) * 4
    if entry.role != BEST_RULE:
        against = (
            percent(row.over_rule.estimate),
            span(row.over_rule),
            f"{chance.estimate:.2f}",
            f"{chance.low:.2f} to {chance.high:.2f}",
        )
    return (
        entry.name,
        str(len(entry.seeds)) if entry.seeds else "-",
        percent(row.over_quo.estimate),
        span(row.over_quo),
        "-" if row.p_value is None else probability(row.p_value),
        *against,
    )


def _gap(gap: Gap) -> Sheet:
    columns = ("policy", f">over {gap.base} %", ">95 % interval", ">of the gap %", ">95 % interval")
    whole = (CLAIRVOYANT, percent(gap.size.estimate), span(gap.size), "100", "-")
    rows = [
        (
            row.name,
            percent(row.over.estimate),
            span(row.over),
            f"{100 * row.share.estimate:.0f}",
            f"{100 * row.share.low:.0f} to {100 * row.share.high:.0f}",
        )
        for row in gap.earned
    ]
    notes = (
        f"Means over cities and seeds, percent of baseline income, over {gap.base}, the best plan "
        "made in advance (the best rule where no plan is compared). The clairvoyant is a plan for "
        "each held-out city, climbed through its own future from what the best policy does there; "
        "longer searches find more.",
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
