"""Check 4: the twin's forecast intervals hold as many outcomes as they promise."""

from __future__ import annotations

from envs.twin.scores import binomial_band
from experiments.gate.check import Check, Measure, Status, listing, percent, plain
from experiments.gate.checks.decisive import (
    decision_rows,
    decisive_variables,
    incomplete,
    worst,
)
from experiments.gate.evidence import BacktestRow, Evidence
from experiments.gate.thresholds import Thresholds

NUMBER, NAME = 4, "calibration"


def check(evidence: Evidence, thresholds: Thresholds) -> Check:
    """Coverage inside its binomial band and outcomes spread evenly over the forecast."""
    nominal = thresholds.number("calibration.coverage")
    least_p = thresholds.number("calibration.min_pit_p")
    requirement = (
        f"share of outcomes inside the {percent(nominal, 0)} interval within its binomial band; "
        f"evenness p above {least_p:g}"
    )
    rows = decision_rows(evidence, thresholds)
    if not rows:
        words = "The twin was not tried on past years, so its margins of error are not known."
        return Check(NUMBER, NAME, "untested", None, nominal, words, requirement=requirement)
    decisive, missing = decisive_variables(evidence, thresholds)
    level = row_level(len(rows), thresholds)
    statuses: dict[str, Status] = {}
    measures = []
    for row in rows:
        measure = _measure(row, nominal, level)
        measures.append(measure)
        statuses[row.variable] = worst([statuses.get(row.variable, "pass"), measure.status])
    uneven = [name for name, p in evidence.pit.items() if p <= least_p and name in statuses]
    for name in uneven:
        statuses[name] = "fail"
    without_pit = [name for name in statuses if name not in evidence.pit]
    for name in (*without_pit, *incomplete(decisive, rows, thresholds)):
        statuses[name] = worst([statuses.get(name, "untested"), "untested"])
    needed = [statuses.get(name, "untested") for name in decisive] + ["untested" for _ in missing]
    status = worst(needed)
    chosen = [row.coverage90 for row in rows if row.variable in decisive]
    furthest = max(chosen, key=lambda share: abs(share - nominal), default=None)
    return Check(
        NUMBER,
        NAME,
        status,
        furthest,
        nominal,
        _sentence(rows, measures, statuses, decisive, missing, uneven),
        figure="no decisive variable scored"
        if furthest is None
        else f"furthest from {percent(nominal, 0)}: {percent(furthest, 0)} of outcomes inside",
        requirement=requirement,
        measures=tuple(measures),
        unit="share",
        variables=statuses,
        decisive=decisive,
    )


def coverage_band(row: BacktestRow, nominal: float, level: float) -> tuple[float, float]:
    """Range in which the coverage of a calibrated forecast falls with probability ``level``."""
    count = row.n if row.n_effective is None else row.n_effective
    return binomial_band(max(1, int(count)), nominal, level)


def row_level(rows: int, thresholds: Thresholds) -> float:
    """Level of one row's band so that all ``rows`` bands hold together (Bonferroni)."""
    return 1 - (1 - thresholds.number("calibration.band_level")) / max(1, rows)


def _measure(row: BacktestRow, nominal: float, level: float) -> Measure:
    low, high = coverage_band(row, nominal, level)
    inside = low <= row.coverage90 <= high
    label = f"{plain(row.variable)}, {row.horizon} y"
    if row.part != "all":
        label += f" ({row.part})"
    return Measure(label, row.coverage90, least=low, most=high, status="pass" if inside else "fail")


def _sentence(
    rows: tuple[BacktestRow, ...],
    measures: list[Measure],
    statuses: dict[str, Status],
    decisive: tuple[str, ...],
    missing: tuple[str, ...],
    uneven: list[str],
) -> str:
    def names(chosen: list[str]) -> str:
        return listing([plain(name) for name in dict.fromkeys(chosen)])

    pairs = [
        (row.variable, measure)
        for row, measure in zip(rows, measures, strict=True)
        if row.variable in decisive
    ]
    narrow = [name for name, m in pairs if m.least is not None and m.value < m.least]
    wide = [name for name, m in pairs if m.most is not None and m.value > m.most]
    parts = []
    good = [name for name in decisive if statuses.get(name) == "pass"]
    if good:
        parts.append(f"The twin's margins of error for {names(good)} are honest.")
    if narrow:
        parts.append(
            f"For {names(narrow)} it is too sure of itself: reality falls outside too often."
        )
    if wide:
        parts.append(f"For {names(wide)} its margins are wider than they need be.")
    slanted = [name for name in uneven if name in decisive]
    if slanted:
        parts.append(f"For {names(slanted)} outcomes lean to one side of the forecast.")
    untested = [name for name in decisive if statuses.get(name) == "untested"]
    if untested:
        parts.append(f"For {names(untested)} the margins were not tested in full.")
    if missing:
        parts.append(f"No series was scored for {names(list(missing))}.")
    outside = [n for n, s in statuses.items() if s == "fail" and n not in decisive]
    if outside:
        parts.append(f"Its margins for {names(outside)} should not be relied on.")
    return " ".join(parts)
