"""The report on gains: tables, and the page `docs/gains.md` that the command writes."""

from __future__ import annotations

from collections.abc import Sequence

from agents.plans.world import DECISION
from experiments.gains.results import INTERVALS, Gain, Gains, Gap
from experiments.sheets import Sheet, markdown

#: Smallest gain that is shown as one, percent of income.
DIGITS = 3


def sheets(found: Gains) -> list[Sheet]:
    """Both tables."""
    return [_sources(found), _gaps(found)]


def page(found: Gains, title: str, command: str, picture: str | None) -> str:
    """The page as Markdown.

    Args:
        title: of the city. command: that wrote it. picture: path from the page, or None.
    """
    work = found.effort
    shown = [] if picture is None else [f"![Sources of gain and clairvoyant gaps]({picture})"]
    parts = [
        "# Where gains come from",
        f"What a planner of the {title} can earn over today's policy, and by what: planning "
        "together, treating districts apart, answering to what happens, treating household types "
        "apart, and knowing what goes on. The last table says for each dynamics preset what it "
        "would be worth to know the future, which no learner can exceed. Written by",
        f"```\n{command}\n```",
        "(`--quick` takes two minutes, `--json FILE` keeps the gain on every future.)",
        "## What is compared",
        f"Every plan governs for {found.months} months and is scored with the {work.tail} years "
        "of today's policy that follow and a perpetuity, against today's policy under the same "
        "shocks. Gains are percent of the first year's income, for ever. Settings stay within the "
        "levers' bounds, rates and delays, under one treasury.",
        _plans(found),
        f"Plans learn from {found.rows * work.lessons} futures and are scored on {found.rows} "
        "others; presets share the seeds. All plans climb by ADAM through the differentiable city, "
        f"{work.constant} steps as constant plans from {work.starts} starts (the best on the "
        f"lessons is kept) and {work.varied} steps as what they become; the plans that they are "
        "compared with climb on beside them. Searches end before the last bit of gain is found, "
        "so that levels are lower bounds.",
        markdown(sheets(found), 2).rstrip(),
        *shown,
        "## Reading",
        "\n".join(f"- {line}" for line in readings(found)),
    ]
    return "\n\n".join(parts) + "\n"


def readings(found: Gains) -> list[str]:
    """What the tables say, in words that follow from the figures."""
    lines = []
    for row in found.sources:
        sure = row.low > 0 or row.high < 0
        verdict = f"{row.mean:+.{DIGITS}f} % of income"
        if not sure:
            verdict += ", not told apart from nothing"
        elif row.mean < 0:
            verdict += ", a loss on futures that the plan did not learn from"
        lines.append(f"**{row.source.capitalize()}**: {verdict}.")
    bearing = [row.preset for row in found.gaps if row.supports]
    lacking = [row.preset for row in found.gaps if not row.supports]
    rule = f"the gap is at least {INTERVALS} evaluation intervals"
    if bearing:
        lines.append(
            f"A claim that learning beats planning can rest on {_listed(bearing)}: {rule}."
        )
    if lacking:
        lines.append(f"It cannot rest on {_listed(lacking)} with {found.rows} futures.")
    for gap in found.gaps:
        if not gap.supports and gap.needed is not None:
            lines.append(f"Under {gap.preset}, {gap.needed} futures would do.")
    for gap in found.gaps:
        if gap.reached is not None and gap.supports:
            lines.append(
                f"Under {gap.preset}, linear feedback earns {100 * gap.reached:.0f} % of the "
                "clairvoyant gap."
            )
    return lines


def _plans(found: Gains) -> str:
    """What each plan is, as a list."""
    work = found.effort
    every = {
        "coordination": "one setting for each lever, found jointly for all four governors, against "
        "four plans found apart (each with the other governors at today's settings) and followed "
        "together",
        "differentiation": "a setting for each district against one for the whole city",
        "adaptation": f"a plan of {_years(work.years)} periods with linear feedback on the "
        f"indicators that governors watch, every {DECISION} months, against the plan alone. "
        "Feedback answers to the difference from what was to be expected",
        "targeting": "a setting for each household type against one for all, where income counts "
        f"by Atkinson with an aversion of {work.aversion:g} over the first year's residents",
        "information": "feedback on exact figures against feedback on published ones (late, noisy, "
        f"in part; level {work.information:g} of the information channel, 0 is a silo), each "
        "trained on what it sees",
        "clairvoyant gap": "a plan for each future, found knowing that future, against the plan "
        "made in advance",
    }
    return "\n".join(f"- **{name.capitalize()}**: {text}." for name, text in every.items())


def _sources(found: Gains) -> Sheet:
    rows = [_source(row) for row in found.sources]
    notes = (
        f"Percent of income for ever, preset {found.effort.preset}, {found.rows} held-out futures; "
        "interval: 95 %, Student, over futures. Targeting: Atkinson with an aversion of "
        f"{found.effort.aversion:g}, percent of mean income.",
    )
    columns = ("source", "comparison", ">gain %", ">95 % interval", ">standard error")
    return Sheet(f"Five sources of gain, {found.city}", columns, rows, notes)


def _source(row: Gain) -> tuple[str, ...]:
    interval = f"{row.low:+.{DIGITS}f} to {row.high:+.{DIGITS}f}"
    values = (f"{row.mean:+.{DIGITS}f}", interval, f"{row.error:.{DIGITS}f}")
    return (row.source, row.comparison, *values)


def _gaps(found: Gains) -> Sheet:
    rows = [_gap(row) for row in found.gaps]
    notes = (
        "Mean gains over today's policy on held-out futures, percent of income for ever. "
        "Interval: half of the 95 % interval of the gap over futures. A preset supports a claim "
        f"that learning beats planning where its gap is at least {INTERVALS} intervals; needed: "
        "futures from which on it does. Without chance the clairvoyant and the plan made in "
        "advance are the same search.",
    )
    columns = (
        "preset",
        ">constant",
        ">open loop",
        ">feedback",
        ">clairvoyant",
        ">gap",
        ">interval",
        ">gap / interval",
        "supports",
        ">needed",
    )
    return Sheet(f"Clairvoyant gap of the dynamics presets, {found.city}", columns, rows, notes)


def _gap(row: Gap) -> tuple[str, ...]:
    means = (row.constant, row.open_loop, row.feedback, row.clairvoyant)
    ratio = f"{row.gap / row.interval:.1f}" if row.interval else "-"
    return (
        row.preset,
        *(f"{value:+.{DIGITS}f}" for value in means),
        f"{row.gap:.{DIGITS}f}",
        f"{row.interval:.{DIGITS}f}",
        ratio,
        "yes" if row.supports else "no",
        "-" if row.needed is None else str(row.needed),
    )


def _years(years: int) -> str:
    return "yearly" if years == 1 else f"{years}-year"


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
