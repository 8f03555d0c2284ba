"""The first year of a package: what is read, what is missing, and that the model starts on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from envs.city import planning
from envs.city.cities import build
from envs.city.parameters import Parameters
from envs.loading import load_city
from envs.twin.first_year import FirstYear, first_year
from envs.twin.packages import CityPackage, PackageError, find_city, read_package
from tests.twin import made_up
from tests.twin.packages_at_hand import sound, write


@pytest.fixture(scope="module")
def london() -> CityPackage:
    return read_package(find_city("london"))


@pytest.fixture(scope="module")
def founded(london: CityPackage) -> FirstYear:
    return first_year(london)


def test_each_series_says_where_its_first_year_comes_from(
    founded: FirstYear, rich_london: Path
) -> None:
    assert founded.year == 2001
    assert founded.origin["population"] == founded.origin["jobs"] == "2001"
    assert founded.origin["gva_per_job"] == "2002: later than the first year"
    bare = first_year(read_package(rich_london))
    assert bare.origin["median_salary"] == "default"
    assert bare.origin["population"] == "2001"


def test_panel_holds_the_figures_of_the_first_year(founded: FirstYear, london: CityPackage) -> None:
    people = founded.panel.people[0].sum(-1).numpy()
    np.testing.assert_allclose(people, london.yearly("population").loc[2001], rtol=1e-12)
    np.testing.assert_allclose(founded.panel.jobs[0].numpy(), london.yearly("jobs").loc[2001])
    output = founded.panel.output_per_job
    assert output is not None
    per_job = london.yearly("gva_per_job").loc[2002]
    np.testing.assert_allclose(output[0].numpy() * 12_000, per_job, rtol=1e-12)


def test_mix_of_households_reproduces_relative_salaries(
    founded: FirstYear, london: CityPackage
) -> None:
    people = founded.panel.people[0]
    efficiency = Parameters.default().values["efficiency"][0]
    mean = (people * efficiency).sum(-1) / people.sum(-1)
    salary = london.yearly("median_salary").bfill().iloc[0]
    relative = (salary / salary.mean()).fillna(1.0).to_numpy()
    ratio = (mean / mean.mean()).numpy() / (relative / relative.mean())
    np.testing.assert_allclose(ratio, 1.0, atol=1e-6)


def test_inverted_london_is_what_was_observed(london: CityPackage, founded: FirstYear) -> None:
    city = load_city("london").city
    _, flows = city.step(city.start, {}, _calm(city))
    people = city.start.planning.people[0].sum(-1).numpy()
    np.testing.assert_allclose(people, london.yearly("population").loc[2001], rtol=1e-6)
    jobs = flows.market.jobs[0].numpy()
    np.testing.assert_allclose(jobs, london.yearly("jobs").loc[2001], rtol=1e-6)
    tax = city.start.treasury.policy["property_tax"]
    home = city.fundamentals.planning.home_user
    user = planning.user_cost(city.parameters, home, city.start.planning.home_growth, tax)
    price = planning.price(city.start.planning.home_rent, user)[0].numpy()
    floor = city.start.planning.home_floor[0].numpy()
    figures = london.yearly("house_price").loc[2001] * london.yearly("dwellings").loc[2001]
    expected = figures.to_numpy() / 1000
    np.testing.assert_allclose(price * floor, expected, rtol=1e-6)


def _calm(city):  # type: ignore[no-untyped-def]
    from envs.city.shocks import no_shocks

    like = city.start.planning.home_rent
    return no_shocks(*like.shape, like)


def test_every_missing_requirement_is_named_at_once(tmp_path: Path) -> None:
    texts = sound()
    rows = str(texts["observations.csv"]).splitlines()
    kept = [row for row in rows if ",jobs," not in row and ",population," not in row]
    texts["observations.csv"] = "\n".join(kept) + "\n"
    with pytest.raises(PackageError) as caught:
        first_year(read_package(write(tmp_path / "c", texts)))
    text = "\n".join(caught.value.problems)
    assert "'population'" in text
    assert "'jobs'" in text


def test_a_district_without_a_required_figure_is_named(tmp_path: Path) -> None:
    texts = sound()
    rows = str(texts["observations.csv"]).splitlines()
    texts["observations.csv"] = "\n".join(row for row in rows if "C,jobs" not in row) + "\n"
    with pytest.raises(PackageError, match=r"'jobs' has no figure for C"):
        first_year(read_package(write(tmp_path / "c", texts)))


def test_population_and_jobs_are_enough(tmp_path: Path) -> None:
    world = made_up.worlds(seed=3, years=1)
    texts = made_up.texts(world, row=0)
    head, *rows = texts["observations.csv"].split()
    few = [row for row in rows if row.split(",")[2] in ("population", "jobs")]
    folder = made_up.package(
        tmp_path / "c", texts | {"observations.csv": "\n".join([head, *few]) + "\n"}
    )
    found = first_year(read_package(folder))
    assert {name for name, origin in found.origin.items() if origin == "default"} == {
        "gva_per_job", "median_salary", "house_price", "dwellings"
    }  # fmt: skip
    city = build(found.panel)
    assert torch.isfinite(city.start.planning.home_rent).all()
    # Jobs of the model are those of the package.
    torch.testing.assert_close(found.panel.jobs, world.panel.jobs, rtol=1e-6, atol=1e-3)


def test_a_revision_published_later_does_not_move_the_start(tmp_path: Path) -> None:
    texts = sound()
    before = first_year(read_package(write(tmp_path / "a", dict(texts))))
    texts["observations.csv"] = str(texts["observations.csv"]) + "2001,A,jobs,4000,,2009-01-31\n"
    after = first_year(read_package(write(tmp_path / "b", texts)))
    assert torch.equal(before.panel.jobs, after.panel.jobs)
