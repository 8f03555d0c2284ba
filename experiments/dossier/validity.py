"""The twin's record by variable and horizon, and the words that say what it is valid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.gate import BacktestRow, Thresholds, load
from experiments.gate.check import Status, listing, plain
from experiments.gate.checks.calibration import coverage_band, row_level
from experiments.gate.checks.skill import row_status

WORDS: dict[Status, str] = {"pass": "valid", "untested": "promising", "fail": "not valid"}


@dataclass(frozen=True)
class Score:
    """One row of the scorecard with what it is worth."""

    row: BacktestRow
    best: str  # which of twin, persistence and drift has the smallest error
    band: tuple[float, float]
    covered: bool
    status: Status

    @property
    def word(self) -> str:
        """What the row is worth in a word."""
        return WORDS[self.status]


def scores(rows: Sequence[BacktestRow], thresholds: Thresholds | None = None) -> tuple[Score, ...]:
    """Every row with its verdict: skill above the simple forecasts and honest margins."""
    chosen = thresholds or load()
    limit = chosen.number("forecast_skill.min_skill")
    nominal = chosen.number("calibration.coverage")
    level = row_level(len(rows), chosen)
    found = []
    for row in sorted(rows, key=lambda row: (row.part, row.variable, row.horizon)):
        low, high = coverage_band(row, nominal, level)
        covered = low <= row.coverage90 <= high
        errors = {"twin": row.twin, "persistence": row.persistence, "drift": row.drift}
        status: Status = row_status(row, limit) if covered else "fail"
        found.append(Score(row, min(errors, key=lambda k: errors[k]), (low, high), covered, status))
    return tuple(found)


def validity(scored: Sequence[Score]) -> str:
    """One or two sentences: valid for what, to how many years, and not for what."""
    rows = [score for score in scored if score.row.part == "all"]
    if not rows:
        return "The twin was not tried on past years: there is nothing it is known to be valid for."
    reach: dict[str, dict[Status, list[int]]] = {}
    for score in rows:
        years = reach.setdefault(score.row.variable, {"pass": [], "untested": [], "fail": []})
        years[score.status].append(score.row.horizon)
    sentences = []
    for status, opening in (
        ("pass", "Valid for"),
        ("untested", "Ahead of the simple forecasts on average, without proof, for"),
    ):
        by_years: dict[str, list[str]] = {}
        for name, years in reach.items():
            if years[status]:  # type: ignore[index]
                by_years.setdefault(_years(years[status]), []).append(plain(name))  # type: ignore[index]
        if by_years:
            parts = [f"{listing(names)} {when}" for when, names in by_years.items()]
            sentences.append(f"{opening} {'; '.join(parts)}.")
    never = [plain(name) for name, years in reach.items() if not years["pass"] + years["untested"]]
    if never:
        sentences.append(f"Not valid for {listing(never)}.")
    return " ".join(sentences)


def _years(years: list[int]) -> str:
    ahead = listing([str(year) for year in sorted(years)])
    return f"({ahead} year{'s' if years != [1] else ''} ahead)"
