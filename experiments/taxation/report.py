"""The report on taxation: tables, and the page `docs/taxation.md` that the command writes."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.sheets import Sheet, markdown
from experiments.taxation.play import AVERSIONS
from experiments.taxation.response import PARTS
from experiments.taxation.results import BASELINE, Duel, Gain, Taxation
from experiments.taxation.saez import RATE
from experiments.taxation.study import ENTRANTS

NAMES = {
    "saez": "Saez",
    "constant": "constant, by gradient",
    "learned": "learned, with rebates",
}
RIVALS = tuple(name for name in ENTRANTS if name != BASELINE)
VERDICTS = {1: "beats it", 0: "overlaps", -1: "loses"}
#: Measures by which entrants are ranked.
_SCORED = ("adapted", "path")
_DIGITS = 2


def sheets(found: Taxation) -> list[Sheet]:
    """All tables."""
    return [_rules(found), _gains(found), _duels(found)]


def page(found: Taxation, title: str, command: str, picture: str | None) -> str:
    """The page as Markdown.

    Args:
        title: of the cities. command: that wrote it. picture: path from the page, or None.
    """
    work = found.effort
    years, governed, held = work.months // 12, work.governed // 12, work.response // 12
    adapted = years - work.adapted // 12
    shown = [] if picture is None else [f"![Gains by aversion, and rates]({picture})"]
    parts = [
        "# A learned tax against Saez's formula",
        "The comparison of the AI-Economist (Zheng et al. 2020, "
        "[arXiv 2004.13332](https://arxiv.org/abs/2004.13332)) in the tax sub-game of the city: a "
        "schedule of income tax that is learned, against the optimal one by formula with the "
        "elasticity of taxable income estimated in the same city, at an aversion to inequality of "
        f"0, 1 and 2 (Atkinson), on {found.cities} {title} that nothing was trained or tuned on, "
        "after people have adapted. Written by",
        f"```\n{command}\n```",
        "(`--quick` takes a minute or two and hardly learns, `--json FILE` keeps every city.)",
        "## What is compared",
        "Scenario `taxation_v0`: once a year a treasury sets the city's income tax; everything "
        f"else stays as it is today. The city has one flat rate (today {100 * RATE.default:g} %, "
        f"at most {100 * RATE.high:g} %) and a rebate for each of six household types, so that a "
        "schedule is piecewise linear: a rate, less what comes back. Revenue beyond what today's "
        "services ask for is returned as an equal dividend to every resident, month by month: a "
        "rate above today's is revenue-neutral, with a demogrant. Nobody can be taxed by head, and "
        "a rate below today's is paid for by services. Residents answer by hours, evasion, false "
        "claims of rebates, and by moving; employers, rents and wages by the rest of the model.",
        "\n".join(f"- {line}" for line in _entrants(found)),
        "Welfare is equally-distributed-equivalent income of the first year's residents, by type "
        "(fixed weights: driving the poor out is no gain), percent of mean income, against the "
        f"same city under today's schedule in the same weather (`{found.dynamics}`). Schedules may "
        f"move for {governed} years and stand still from then on, so that nobody gains from a tax "
        f"that people have yet to answer. *Adapted*: discounted mean of years {adapted + 1} to "
        f"{years}; *whole path*: of years 1 to {years}. "
        "*Who lives there now*: the adapted figure counted over the residents of the day instead, "
        "which falls as poorer people move in. Intervals: 95 %, bootstrap over cities.",
        f"The elasticity is that of declared income to the net-of-tax rate, {held} years after a "
        f"rise of the rate by {work.rise:g} that is announced, held for good and returned by "
        f"head, mean of the last {work.window} months, in another weather than the one that is "
        f"scored. It is {found.elasticity['base']:.2f} on average (standard deviation over cities "
        f"{found.spread:.2f}): {_parts(found)}.",
        markdown(sheets(found), 2).rstrip(),
        *shown,
        "## Reading",
        "\n".join(f"- {line}" for line in readings(found)),
    ]
    return "\n\n".join(parts) + "\n"


def readings(found: Taxation) -> list[str]:
    """What the tables say, in words that follow from the figures."""
    lines = [_sentence(found, aversion) for aversion in AVERSIONS]
    wins = [
        aversion for aversion in AVERSIONS if found.duel(aversion, "learned", "adapted").apart > 0
    ]
    everywhere = len(wins) == len(AVERSIONS)
    claim = "is earned" if everywhere else "is not earned"
    lines.append(
        "The claim that a learned schedule beats the formula at every aversion, once people have "
        f"adapted and with intervals that do not overlap, {claim}"
        + ("." if everywhere else f": it holds at {_listed(wins)}." if wins else ": at none.")
    )
    lines.append(
        "At an aversion of 0 little can be won: every weight is one, the formula asks for no tax "
        "by rate and all of it by head, which the city cannot levy, and the model is calibrated so "
        "that a unit of tax costs today what it is worth when spent "
        "([no free lunches](no-free-lunches.md)). Saez's schedule is then today's."
    )
    return lines


def _sentence(found: Taxation, aversion: float) -> str:
    parts = []
    for measure, words in zip(_SCORED, ("once adapted", "on the whole path"), strict=True):
        duel = found.duel(aversion, "learned", measure)
        parts.append(f"{_signed(duel.difference)} {words} ({VERDICTS[duel.apart]})")
    return f"**Aversion {aversion:g}**: learned minus Saez {' and '.join(parts)}, % of income."


def _entrants(found: Taxation) -> list[str]:
    """What each entrant is."""
    work = found.effort
    plan = work.planning()
    return [
        "**Saez**: in each city the optimal linear rate t / (1 - t) = (1 - g) / e (Saez 2001; "
        "Piketty & Saez 2013), with the elasticity e estimated there and g the social weights of "
        "the objective at first-year incomes, averaged over income. An optimum below today's "
        "rate, which would need a tax by head, is today's.",
        "**Constant, by gradient**: one rate for all cities and years, by ADAM through the "
        f"differentiable model on {plan.cities} training cities. For reference.",
        f"**Learned, with rebates**: a policy (`{work.learner}`) that sees published figures and "
        "the first year's mix of types and sets the rate and six rebates every year; "
        f"{work.experience().env_steps:,} city years of training on {work.worlds} other cities, "
        "one policy for each aversion. Stocks left at the end are paid at their shadow prices, so "
        "that living off the slow answer of migration does not pay; welfare is otherwise its "
        "whole reward. Its settings were chosen once and not tuned, so that a longer search may "
        "do better.",
    ]


def _rules(found: Taxation) -> Sheet:
    rows = []
    for aversion in AVERSIONS:
        rule, score = found.rules[aversion], found.scores[aversion][BASELINE]
        shown = [
            f"{rule['weight']:.3f}",
            f"{found.elasticity['base']:.3f}",
            *(f"{100 * rule[name]:.1f}" for name in ("optimum", "rate")),
            f"{100 * score.demogrant[-1]:.1f}",
        ]
        rows.append((f"{aversion:g}", *shown))
    columns = ("aversion", ">mean weight", ">elasticity", ">optimum %", ">rate %", ">demogrant %")
    notes = (
        "Means over cities. Mean weight: social weight of income over that of a unit given to "
        "everybody. Rate: the optimum within what the city may do. Demogrant: dividend at the end "
        "over mean gross pay; cities that grow have one at today's rate too.",
    )
    return Sheet("What the formula says", columns, rows, notes)


def _gains(found: Taxation) -> Sheet:
    rows = [
        (
            f"{aversion:g}" if name == ENTRANTS[0] else "",
            NAMES[name],
            *(_interval(found.gain(aversion, name, measure)) for measure in _SCORED),
            _signed(found.gain(aversion, name, "residents")),
            f"{100 * found.scores[aversion][name].rates[-1]:.1f}",
        )
        for aversion in AVERSIONS
        for name in ENTRANTS
    ]
    columns = (
        "aversion",
        "schedule",
        ">adapted",
        ">whole path",
        ">who lives there now",
        ">rate at the end %",
    )
    notes = (
        f"Percent of the first year's income over today's schedule, mean of {found.cities} "
        "held-out cities with its 95 % interval. Today's schedule is 0.",
    )
    return Sheet("Gains over today's schedule", columns, rows, notes)


def _duels(found: Taxation) -> Sheet:
    rows = []
    for aversion in AVERSIONS:
        for name in RIVALS:
            duels = [found.duel(aversion, name, measure) for measure in _SCORED]
            shown = [text for duel in duels for text in _duel(duel)]
            rows.append((f"{aversion:g}" if name == RIVALS[0] else "", NAMES[name], *shown))
    columns = ("aversion", "schedule", ">adapted", "and", ">whole path", "and ")
    notes = (
        "Minus Saez, city by city, percent of income, with its 95 % interval; beats it, loses: "
        "the 95 % intervals of the two means do not overlap.",
    )
    return Sheet("Against Saez", columns, rows, notes)


def _duel(duel: Duel) -> tuple[str, str]:
    return _interval(duel.difference), VERDICTS[duel.apart]


def _interval(gain: Gain) -> str:
    return f"{_signed(gain)} ({_percent(gain.low)} to {_percent(gain.high)})"


def _signed(gain: Gain) -> str:
    return _percent(gain.mean)


def _percent(value: float) -> str:
    """With a sign, but no minus before nothing."""
    return f"{round(value, _DIGITS) + 0.0:+.{_DIGITS}f}"


def _parts(found: Taxation) -> str:
    words = {"population": "residents", "earnings": "pay a head", "honesty": "share declared"}
    return ", ".join(f"{found.elasticity[name]:+.2f} {words[name]}" for name in PARTS)


def _listed(aversions: Sequence[float]) -> str:
    return " and ".join(f"{aversion:g}" for aversion in aversions)
