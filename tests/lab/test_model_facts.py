"""`polislab model facts`: the machinery on small cities, and facts that hold at any size."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.city.synthetic import synthetic_panel
from experiments import cli
from experiments.facts import (
    catalogue,
    gradients,
    housing,
    hysteresis,
    induced,
    mohring,
    page,
    scaling,
    segregation,
    systems,
    tails,
    zipf,
)
from experiments.facts.fact import Fact, Measure, Size

SMALL = Size(cities=4, places=7, districts=5, years=2)


def quiet() -> None:
    """No bar."""


@pytest.fixture(scope="module")
def facts() -> dict[str, Fact]:
    """Every fact at a small size."""
    torch.set_num_threads(1)
    return {name: make(SMALL, quiet) for name, make in catalogue.FACTS.items()}


def test_facts_have_measures_and_pictures(facts: dict[str, Fact]) -> None:
    for name, fact in facts.items():
        assert fact.key == name
        assert fact.measures
        assert all(math.isfinite(m.value) for m in fact.measures), name
        assert fact.picture.startswith(b"\x89PNG")


def test_the_page_shows_every_measure_and_links_to_every_fact(facts: dict[str, Fact]) -> None:
    text = page.markdown(list(facts.values()))
    for fact in facts.values():
        assert f"## {fact.title}" in text
        assert f"(#{page._anchor(fact.title)})" in text
        assert f"{page.PICTURES}/{fact.key}.png" in text
        assert all(m.name in text for m in fact.measures)


def test_a_measure_outside_its_band_is_told_with_its_reason() -> None:
    silent = Measure("x", 2.0, 0.0, 1.0)
    told = Measure("y", 2.0, 0.0, 1.0, why="because")
    fact = Fact("k", "T", "q", "e", (silent, told, Measure("z", 0.5, 0.0, 1.0), Measure("w", 9.0)))
    assert fact.unexplained == ["x"]
    assert [m.verdict for m in fact.measures] == ["outside", "outside", "inside", ""]
    text = page.markdown([fact])
    assert "1 of 3 measures" in page.summary([fact])
    assert "because" in text
    assert "No reason is written down" in text


def test_rents_and_density_fall_with_the_distance_to_jobs() -> None:
    found = gradients.gradient(gradients.plain(range(2), 9), 8, quiet)
    assert bool((found.density_slope < 0).all())
    assert bool((found.rent_slope < -0.01).all())
    assert bool((found.rent_slope > -0.04).all())


def test_on_the_plain_nothing_differs_but_jobs() -> None:
    city = gradients.plain(range(2), 9)
    people, land = city.start.planning.people.sum(-1), city.geography.land
    assert torch.allclose(people / land, (people.sum(-1) / land.sum(-1)).unsqueeze(-1))
    assert float(city.fundamentals.planning.amenity.std(1).max()) < 1e-6


def test_fuller_roads_bring_more_traffic() -> None:
    found = induced.elasticities(Size(districts=5, years=2), quiet)
    assert bool((np.diff(found[-1]) > 0).all())
    assert bool((found[-1] > 0).all())
    assert bool((found[-1] < 1).all())
    assert bool((found[-1] > found[2]).all())


@pytest.mark.parametrize(("strength", "apart"), [(0.96, 0.0), (1.093, 0.4878), (1.366, 0.7958)])
def test_the_pitchfork_is_that_of_the_theory(strength: float, apart: float) -> None:
    """MODEL section 15.3 gives the share (1 + m) / 2: .5000, .7437, .8979."""
    assert segregation.pitchfork(strength) == pytest.approx(apart, abs=2e-4)


def test_types_part_at_the_threshold() -> None:
    found = segregation.split((0.5, 1.366, 1.5), 150, quiet)
    assert found.measured == pytest.approx(found.theory, abs=0.02)
    assert found.threshold == pytest.approx(2 / 6.83)
    assert segregation.implied_threshold(found) == pytest.approx(found.threshold, rel=0.01)


def test_wider_roads_slow_trips_only_where_transit_follows_its_passengers() -> None:
    found = mohring.widening(Size(districts=9, years=10), quiet)
    fixed, root, proportional = found.cost.T
    assert bool((fixed < 0).all())
    assert bool((root < 0).all())
    assert proportional[mohring.FREQUENCIES.index(3.0)] > 0
    assert proportional[-1] < 0
    assert 0.7 < mohring.crossing(proportional) / mohring.threshold(1.0) < 1.3


def test_output_falls_behind_without_agglomeration_and_runs_ahead_with_it() -> None:
    ratios = scaling.reference_run(Size(places=9, years=6), quiet)
    off, on, strong = ratios.values()
    assert off < 0.98 < 1.0 < on < strong


def test_a_city_of_the_usual_size_is_the_usual_city() -> None:
    one = systems.sized_cities([3], torch.ones(1, dtype=torch.float64), 5)
    assert torch.equal(one.start.planning.home_floor, one.fundamentals.planning.home_floor)
    four = systems.sized_cities([3], torch.full((1,), 4.0, dtype=torch.float64), 5)
    people = (four.start.planning.people / one.start.planning.people).mean()
    assert float(people) == pytest.approx(4)
    assert torch.equal(four.geography.land, one.geography.land)
    assert torch.equal(four.fundamentals.industry.spill, one.fundamentals.industry.spill)


def test_sorted_cities_keep_their_people_and_tilt_their_types() -> None:
    sizes = torch.tensor([0.5, 2.0], dtype=torch.float64)
    plain = systems.sized_cities([0, 0], sizes, 5).start.planning.people
    tilted = systems.sized_cities([0, 0], sizes, 5, sorting=0.1).start.planning.people
    assert torch.allclose(plain.sum(-1), tilted.sum(-1))
    high = tilted[..., -1].sum(-1) / plain[..., -1].sum(-1)
    assert float(high[0]) < 1 < float(high[1])


def test_a_closed_system_exchanges_people_and_loses_none() -> None:
    """Five years after one city got better: it grew, the other shrank, few are missing."""
    city = systems.sized_cities([0, 0], torch.ones(2, dtype=torch.float64), 5)
    before = city.start.planning.people.sum((1, 2))

    def better(now: systems.Month) -> None:
        now.shocks["productivity"][0] = 0.05

    state, _ = systems.settle(city, 60, torch.zeros(2, dtype=torch.long), better)
    after = state.planning.people.sum((1, 2))
    assert float(after[0]) > float(before[0])
    assert float(after[1]) < float(before[1])
    assert float(after.sum() / before.sum()) == pytest.approx(1, abs=5e-3)
    alone, _ = systems.settle(city, 60, torch.arange(2), better)
    held = alone.planning.people.sum((1, 2))
    assert torch.allclose(held, before, rtol=5e-3)


def test_panels_of_other_sizes_are_the_usual_ones_scaled() -> None:
    usual = synthetic_panel([0, 1], 5)
    other = synthetic_panel([0, 1], 5, people=[30_000, 60_000], spread=[1, 0.5])
    assert torch.equal(other.people[0], usual.people[0])
    assert torch.allclose(other.people[1], 2 * usual.people[1])
    assert torch.allclose(other.jobs[1], 2 * usual.jobs[1])
    assert torch.allclose(other.land[1], usual.land[1] / 4)
    assert torch.allclose(other.xy[1], usual.xy[1] / 2)
    with pytest.raises(ValueError, match="spread"):
        synthetic_panel([0], 5, spread=0.0)


def test_prices_overshoot_where_buyers_extrapolate() -> None:
    found = housing.boom(Size(districts=5, years=6), quiet)
    assert found.overshoot(2) > found.overshoot(0)
    assert found.price[:24].max(0)[2] > found.price[:24].max(0)[1] > found.price[:24].max(0)[0] > 0


def test_turns_and_periods_of_a_swing() -> None:
    months = np.arange(600)
    swing = 1 + np.exp(-months / 200) * np.sin(2 * np.pi * months / 120)
    found = housing.Boom(swing[:, None], swing[:, None])
    assert found.period(0) == pytest.approx(10, abs=0.3)
    flat = housing.Boom(months[:, None] / 600.0, months[:, None] / 600.0)
    assert flat.period(0) == 0


def test_recovery_is_a_share_of_the_loss() -> None:
    path = np.ones((12 * 60, 2))
    path[: 12 * 26] = 0.6
    path[-1] = [1.0, 0.6]
    assert hysteresis.recovered(path) == pytest.approx([1.0, 0.0])


def test_quantiles_and_skewness_are_weighted() -> None:
    sample = tails.Sample(np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0]))
    assert [sample.quantile(q) for q in (0.5, 0.85, 0.95)] == [1.0, 2.0, 3.0]
    even = tails.Sample(np.array([1.0, 2.0, 3.0]), np.array([1.0, 5.0, 1.0]))
    assert even.skewness() == pytest.approx(0, abs=1e-12)
    assert sample.skewness() > 1
    powers = tails.Sample(np.exp(np.array([-1.0, 0.0, 1.0])), np.ones(3))
    assert powers.skewness(log=True) == pytest.approx(0, abs=1e-12)


def test_ranks_of_a_power_law() -> None:
    people = 1e6 / (np.arange(1, 201) - 0.5)
    assert zipf.rank_size_slope(people) == pytest.approx(-1, abs=1e-6)


def test_the_command_writes_page_pictures_and_json(
    facts: dict[str, Fact], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = {name: (lambda _, __, fact=fact: fact) for name, fact in facts.items()}
    monkeypatch.setattr(catalogue, "FACTS", made)
    result = tmp_path / "facts.json"
    words = ["model", "facts", "--output", str(tmp_path), "--json", str(result)]
    monkeypatch.setattr(sys, "argv", ["polislab", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    silent = [name for fact in facts.values() for name in fact.unexplained]
    assert ended.value.code == (1 if silent else 0)
    assert (tmp_path / page.PAGE).is_file()
    assert len(list((tmp_path / page.PICTURES).glob("*.png"))) == len(facts)
    assert {record["key"] for record in json.loads(result.read_text())} == set(facts)


def test_the_command_names_unknown_facts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "facts", "zip"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "unknown fact 'zip'" in capsys.readouterr().err
