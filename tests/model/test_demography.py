"""Births, deaths and careers; who looks ahead; chance in small cities."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from envs.city import demography
from envs.city.cities import build, synthetic_cities
from envs.city.coupling import run
from envs.city.dynamics import Dynamics
from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.planning import relocation
from envs.city.shocks import no_shocks
from envs.city.synthetic import synthetic_panel
from tests.model.runs import last, policy


def test_a_month_is_a_matrix_whose_rows_sum_to_one_plus_natural_growth() -> None:
    p = Parameters.default()
    matrix = demography.transition(p)[0]
    growth = (p.values["birth_rate"] - p.values["death_rate"])[0] / 12
    torch.testing.assert_close(matrix.sum(1), 1 + growth)
    people = 1000 * torch.rand(2, 4, 6, dtype=torch.float64) + 1
    quiet = torch.zeros(2, 4, dtype=torch.float64)
    torch.testing.assert_close(demography.age(people, p, quiet), people @ matrix)
    torch.testing.assert_close(demography.before(people, p) @ matrix, people)


def test_better_schools_lift_more_people_and_lose_nobody() -> None:
    p = Parameters.default()
    people = torch.full((1, 2, 6), 1000.0, dtype=torch.float64)
    schools = torch.log(torch.tensor([[1.0, 1.2]], dtype=torch.float64))
    after = demography.age(people, p, schools)
    torch.testing.assert_close(after[:, 0].sum(), after[:, 1].sum())
    rank = torch.arange(6, dtype=torch.float64)
    assert float((after[:, 1] * rank).sum()) > float((after[:, 0] * rank).sum())
    lifted = (after[0, 1, 0] - after[0, 0, 0]) / 1000
    assert float(-lifted) == pytest.approx(0.030 / 12 * (1.2**0.5 - 1), rel=1e-9)


def test_schools_shift_the_types_of_a_city_over_decades(nine: City) -> None:
    schooled = policy(nine, {})
    schooled["staff"][..., 0] = 1.6
    better, _ = last(nine, schooled, 240)
    base, _ = last(nine, policy(nine, {}), 240)

    def rank(state: torch.Tensor) -> float:
        share = state.sum(1) / state.sum((1, 2)).unsqueeze(-1)
        return float((share * torch.arange(6, dtype=state.dtype)).sum())

    assert rank(better.planning.people) > rank(base.planning.people) + 0.005


def test_careers_that_outrun_moves_raise_mobility() -> None:
    panel = synthetic_panel([1], 5)
    people = panel.people.clone()
    people[:, 0, 1] *= 0.02
    city = build(replace(panel, people=people), {"rise": (0.2, 0.2, 0.2, 0.2, 0.2, 0.0)})
    assert float(city.parameters.b.mobility) > 0.012
    states = run(city, 24).states
    torch.testing.assert_close(states[-1].planning.people, people, rtol=1e-9, atol=0)


def test_those_who_look_ahead_move_before_the_policy_is_in_force(nine: City) -> None:
    """An announced rebate raises what far-sighted types think of the city at once."""
    announced = policy(nine, {"rebate": 0.2})

    def perceived(foresight: float) -> torch.Tensor:
        values = nine.parameters.values | {
            "foresight": torch.full((1, 6), foresight, dtype=torch.float64)
        }
        city = replace(nine, parameters=Parameters(values))
        return run(city, 1, announced).states[-1].planning.perceived - nine.start.planning.perceived

    blind, sighted = perceived(0.0), perceived(0.5)
    assert bool((sighted > blind + 1e-4).all())
    quiet = run(nine, 1, policy(nine, {})).states[-1].planning.perceived
    torch.testing.assert_close(quiet, nine.start.planning.perceived)


def test_chance_keeps_the_number_of_movers_and_spreads_like_a_multinomial() -> None:
    p = Parameters(Parameters.default().values | {"household": torch.ones(1, dtype=torch.float64)})
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).reshape(1, 3, 1)
    movers = torch.full((20000, 1, 1), 400.0, dtype=torch.float64)
    noise = torch.randn(20000, 3, 1, generator=generator, dtype=torch.float64)
    drawn = relocation(p, movers, shares.expand(20000, 3, 1), noise)
    torch.testing.assert_close(drawn.sum(1), movers.squeeze(1))
    assert bool((drawn > 0).all())
    share = shares.flatten()
    spread = torch.cov(drawn.squeeze(-1).T)
    multinomial = 400 * (torch.diag(share) - torch.outer(share, share))
    torch.testing.assert_close(spread, multinomial, rtol=0.08, atol=0)
    still = relocation(p, movers[:1], shares, torch.zeros(1, 3, 1, dtype=torch.float64))
    torch.testing.assert_close(still.flatten(), 400 * share)


def test_fluctuations_fall_with_the_root_of_size() -> None:
    """Finite-size scaling: a hundred times the people, a tenth of the relative noise."""
    rows, months = 24, 24
    small = synthetic_cities([3], 4)

    def noise(scale: float) -> float:
        panel = synthetic_panel([3], 4)
        city = build(replace(panel, people=scale * panel.people, jobs=scale * panel.jobs))
        like = city.start.planning.home_rent
        weather = Dynamics("steady", rows, 4, months, like, chance=1.0)
        for row in range(rows):
            weather.seed(row, row)
        weather.reset(range(rows))
        shocks = [weather.advance() for _ in range(months)]
        people = run(city, months, weather=shocks, rows=rows).states[-1].planning.people.sum(-1)
        return float((people / people.mean(0)).std(0).mean())

    assert noise(1.0) / noise(100.0) == pytest.approx(10, rel=0.05)
    assert noise(1.0) > 1e-5
    quiet = run(small, 3, weather=[no_shocks(1, 4, small.start.planning.home_rent)] * 3)
    torch.testing.assert_close(quiet.states[-1].planning.people, small.start.planning.people)


def test_gradients_pass_through_chance(nine: City) -> None:
    like = nine.start.planning.home_rent
    weather = Dynamics("steady", 1, 9, 3, like, chance=1.0)
    weather.seed(0, 1)
    weather.reset([0])
    shocks = [weather.advance() for _ in range(3)]
    toll = torch.zeros(1, 9, dtype=torch.float64, requires_grad=True)
    people = run(nine, 3, {"toll": toll}, weather=shocks).states[-1].planning.people
    (slope,) = torch.autograd.grad(people[0, 0].sum(), toll)
    assert bool(torch.isfinite(slope).all())
    assert float(slope.abs().max()) > 0


def test_a_city_that_people_flee_keeps_finite_numbers() -> None:
    """More leave the city than move within it: arrivals on balance are negative."""
    city = build(synthetic_panel([1], 4), {"mobility": 0.004, "chi": 0.05})
    shocks = no_shocks(1, 4, city.start.planning.home_rent)
    shocks["outside"] = shocks["outside"] + 0.5
    people = run(city, 36, weather=[shocks] * 36).states[-1].planning.people
    assert bool(torch.isfinite(people).all())
    assert bool((people > 0).all())
