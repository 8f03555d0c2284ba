"""Check 3: the twin forecasts better than persistence, drift and last year's season."""

from __future__ import annotations

from experiments.gate.check import Check, Measure, Status, listing, percent, plain
from experiments.gate.checks.decisive import (
    decision_rows,
    decisive_variables,
    incomplete,
    worst,
)
from experiments.gate.evidence import BacktestRow, Evidence
from experiments.gate.thresholds import Thresholds

NUMBER, NAME = 3, "forecast skill"


def check(evidence: Evidence, thresholds: Thresholds) -> Check:
    """Lower bound of the skill above zero, at every decision horizon, for what matters."""
    limit = thresholds.number("forecast_skill.min_skill")
    horizons = listing([str(years) for years in thresholds.values("forecast_skill.horizons")])
    requirement = f"lower 95 % bound of skill above {percent(limit, 0)} at {horizons} years"
    rows = decision_rows(evidence, thresholds)
    if not rows:
        words = "The twin was not tried on past years, so nobody knows how well it forecasts."
        return Check(NUMBER, NAME, "untested", None, limit, words, requirement=requirement)
    decisive, missing = decisive_variables(evidence, thresholds)
    statuses: dict[str, Status] = {}
    for row in rows:
        statuses[row.variable] = worst([statuses.get(row.variable, "pass"), row_status(row, limit)])
    for name in incomplete(decisive, rows, thresholds):
        statuses[name] = worst([statuses.get(name, "untested"), "untested"])
    needed = [statuses.get(name, "untested") for name in decisive] + ["untested" for _ in missing]
    status = worst(needed)
    lowest = min((_bound(row) for row in rows if row.variable in decisive), default=None)
    return Check(
        NUMBER,
        NAME,
        status,
        lowest,
        limit,
        _sentence(statuses, decisive, missing),
        figure="no decisive variable scored"
        if lowest is None
        else f"weakest skill {percent(lowest, 0)} (positive: better than the simple forecasts)",
        requirement=requirement,
        measures=tuple(_measure(row, limit) for row in rows),
        unit="share",
        variables=statuses,
        decisive=decisive,
    )


def _bound(row: BacktestRow) -> float:
    return row.crps_skill if row.crps_skill_low is None else row.crps_skill_low


def row_status(row: BacktestRow, limit: float) -> Status:
    """Status of one row: a point estimate can fail it, only an interval can pass it."""
    if row.crps_skill_low is not None:
        return "pass" if row.crps_skill_low > limit else "fail"
    beaten = row.crps_skill <= limit or row.twin >= min(row.persistence, row.drift)
    return "fail" if beaten else "untested"


def _measure(row: BacktestRow, limit: float) -> Measure:
    label = f"{plain(row.variable)}, {row.horizon} y"
    if row.part != "all":
        label += f" ({row.part})"
    return Measure(
        label, row.crps_skill, row.crps_skill_low, None, limit, None, row_status(row, limit)
    )


def _sentence(
    statuses: dict[str, Status], decisive: tuple[str, ...], missing: tuple[str, ...]
) -> str:
    def names(status: Status, among: bool) -> str:
        chosen = [n for n, s in statuses.items() if s == status and (n in decisive) == among]
        return listing([plain(name) for name in chosen])

    parts = []
    if names("pass", True):
        parts.append(f"The twin forecasts {names('pass', True)} better than simple rules of thumb.")
    if names("fail", True):
        parts.append(
            f"For {names('fail', True)} it does no better than assuming that things stay as they "
            f"are or go on as before, and the policy's benefit runs through them."
        )
    if names("untested", True):
        parts.append(
            f"For {names('untested', True)} its lead is not proven: the margin of error was not "
            f"computed at every horizon."
        )
    if missing:
        parts.append(f"No series was scored for {listing([plain(name) for name in missing])}.")
    if names("fail", False):
        parts.append(f"Its word on {names('fail', False)} should not be relied on.")
    return " ".join(parts)
