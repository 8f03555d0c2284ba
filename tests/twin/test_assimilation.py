"""Assimilation against a known truth: the model's own futures, observed with known errors."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
import torch
from torch import Tensor

from envs import priors
from envs.city import tree
from envs.twin.assimilation import assimilate
from envs.twin.ensemble import Members, advance_year, base_quantities, found
from envs.twin.operators import OPERATORS
from tests.twin import made_up
from tests.twin.made_up import SERIES

YEARS = 3
TRUTHS = tuple(range(8))


@dataclass(frozen=True)
class Run:
    """Squared errors of the ensemble mean before and after each analysis, by kind of state;
    how often the 90 % interval of the forecast held the figure; the last ensemble."""

    forecast: dict[str, Tensor]
    analysis: dict[str, Tensor]
    free: Tensor
    followed: Tensor
    held: Tensor
    members: Members


def states(members: Members) -> dict[str, Tensor]:
    """What the figures should teach: the city as it would be observed at the end of the year,
    and the states and processes behind it."""
    city, state, world = members.city, members.state, members.world
    with torch.no_grad():
        _, flows = city.step(state, {}, world.shocks())
    found = {}
    for v, name in enumerate(SERIES):
        row = OPERATORS[name]
        carried = world.common[:, v] + float(row.nominal) * world.price_level
        quantity = torch.log(row.quantity(city, state, flows))
        found[name] = quantity + carried.unsqueeze(-1) + world.local[:, v]
    hidden = {
        "people": state.planning.people.mean(-1),
        "home_rent": state.planning.home_rent,
        "wage": state.industry.wage,
        "price_level": torch.exp(world.price_level).unsqueeze(-1),
    }
    return found | {name: torch.log(value) for name, value in hidden.items()}


HIDDEN = ("people", "home_rent", "wage", "price_level")


def distance(world: made_up.World) -> Tensor:
    return world.years[0].city.geography.distance[0]


def follow(world: made_up.World, row: int, seed: int) -> Run:
    """Years of forecast and analysis of one truth, beside an ensemble that sees nothing."""
    settings = made_up.settings()
    centre = priors.read(priors.SYNTHETIC)
    members = found(world.panel, made_up.FIRST, settings, centre, SERIES)
    base = base_quantities(members, SERIES)
    generator = torch.Generator().manual_seed(seed)
    errors = torch.tensor([settings.series[name].error for name in SERIES], dtype=torch.float64)
    before: dict[str, list[Tensor]] = {}
    after: dict[str, list[Tensor]] = {}
    held, followed, free_errors = [], [], []
    free = members
    for year in range(YEARS):
        truth = states(world.years[year + 1].take(torch.tensor([row])))
        members, series = advance_year(members, settings, SERIES, generator)
        free, alone = advance_year(free, settings, SERIES, generator)
        predicted, exact = series - base, world.series[year, row]
        noise = torch.randn(exact.shape, dtype=exact.dtype, generator=generator)
        observed = exact + errors.unsqueeze(-1) * noise
        for name, value in states(members).items():
            before.setdefault(name, []).append((value.mean(0) - truth[name][0]) ** 2)
        fan = predicted + errors.unsqueeze(-1) * torch.randn(
            predicted.shape, dtype=exact.dtype, generator=generator
        )
        low, high = torch.quantile(fan, torch.tensor([0.05, 0.95], dtype=fan.dtype), dim=0)
        held.append((observed >= low) & (observed <= high))
        followed.append((predicted.mean(0) - exact) ** 2)
        free_errors.append(((alone - base).mean(0) - exact) ** 2)
        update = assimilate(members, predicted, observed, settings, SERIES, distance(world))
        members = update.members
        for name, value in states(members).items():
            after.setdefault(name, []).append((value.mean(0) - truth[name][0]) ** 2)

    def joined(found: dict[str, list[Tensor]]) -> dict[str, Tensor]:
        return {name: torch.stack(parts) for name, parts in found.items()}

    return Run(
        joined(before),
        joined(after),
        torch.stack(free_errors),
        torch.stack(followed),
        torch.stack(held),
        members,
    )


@pytest.fixture(scope="module")
def world() -> made_up.World:
    return made_up.worlds(seed=77, years=YEARS)


@pytest.fixture(scope="module")
def runs(world: made_up.World) -> list[Run]:
    return [follow(world, row, seed) for seed, row in enumerate(TRUTHS)]


def errors(runs: list[Run], when: str, name: str) -> float:
    """Root mean square error of the ensemble mean over truths, years and districts."""
    return float(torch.stack([getattr(run, when)[name] for run in runs]).mean().sqrt())


@pytest.mark.parametrize("name", SERIES)
def test_an_analysis_is_nearer_the_truth_than_its_forecast(runs: list[Run], name: str) -> None:
    assert errors(runs, "analysis", name) < 0.8 * errors(runs, "forecast", name)


def test_what_no_figure_shows_is_learned_too(runs: list[Run]) -> None:
    """Rents, wages and the price level are seen through what they cause, and less well."""
    ratios = [errors(runs, "analysis", n) / errors(runs, "forecast", n) for n in HIDDEN]
    assert sum(ratios) / len(ratios) < 0.97, dict(zip(HIDDEN, ratios, strict=True))


def test_forecasts_after_analyses_beat_forecasts_that_see_nothing(runs: list[Run]) -> None:
    followed = torch.stack([run.followed[1:] for run in runs]).mean((0, 1, 3)).sqrt()
    free = torch.stack([run.free[1:] for run in runs]).mean((0, 1, 3)).sqrt()
    assert (followed < free).all(), dict(zip(SERIES, zip(followed, free, strict=True), strict=True))
    assert (followed / free).mean() < 0.8


def test_the_interval_holds_nine_figures_in_ten(runs: list[Run]) -> None:
    share = torch.stack([run.held for run in runs]).double().mean()
    assert 0.75 <= share <= 0.99, share


def test_states_stay_positive_and_finite(runs: list[Run]) -> None:
    for run in runs:
        for name, value in tree.leaves(run.members.state):
            assert torch.isfinite(value).all(), name
        assert (run.members.state.planning.people > 0).all()
        assert (run.members.state.planning.home_rent > 0).all()
        assert (run.members.state.industry.wage > 0).all()


@pytest.fixture(scope="module")
def moved(world: made_up.World) -> tuple[Members, Tensor]:
    """An ensemble a year on, and its predicted log series."""
    settings = made_up.settings()
    members = found(world.panel, made_up.FIRST, settings, priors.read(priors.SYNTHETIC), SERIES)
    base = base_quantities(members, SERIES)
    members, series = advance_year(members, settings, SERIES, torch.Generator().manual_seed(5))
    return members, series - base


def analysed(world: made_up.World, moved: tuple[Members, Tensor], observed: Tensor) -> Members:
    members, predicted = moved
    return assimilate(
        members, predicted, observed, made_up.settings(), SERIES, distance(world)
    ).members


def assert_means_equal(one: Members, other: Members) -> None:
    for kind in ("world", "state"):
        pairs = zip(tree.leaves(getattr(one, kind)), tree.leaves(getattr(other, kind)), strict=True)
        for (name, a), (_, b) in pairs:
            torch.testing.assert_close(a.mean(0), b.mean(0), rtol=1e-9, atol=1e-9, msg=name)


def test_missing_figures_carry_no_weight(
    world: made_up.World, moved: tuple[Members, Tensor]
) -> None:
    """Figures of one series only equal figures of every series with the others missing, however
    wild the members' own values of the missing ones are."""
    members, predicted = moved
    observed = torch.full_like(predicted[0], torch.nan)
    observed[0] = world.series[0, 0, 0]
    plain = analysed(world, moved, observed)
    wild = predicted.clone()
    wild[:, 1:] = 50 * torch.randn(wild[:, 1:].shape, dtype=wild.dtype)
    assert_means_equal(plain, analysed(world, (members, wild), observed))


def test_a_year_without_figures_changes_no_mean(
    world: made_up.World, moved: tuple[Members, Tensor]
) -> None:
    nothing = torch.full_like(moved[1][0], torch.nan)
    after = analysed(world, moved, nothing)
    for row in fields(after.world):
        before, now = getattr(moved[0].world, row.name), getattr(after.world, row.name)
        torch.testing.assert_close(now.mean(0), before.mean(0), rtol=1e-9, atol=1e-9, msg=row.name)


def test_a_figure_moves_its_district_more_than_one_far_away(
    world: made_up.World, moved: tuple[Members, Tensor]
) -> None:
    expected = torch.full_like(moved[1][0], torch.nan)
    expected[0] = moved[1][:, 0].mean(0)
    apart = distance(world)
    here = int(apart.max(1).values.argmax())
    there = int(apart[here].argmax())
    pushed = expected.clone()
    pushed[0, here] += 0.06
    one, other = (states(analysed(world, moved, row)) for row in (expected, pushed))
    change = (other["population"] - one["population"]).mean(0)
    assert 0.02 < change[here] < 0.07
    assert abs(change[there]) < 0.5 * change[here]
