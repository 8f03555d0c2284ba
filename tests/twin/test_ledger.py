"""The ledger: nothing lost, nothing doubled, nothing known before its time."""

import dataclasses
import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs.twin.ledger import Ledger, LedgerError
from envs.twin.packages import CityPackage, find_city, read_package
from tests.twin.packages_at_hand import sound, write

NOW = datetime.date(2020, 6, 15)
END_2001 = 12 * 2001 + 11


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> CityPackage:
    return read_package(write(tmp_path_factory.mktemp("small"), sound()), NOW)


def observed(package: CityPackage, rows: list[tuple[int, str, float, int]]) -> CityPackage:
    """The package with these (year, district, population, available) figures instead of its own."""
    frame = pd.DataFrame(rows, columns=["year", "district", "value", "available"])
    frame = frame.assign(time=frame["year"].astype(str), variable="population", sd=np.nan)
    frame["month"] = pd.array([pd.NA] * len(frame), dtype="Int8")
    none = package.actions.iloc[:0]
    return dataclasses.replace(
        package, observations=frame[package.observations.columns], actions=none
    )


def test_a_package_comes_in_once(small: CityPackage) -> None:
    with Ledger() as ledger:
        assert ledger.ingest(small) == 13 + 3
        assert ledger.ingest(small) == 0
        assert len(ledger) == 16
        assert ledger.cities() == ("small",)


def test_london_goes_in_and_out_unchanged() -> None:
    package = read_package(find_city("london"))
    with Ledger() as ledger:
        assert ledger.ingest(package) == 3922
        for variable in package.variables["name"]:
            panel = ledger.yearly_panel(variable, 12 * 2015 + 11)
            pd.testing.assert_frame_equal(panel, package.yearly(variable), check_index_type=False)
        assert ledger.yearly_panel("population", 12 * 2008 + 11).index[-1] == 2008
        assert ledger.yearly_panel("population", 12 * 2008 + 10).index[-1] == 2007


def test_every_figure_carries_its_origin(small: CityPackage) -> None:
    with Ledger() as ledger:
        ledger.ingest(small)
        known = ledger.as_known_at(12 * 2020)
    assert set(known["licence"]) == {"CC0-1.0"}
    assert set(known.loc[known["variable"] == "house_price", "source"]) == {"Registry"}
    assert known["content_hash"].str.fullmatch("[0-9a-f]{64}").all()
    assert known["content_hash"].is_unique
    spread = known.loc[(known["variable"] == "population") & (known["district"] == "B"), "sd"]
    assert spread.tolist() == [50.0]
    assert known["sd"].notna().sum() == 1
    assert known.loc[known["kind"] == "action", "value"].tolist() == [1e6, -2000.0, 3000.0]


def test_a_figure_is_known_when_it_is_published_and_not_before(small: CityPackage) -> None:
    with Ledger() as ledger:
        ledger.ingest(small)

        def known(month: int, variable: str) -> list[str]:
            return ledger.as_known_at(month, variable=variable)["district"].tolist()

        assert known(END_2001 - 1, "population") == []
        assert known(END_2001, "population") == ["A", "B"]
        assert known(12 * 2003 + 3, "population") == ["A", "B"]
        assert known(12 * 2003 + 4, "population") == ["A", "B", "C"]
        assert known(END_2001 + 8, "jobs") == []
        assert known(END_2001 + 9, "jobs") == ["A", "B", "C"]
        january = ledger.yearly_panel("house_price", 12 * 2001 + 1)
        assert january.loc[2001].tolist() == [90000.0, 80000.0, 70000.0]
        later = ledger.yearly_panel("house_price", 12 * 2001 + 2)
        assert later.loc[2001].tolist() == [100000.0, 80000.0, 70000.0]


def test_a_revision_is_a_new_row(small: CityPackage) -> None:
    first = observed(small, [(2001, "A", 100.0, END_2001)])
    revised = observed(small, [(2001, "A", 104.0, END_2001 + 12)])
    corrected = observed(small, [(2001, "A", 105.0, END_2001 + 12)])
    with Ledger() as ledger:
        ledger.ingest(revised)
        ledger.ingest(first)
        assert len(ledger) == 2
        assert ledger.yearly_panel("population", END_2001 + 11).loc[2001, "A"] == 100.0
        assert ledger.yearly_panel("population", END_2001 + 12).loc[2001, "A"] == 104.0
        ledger.ingest(corrected)
        assert len(ledger) == 3
        assert ledger.yearly_panel("population", END_2001 + 12).loc[2001, "A"] == 105.0
        assert ledger.ingest(first) == 0


figures = st.tuples(
    st.integers(2001, 2004),
    st.sampled_from("ABC"),
    st.integers(1, 5).map(float),
    st.integers(0, 30),
).map(lambda f: (f[0], f[1], f[2], 12 * f[0] + 11 + f[3]))


@given(
    rows=st.lists(figures, min_size=1, max_size=25, unique_by=lambda f: (f[0], f[1], f[3])),
    asked=st.integers(END_2001 - 2, 12 * 2007),
)
def test_the_future_cannot_be_seen(
    small: CityPackage, rows: list[tuple[int, str, float, int]], asked: int
) -> None:
    """What is known at a month is the same whether or not the later figures are in the ledger."""
    latest = {(y, d): v for y, d, v, a in sorted(rows, key=lambda row: row[3]) if a <= asked}
    with Ledger() as ledger:
        ledger.ingest(observed(small, rows))
        known = ledger.as_known_at(asked)
        panel = ledger.yearly_panel("population", asked)
    assert (known["available_time"] <= asked).all()
    found = zip(known["year"], known["district"], known["value"], strict=True)
    assert {(y, d): v for y, d, v in found} == latest
    assert panel.stack().dropna().to_dict() == latest


def test_no_figure_is_known_before_its_period_ends(small: CityPackage) -> None:
    early = observed(small, [(2001, "A", 100.0, END_2001), (2002, "A", 100.0, END_2001 + 11)])
    with Ledger() as ledger:
        with pytest.raises(LedgerError, match="small: a figure cannot be kept"):
            ledger.ingest(early)
        assert len(ledger) == 0
        assert ledger.cities() == ()


def test_a_ledger_file_outlives_its_process(small: CityPackage, tmp_path: Path) -> None:
    path = tmp_path / "city.duckdb"
    with Ledger(path) as ledger:
        ledger.ingest(small)
        before = ledger.as_known_at(12 * 2020)
    with Ledger(path) as ledger:
        assert ledger.ingest(small) == 0
        pd.testing.assert_frame_equal(ledger.as_known_at(12 * 2020), before)


def test_two_cities_keep_apart(small: CityPackage) -> None:
    other = dataclasses.replace(small, name="other")
    with Ledger() as ledger:
        assert ledger.ingest(small) == ledger.ingest(other) == 16
        with pytest.raises(LedgerError, match="expected one that the ledger holds: other, small"):
            ledger.yearly_panel("jobs", 12 * 2020)
        with pytest.raises(LedgerError, match="city: 'rome'"):
            ledger.yearly_panel("jobs", 12 * 2020, city="rome")
        panel = ledger.yearly_panel("jobs", 12 * 2020, city="other")
        assert panel.loc[2001].tolist() == [400.0, 900.0, 500.0]


def test_an_unknown_series_is_an_empty_panel(small: CityPackage) -> None:
    with Ledger() as ledger:
        ledger.ingest(small)
        panel = ledger.yearly_panel("rain", 12 * 2020)
    assert panel.empty
    assert list(panel.columns) == ["A", "B", "C"]


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes and no ledger" * 100)
    with pytest.raises(LedgerError, match="cannot be opened as a ledger"):
        Ledger(path)
    assert path.read_text().startswith("these are notes")
