"""Rolling-origin backtest: figures as defined, rows as documented, messages for bad origins."""

from __future__ import annotations

import numpy as np
import pytest

from envs.twin import references
from envs.twin.backtest import PARTS, Row, backtest, part_of
from envs.twin.twin import Twin, forecast

ORIGINS = (2010, 2011, 2012)


@pytest.fixture(scope="module")
def rows(london_twin: Twin) -> dict[tuple[str, str, int], Row]:
    found = backtest(london_twin, ORIGINS, (1, 3))
    return {(row.variable, row.part, row.horizon): row for row in found}


def test_one_row_for_each_variable_part_and_horizon(
    rows: dict[tuple[str, str, int], Row], london_twin: Twin
) -> None:
    names = london_twin.data.series
    assert set(rows) == {(name, part, h) for name in names for part in PARTS for h in (1, 3)}
    assert len(names) == 8
    for row in rows.values():
        assert row.n_effective == 3
        assert row.n == 99 or row.variable == "median_salary"
        assert 0 <= row.coverage90 <= 1
        assert 0 <= row.pit <= 1
        assert row.crps_skill_low <= row.crps_skill <= row.crps_skill_high


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("variable", ["population", "house_price", "gva_per_job"])
def test_references_are_those_computed_directly(
    rows: dict[tuple[str, str, int], Row], london_twin: Twin, variable: str, part: str
) -> None:
    panel = part_of(london_twin.data.panel[:, london_twin.data.series.index(variable)], part)
    for horizon in (1, 3):
        for name in ("persistence", "drift"):
            errors = []
            for origin in ORIGINS:
                now = origin - 2001
                ahead = references.REFERENCES[name](panel[: now + 1], horizon)
                errors.append(np.abs(ahead - panel[now + horizon]))
            assert getattr(rows[variable, part, horizon], name) == pytest.approx(
                float(np.nanmean(errors)), rel=1e-9
            )


def test_twin_s_error_and_coverage_are_those_of_its_forecast(
    rows: dict[tuple[str, str, int], Row], london_twin: Twin
) -> None:
    v = london_twin.data.series.index("jobs")
    errors, held = [], []
    for origin in ORIGINS:
        fan = forecast(london_twin, origin, 3)[2, :, v].numpy()
        actual = london_twin.data.panel[origin + 3 - 2001, v]
        errors.append(np.abs(fan.mean(0) - actual))
        low, high = np.quantile(fan, [0.05, 0.95], axis=0)
        held.append((actual >= low) & (actual <= high))
    row = rows["jobs", "all", 3]
    assert row.twin == pytest.approx(float(np.mean(errors)), rel=1e-9)
    assert row.coverage90 == pytest.approx(float(np.mean(held)), abs=0.03)


def test_city_means_do_not_count_in_the_idiosyncratic_part() -> None:
    values = np.array([[0.1, 0.3, np.nan], [1.0, 2.0, 3.0]])
    moved = part_of(values + np.array([[5.0], [-7.0]]), "idiosyncratic")
    np.testing.assert_allclose(moved, part_of(values, "idiosyncratic"), atol=1e-12)
    np.testing.assert_allclose(part_of(values, "all"), values)


def test_twin_is_not_far_behind_and_its_intervals_are_honest(
    rows: dict[tuple[str, str, int], Row],
) -> None:
    """A broken twin is many times worse; a good one is near the references and honest."""
    one = [row for row in rows.values() if row.part == "all" and row.horizon == 1]
    for row in one:
        assert row.twin < 4 * min(row.persistence, row.drift), row
        assert row.coverage90 >= 0.4, row  # 64 members over three origins are few
    assert 0.75 <= np.mean([row.coverage90 for row in one]) <= 1.0


def test_rows_read_as_documented(rows: dict[tuple[str, str, int], Row]) -> None:
    row = rows["population", "all", 1].as_dict()
    documented = ("variable", "part", "horizon", "n", "twin", "persistence", "drift")
    assert set(documented) | {"crps_skill", "coverage90"} <= set(row)


def test_missing_figures_become_null() -> None:
    row = Row("jobs", "all", 1, 0, *[float("nan")] * 8, 0)
    assert row.as_dict()["twin"] is None
    assert row.as_dict()["variable"] == "jobs"


@pytest.mark.parametrize(
    ("origins", "words"),
    [([1990], r"origins \[1990\]: the twin knows 2001 to 2015"), ([2015], "nothing to score")],
)
def test_bad_origins_are_named(london_twin: Twin, origins: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        backtest(london_twin, origins, [1])
