"""The report on regret: a table for each regime, and the page that the command writes."""

from __future__ import annotations

from collections.abc import Sequence

from envs.regime import BREAKS
from experiments.regret.estimates import GOAL, Regret, Study
from experiments.regret.oracle import Climb
from experiments.regret.play import ORACLE, PLANNER, TUNER
from experiments.regret.tuner import Tuning
from experiments.sheets import Sheet, markdown
from experiments.statistics import Interval

EARNED = ("policy", ">without", ">with", ">gain without", ">gain with", ">due to the break")
SHARES = ("policy", ">of all loss", ">by adapting, of the loss by the break")


def sheets(found: Study) -> list[Sheet]:
    """Two tables for each regime: what is earned, and shares that are recovered."""
    return [sheet for regret in found.regrets for sheet in _sheets(found, regret)]


def readings(found: Study) -> list[str]:
    """What the tables say, in words that follow from the figures."""
    return [line for regret in found.regrets for line in _readings(regret)]


def page(
    found: Study,
    title: str,
    tuning: Tuning | None,
    climb: Climb,
    made: Sequence[str],
    command: str,
    picture: str | None,
) -> str:
    """The page as Markdown.

    Args:
        title: of the cities. made: commands that trained the policies. command: that wrote the
            page. picture: path from the page, or None.
    """
    struck = found.struck
    shown = [] if picture is None else [f"![Gains and recovered shares]({picture})"]
    broken = "\n".join(
        f"- **{name}**: {BREAKS[name].meaning}. Size: {BREAKS[name].source}."
        for name in struck.regimes
    )
    trained = ["Policies were trained by", "```sh\n" + "\n".join(made) + "\n```"] if made else []
    parts = [
        "# What a regime change costs, and who recovers",
        f"After {struck.month} months a city breaks, unannounced, and answers otherwise from then "
        f"on. Do policies that adapt recover at least {GOAL:.0%} of what a frozen one loses within "
        f"{struck.within} months? Cities: {title}. Written by",
        f"```sh\n{command}\n```",
        *trained,
        "## What breaks",
        broken,
        f"Strength {struck.strength:g}, where 1 is as told here. The status quo, against which all "
        "welfare counts, meets the same break.",
        "## What is compared",
        f"All policies govern the same {found.cities} cities under the same shocks, without the "
        f"break and with it. **Earned**: the welfare of the {struck.within} months after it and "
        "what stocks are worth at their end beyond what they were worth at the break, if today's "
        "policy follows, percent of income a month. The **oracle** goes on from where the frozen "
        "policy, the first, has led a city, by the best plan that is found knowing its parameters "
        f"and shocks ({climb.iterations} gradient steps through the model); what it earns more is "
        "the frozen policy's **loss**. A policy that is better anyway gains on the frozen one with "
        "and without a break: **due to the break** is the difference of the two gains, and **by "
        "adapting** what it is of the oracle's.",
        *([_tuned(tuning)] if tuning else []),
        markdown(sheets(found), 2).rstrip(),
        *shown,
        "## Reading",
        "\n".join(f"- {line}" for line in readings(found)),
    ]
    return "\n\n".join(parts) + "\n"


def _tuned(tuning: Tuning) -> str:
    """What the self-tuning planner does and knows."""
    return (
        f"The **{TUNER}** planner keeps a model of each city beside it and lets the frozen policy "
        "govern as long as the model foresees the figures that governors see. From the step on in "
        "which it does not, it takes the jump of the city's parameters that is most probable after "
        f"all figures since ({tuning.iterations} steps of Levenberg-Marquardt, prior: the regime "
        f"`parameters` at strength 1), and plans anew for the city as estimated, every step "
        f"({tuning.climbs} gradient steps, under the weather that is to be expected). It "
        "knows the model's equations, what the city was before, how wide parameters jump (its "
        "prior is what they are drawn from), and the weather so far; neither that nor when a city "
        "breaks, nor how far which parameter jumps, nor the weather to come. "
        f"**{PLANNER}** does the same "
        "but takes the city for what it was: what it lacks of the other is due to estimates. "
        "Neither plans before a break is noticed, so that what planning alone earns on the frozen "
        "policy counts as due to the break in both rows."
    )


def _sheets(found: Study, regret: Regret) -> tuple[Sheet, Sheet]:
    earned = [
        (
            row.policy,
            *(f"{100 * x.estimate:+.3f}" for x in (row.calm, row.broken)),
            *(_percent(x) for x in (row.gain_calm, row.gain, row.adapted)),
        )
        for row in regret.rows
    ]
    shares = [
        (row.policy, *(_share(x) for x in (row.recovered, row.by_adapting)))
        for row in regret.rows[1:]
    ]
    note = (
        f"Earned in the {found.struck.within} months after the break, percent of income a month, "
        "against the status quo; gains are beyond the frozen policy, the first. Intervals are "
        "95 %, over cities, and seeds where there are several."
    )
    dash = "A dash stands where the loss is not above zero for certain."
    title = f"Regime {regret.regime}, strength {found.struck.strength:g}"
    return (
        Sheet(title, EARNED, earned, (note,)),
        Sheet(f"Recovered, regime {regret.regime}", SHARES, shares, (dash,)),
    )


def _readings(regret: Regret) -> list[str]:
    frozen = regret.rows[0].policy
    if regret.loss is None or regret.loss_calm is None or regret.by_break is None:
        return [f"**{regret.regime}**: no oracle, so that nothing says what there is to recover."]
    loss, calm, broken = (_percent(x) for x in (regret.loss, regret.loss_calm, regret.by_break))
    lines = [
        f"**{regret.regime}**: {frozen} earns {loss} % less than the oracle after the break and "
        f"{calm} % less without one; {broken} % is lost by the break."
    ]
    others = [row for row in regret.rows[1:] if row.policy != ORACLE]
    lines += [
        f"Of all that {frozen} loses after the break {row.policy} recovers "
        f"{_share(row.recovered)}: {_verdict(row.recovered)}. It gains {_percent(row.adapted)} % "
        f"of income a month more on {frozen} with the break than without it."
        for row in others
        if row.recovered is not None
    ]
    if regret.by_break.low <= 0:
        said = "is not above zero for certain, so that no share of it is told"
        return [*lines, f"What {frozen} loses by the break beyond what the oracle does {said}."]
    lines += [
        f"{row.policy} recovers {_share(row.by_adapting)} of what is lost by the break: "
        f"{_verdict(row.by_adapting)}."
        for row in others
        if row.by_adapting is not None
    ]
    return lines


def _verdict(share: Interval) -> str:
    if share.low >= GOAL:
        return f"at least {GOAL:.0%} for certain"
    if share.high < GOAL:
        return f"less than {GOAL:.0%} for certain"
    return f"{GOAL:.0%} lies within the interval"


def _percent(x: Interval) -> str:
    return f"{100 * x.estimate:+.3f} ({100 * x.low:+.3f} to {100 * x.high:+.3f})"


def _share(x: Interval | None) -> str:
    return "-" if x is None else f"{x.estimate:.0%} ({x.low:.0%} to {x.high:.0%})"
