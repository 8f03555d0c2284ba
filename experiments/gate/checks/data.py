"""Check 0: the data are recent, keep the package's contract and were known in time."""

from __future__ import annotations

from experiments.gate.check import Check, Measure, listing, plain
from experiments.gate.evidence import Evidence, SeriesFact
from experiments.gate.thresholds import Thresholds

NUMBER, NAME = 0, "data"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def check(evidence: Evidence, thresholds: Thresholds) -> Check:
    """Newest figure no older than twice its publishing interval; no problem; no look-ahead."""
    limit = thresholds.number("data.max_age_intervals")
    requirement = f"newest figure at most {limit:g} publishing intervals old"
    facts = evidence.data
    if facts is None or not facts.series:
        words = "No facts about the data were handed in, so their age is not known."
        return Check(NUMBER, NAME, "untested", None, limit, words, requirement=requirement)
    ages = {series: _age(series, facts.as_of_month) for series in facts.series}
    faults = [_stale(series, facts.as_of_month) for series, age in ages.items() if age > limit]
    early = [series for series, age in ages.items() if age < 0]
    if early:
        names = listing([plain(series.variable) for series in early])
        faults.append(f"{names} hold figures from after {month_name(facts.as_of_month)}")
    if facts.look_ahead:
        faults.append(f"{facts.look_ahead} figures were used before they were published")
    if facts.problems:
        shown = "; ".join(facts.problems[:3])
        faults.append(f"the package has {len(facts.problems)} problems ({shown})")
    oldest = max(ages.values())
    when = month_name(facts.as_of_month)
    if faults:
        words = f"As of {when}, " + "; ".join(faults) + "."
    else:
        words = (
            f"As of {when}, all {len(ages)} series are recent enough (the oldest is "
            f"{oldest:.1f} publishing intervals old), the package keeps its contract and no "
            f"figure was used before it was published."
        )
    return Check(
        NUMBER,
        NAME,
        "fail" if faults else "pass",
        oldest,
        limit,
        words,
        figure=f"oldest series {oldest:.1f} intervals old",
        requirement=requirement,
        measures=tuple(
            Measure(
                plain(series.variable),
                age,
                least=0.0,
                most=limit,
                status="pass" if 0 <= age <= limit else "fail",
            )
            for series, age in ages.items()
        ),
    )


def month_name(month: int) -> str:
    """Month index (12 * year + month - 1) as words: "Dec 2015"."""
    return f"{_MONTHS[month % 12]} {month // 12}"


def _age(series: SeriesFact, as_of_month: int) -> float:
    return (as_of_month - series.newest_month) / series.interval_months


def _stale(series: SeriesFact, as_of_month: int) -> str:
    months = as_of_month - series.newest_month
    return (
        f"the newest figure for {plain(series.variable)} ({month_name(series.newest_month)}) is "
        f"{months} months old, more than its publishing rhythm allows"
    )
