"""The twin sees nothing that was not known, and what governments did drives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from envs.city import tree
from envs.city.levers import LEVERS
from envs.city.sizes import SERVICE_NAMES
from envs.twin import backtest
from envs.twin.interventions import Logged, logged, requested
from envs.twin.packages import read_package
from envs.twin.twin import Twin, december, fit, forecast, posterior_city, save_summary, summary
from tests.twin import made_up

YEARS = 6
ORIGIN = made_up.FIRST + 4


def fitted(folder: Path, texts: dict[str, str], known_until: int | None = None) -> Twin:
    return fit(made_up.package(folder, texts), made_up.settings(), known_until)


def edited(texts: dict[str, str], change: Callable[[list[str]], list[list[str]]]) -> dict[str, str]:
    """The package with each observation (split at commas) replaced by some."""
    head, *rows = texts["observations.csv"].split()
    new = [",".join(cells) for row in rows for cells in change(row.split(","))]
    return texts | {"observations.csv": "\n".join([head, *new]) + "\n"}


@pytest.fixture(scope="module")
def world() -> made_up.World:
    return made_up.worlds(seed=31, years=YEARS)


@pytest.fixture(scope="module")
def texts(world: made_up.World) -> dict[str, str]:
    return made_up.texts(world, row=1)


@pytest.fixture(scope="module")
def twin(texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Twin:
    return fitted(tmp_path_factory.mktemp("city") / "c", texts)


def assert_same_past(one: Twin, other: Twin, until: int) -> None:
    """Analyses, figures seen and forecasts of all origins to the bit."""
    for year in range(made_up.FIRST, until + 1):
        pairs = zip(tree.leaves(one.analyses[year]), tree.leaves(other.analyses[year]), strict=True)
        for (name, a), (_, b) in pairs:
            assert torch.equal(a, b), (year, name)
        assert np.array_equal(one.seen[year], other.seen[year], equal_nan=True)
    assert torch.equal(forecast(one, until, 2), forecast(other, until, 2))


def later_figures(cells: list[str]) -> list[list[str]]:
    """Everything after the origin is another city's."""
    if int(cells[0]) > ORIGIN:
        cells[3] = str(3.7 * float(cells[3]))
    return [cells]


def later_revisions(cells: list[str]) -> list[list[str]]:
    """Every figure up to the origin, the first year's included, is revised a year after it."""
    if int(cells[0]) > ORIGIN:
        return [cells]
    return [cells, [*cells[:3], str(1.3 * float(cells[3])), "", f"{ORIGIN + 1}-06-01"]]


def late_publication(cells: list[str]) -> list[list[str]]:
    """The origin's own jobs are published a year late."""
    if cells[2] == "jobs" and int(cells[0]) == ORIGIN:
        return [[*cells[:4], "", f"{ORIGIN + 1}-12-31"]]
    return [cells]


@pytest.mark.parametrize("change", [later_figures, later_revisions], ids=lambda f: f.__name__)
def test_what_comes_later_changes_no_earlier_analysis_or_forecast(
    twin: Twin, texts: dict[str, str], tmp_path: Path, change: Any
) -> None:
    other = fitted(tmp_path / "c", edited(texts, change))
    assert_same_past(twin, other, ORIGIN)
    assert not torch.equal(twin.members.world.price_level, other.members.world.price_level), (
        "the change must be seen once it is known"
    )


def test_known_until_equals_the_past_of_a_longer_fit(
    twin: Twin, texts: dict[str, str], tmp_path: Path
) -> None:
    short = fitted(tmp_path / "c", texts, known_until=ORIGIN)
    assert short.last_year == ORIGIN
    assert short.data.years[-1] == ORIGIN
    assert_same_past(twin, short, ORIGIN)


def test_no_year_is_assimilated_beyond_the_newest_figure(
    texts: dict[str, str], tmp_path: Path
) -> None:
    kept = edited(texts, lambda cells: [cells] if int(cells[0]) < made_up.FIRST + 2 else [])
    twin = fitted(tmp_path / "c", kept, known_until=made_up.FIRST + 30)
    assert twin.last_year == made_up.FIRST + 1


def test_a_figure_published_late_is_not_seen_at_its_origin(
    texts: dict[str, str], tmp_path: Path
) -> None:
    twin = fitted(tmp_path / "c", edited(texts, late_publication))
    jobs = twin.data.series.index("jobs")
    assert np.isnan(twin.seen[ORIGIN][-1, jobs]).all()
    assert np.isfinite(twin.seen[ORIGIN + 1][-2, jobs]).all()


def test_references_see_what_was_known_at_the_origin(
    texts: dict[str, str], tmp_path: Path, twin: Twin
) -> None:
    """A revision of the past after the origin must not help persistence and drift."""

    def revised(cells: list[str]) -> list[list[str]]:
        if cells[2] != "population" or int(cells[0]) != ORIGIN:
            return [cells]
        return [cells, [*cells[:3], str(2 * float(cells[3])), "", f"{ORIGIN + 1}-06-01"]]

    other = fitted(tmp_path / "c", edited(texts, revised))
    before, after = (
        {(r.variable, r.part): r for r in backtest.backtest(t, [ORIGIN], [1])}
        for t in (twin, other)
    )
    for part in backtest.PARTS:
        for name in ("twin", "persistence", "drift"):
            one, two = (getattr(t[("population", part)], name) for t in (before, after))
            assert one == pytest.approx(two, abs=1e-12)


def test_a_series_first_figure_says_nothing_about_growth_before_it(
    texts: dict[str, str], tmp_path: Path
) -> None:
    """A series counts from its first figure on, so that figure itself moves nothing."""
    begins = made_up.FIRST + 2

    def cut(first: int) -> Callable[[list[str]], list[list[str]]]:
        def change(cells: list[str]) -> list[list[str]]:
            if cells[2] != "gva_per_job" or int(cells[0]) > begins + 1:
                return [cells]
            return [[*cells[:3], "60000", "", ""]] if int(cells[0]) >= first else []

        return change

    early, late = (
        fitted(tmp_path / str(first), edited(texts, cut(first)), known_until=begins)
        for first in (begins, begins + 1)
    )
    v = early.data.series.index("gva_per_job")
    assert (early.data.panel[-1, v] == 0).all()
    assert np.isnan(late.data.panel[:, v]).all()
    pairs = zip(tree.leaves(early.members.world), tree.leaves(late.members.world), strict=True)
    for (name, a), (_, b) in pairs:
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=name)


def test_a_year_without_any_figure_is_no_obstacle(texts: dict[str, str], tmp_path: Path) -> None:
    gap = made_up.FIRST + 2
    twin = fitted(
        tmp_path / "c", edited(texts, lambda cells: [] if int(cells[0]) == gap else [cells])
    )
    assert gap in twin.analyses
    assert gap not in [row.year for row in twin.innovations]
    assert all(np.isfinite(row.normalised) for row in twin.innovations)
    assert torch.isfinite(forecast(twin, twin.last_year, 1)).all()


def test_today_s_ensemble_is_a_calibrated_city_that_goes_on(twin: Twin) -> None:
    """Its first month under today's policy equals the twin's, drifted world included."""
    from envs.city.shocks import no_shocks

    city = posterior_city(twin)
    assert city.rows == made_up.MEMBERS
    now = twin.members
    like = city.start.planning.home_rent
    _, flows = city.step(city.start, {}, no_shocks(*like.shape, like))
    _, expected = now.city.step(now.state, {}, now.world.shocks())
    for name in ("jobs", "wages", "sales"):
        torch.testing.assert_close(
            getattr(flows.market, name), getattr(expected.market, name), rtol=1e-9, atol=1e-12
        )


def test_summary_is_written_as_it_is(twin: Twin, tmp_path: Path) -> None:
    import json

    save_summary(twin, tmp_path / "fit.json")
    assert json.loads((tmp_path / "fit.json").read_text()) == json.loads(json.dumps(summary(twin)))
    assert summary(twin)["series"] == list(twin.data.series)


# What governments did.


def log_of(texts: dict[str, str], folder: Path, rows: list[str]) -> Logged:
    """The made-up city with logged actions."""
    import json

    described = json.loads(texts["datapackage.json"])
    described["resources"].append({"name": "actions", "path": "actions.csv"})
    variables = texts["variables.csv"] + (
        "council_tax_band_d,action,GBP/dwelling/year,planning,year,\n"
        "spend_education,action,GBP/year,services,year,\n"
    )
    content = texts | {
        "datapackage.json": json.dumps(described),
        "variables.csv": variables,
        "actions.csv": "\n".join(["time,district,lever,value,available", *rows]) + "\n",
    }
    return logged(read_package(made_up.package(folder, content)))


def doubling(lever: str, first: int, last: int) -> list[str]:
    """A lever that doubles every year in every district."""
    return [
        f"{year},D{d},{lever},{100 * 2 ** (year - first)},"
        for year in range(first, last + 1)
        for d in range(made_up.DISTRICTS)
    ]


def test_spending_is_deflated_from_the_start_of_its_log_and_held_at_its_end(
    twin: Twin, texts: dict[str, str], tmp_path: Path
) -> None:
    first = made_up.FIRST + 2
    log = log_of(texts, tmp_path / "c", doubling("spend_education", first, first + 1))
    now = twin.analyses[first]
    before = twin.analyses[first - 1]
    column = SERVICE_NAMES.index("education")

    def staff(year: int, known: int) -> torch.Tensor:
        policy = requested(log, year, known, now, twin.analyses)
        assert policy is not None
        return policy["staff"][..., column]

    default = LEVERS["staff"].default
    assert torch.equal(
        staff(first - 1, first - 1), torch.full_like(staff(first - 1, first - 1), default)
    )
    rise = torch.exp(now.world.price_level - before.world.price_level).unsqueeze(-1)
    torch.testing.assert_close(staff(first, first), (1 / rise).expand_as(staff(first, first)))
    doubled = staff(first + 1, first + 1)
    most = LEVERS["staff"].high
    torch.testing.assert_close(doubled, (2 / rise).clamp(max=most).expand_as(doubled))
    assert torch.equal(staff(first + 5, first + 5), doubled), "held at the last logged value"
    assert torch.equal(staff(first + 1, first), staff(first, first)), "held at the origin's"


def test_actions_published_later_are_unknown_and_revisions_are_no_mean(
    twin: Twin, texts: dict[str, str], tmp_path: Path
) -> None:
    first = made_up.FIRST
    rows = doubling("spend_education", first, first)
    rows += [f"{first + 1},D{d},spend_education,150,{first + 3}-02-01" for d in range(6)]
    rows += [f"{first + 1},D{d},spend_education,900,{first + 4}-02-01" for d in range(6)]
    log = log_of(texts, tmp_path / "c", rows)
    assert log.known("spend_education", first + 1, first + 2).iloc[-1].tolist() == [100.0] * 6
    assert log.known("spend_education", first + 1, first + 3).iloc[-1].tolist() == [150.0] * 6
    assert log.known("spend_education", first + 1, first + 9).iloc[-1].tolist() == [150.0] * 6


def test_without_a_log_levers_stay_at_today_s(twin: Twin, texts: dict[str, str]) -> None:
    assert twin.log.levers == ()
    assert requested(twin.log, 2003, 2003, twin.members, twin.analyses) is None


def test_rich_london_s_council_tax_and_spending_drive_the_twin(
    rich_london: Path, london_twin: Twin
) -> None:
    log = logged(read_package(rich_london))
    assert {"council_tax_band_d", "spend_education", "spend_transport"} <= set(log.levers)
    tables: dict[str, pd.DataFrame] = log.tables
    assert tables["council_tax_band_d"].loc[2015].gt(0).all()
    members = london_twin.analyses[2014]
    policy = requested(log, 2015, 2015, members, london_twin.analyses)
    assert policy is not None
    for name in ("property_tax", "staff", "maintenance"):
        assert (policy[name] >= LEVERS[name].low).all()
        assert (policy[name] <= LEVERS[name].high).all()
    assert (policy["property_tax"] != LEVERS["property_tax"].default).any()
    driven = replace(london_twin, log=log)
    one, other = forecast(london_twin, 2014, 1), forecast(driven, 2014, 1)
    assert not torch.equal(one, other)
    assert torch.isfinite(other).all()


def test_december_is_the_last_month() -> None:
    assert december(2001) == 12 * 2001 + 11
