"""Rolling-origin backtest: the twin against persistence and drift (TWIN section 4).

At each origin the twin and every reference see only what was available at its end; they are
scored on the years that came later, on all variation and on the idiosyncratic part (district
minus city).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.twin import references, scores
from envs.twin.twin import Progress, Twin, forecast

Array = NDArray[np.float64]
PARTS = ("all", "idiosyncratic")
REFERENCES = ("persistence", "drift")
_LEVEL = 0.9
_REFERENCE_MEMBERS = 256


@dataclass(frozen=True)
class Row:
    """Scores of one variable, part and horizon.

    twin, persistence, drift: mean absolute log error; crps_skill: one minus fair CRPS over
    that of the better reference, with its 95 % interval by blocks of origins; coverage90:
    share of figures inside the twin's central 90 % interval; effective: independent
    forecasts behind the coverage (origins); n: scored figures.
    """

    variable: str
    part: str
    horizon: int
    n: int
    twin: float
    persistence: float
    drift: float
    crps_skill: float
    crps_skill_low: float
    crps_skill_high: float
    coverage90: float
    pit: float
    n_effective: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready mapping; missing figures are null."""
        return {
            key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in self.__dict__.items()
        }


def part_of(values: Array, part: str) -> Array:
    """All variation, or the deviation from the mean over districts (last axis)."""
    return values if part == "all" else references.idiosyncratic(values)


def backtest(
    twin: Twin,
    origins: Sequence[int],
    horizons: Sequence[int],
    progress: Progress | None = None,
    seed: int = 0,
) -> list[Row]:
    """Score forecasts from every origin at every horizon.

    Raises:
        ValueError: an origin the twin has no analysis for, or nothing to score.
    """
    missing = [origin for origin in origins if origin not in twin.analyses]
    if missing:
        known = sorted(twin.analyses)
        raise ValueError(f"origins {missing}: the twin knows {known[0]} to {known[-1]}")
    cases: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    years = list(twin.data.years)
    for done, origin in enumerate(origins):
        if progress:
            progress("forecasting", done, len(origins))
        reach = min(max(horizons), years[-1] - origin)
        if reach < 1:
            continue
        ahead = forecast(twin, origin, reach, seed).numpy()
        for horizon in (h for h in horizons if h <= reach):
            _score(twin, origin, horizon, ahead[horizon - 1], cases, seed)
    if not cases:
        raise ValueError("nothing to score: no origin has figures at these horizons")
    return [_row(key, found, seed) for key, found in sorted(cases.items())]


def _score(
    twin: Twin,
    origin: int,
    horizon: int,
    ahead: Array,
    cases: dict[tuple[str, str, int], list[dict[str, Any]]],
    seed: int,
) -> None:
    """Add the scores of one origin and horizon, variable by variable."""
    years = list(twin.data.years)
    now = years.index(origin)
    for v, name in enumerate(twin.data.series):
        panel = twin.data.panel[:, v]
        truth = panel[now + horizon]
        known = twin.seen[origin][:, v]
        if np.isnan(truth).all() or np.isnan(known[-1]).all():
            continue
        rng = np.random.default_rng([seed, origin, horizon, v])
        for part in PARTS:
            seen = part_of(known, part)
            actual = part_of(truth, part)
            fan = part_of(ahead[:, v], part)
            row: dict[str, Any] = {
                "twin": np.abs(fan.mean(0) - actual),
                "crps": scores.fair_crps(fan, actual),
                "covered": scores.covered(fan, actual, _LEVEL),
                "pit": scores.pit(fan, actual, rng),
                "actual": actual,
            }
            for reference in REFERENCES:
                forecaster = references.REFERENCES[reference]
                row[reference] = np.abs(forecaster(seen, horizon) - actual)
                row[f"{reference}_crps"] = _reference_crps(forecaster, seen, horizon, actual, rng)
            cases.setdefault((name, part, horizon), []).append(row)


def _reference_crps(
    forecaster: references.Forecast,
    seen: Array,
    horizon: int,
    actual: Array,
    rng: np.random.Generator,
) -> Array:
    try:
        fan = references.ensemble(forecaster, seen, horizon, _REFERENCE_MEMBERS, rng)
    except ValueError:
        return np.full(actual.shape, np.nan)
    return scores.fair_crps(fan, actual)


def _row(key: tuple[str, str, int], found: list[dict[str, Any]], seed: int) -> Row:
    variable, part, horizon = key

    def stack(name: str) -> Array:
        return np.stack([np.asarray(case[name], dtype=float) for case in found])

    actual = stack("actual")
    crps = stack("crps")
    fans = {name: stack(f"{name}_crps") for name in REFERENCES}
    best = min(
        fans,
        key=lambda name: float(np.nanmean(fans[name])) if np.isfinite(fans[name]).any() else np.inf,
    )
    rng = np.random.default_rng([seed, horizon, len(found)])
    both = np.isfinite(crps) & np.isfinite(fans[best])
    value = low = high = np.nan
    if both.any():
        blocks = np.broadcast_to(np.arange(len(found))[:, None], crps.shape)
        skill = scores.skill(crps[both], fans[best][both], blocks[both], rng)
        value, low, high = skill.value, skill.lower, skill.upper
    per_origin = np.array([np.nanmean(case["pit"]) for case in found])
    return Row(
        variable=variable,
        part=part,
        horizon=horizon,
        n=int(np.isfinite(actual).sum()),
        twin=float(np.nanmean(stack("twin"))),
        persistence=float(np.nanmean(stack("persistence"))),
        drift=float(np.nanmean(stack("drift"))),
        crps_skill=float(value),
        crps_skill_low=float(low),
        crps_skill_high=float(high),
        coverage90=float(np.nanmean(stack("covered"))),
        pit=float(scores.uniformity_p_value(per_origin)),
        n_effective=len(found),
    )
