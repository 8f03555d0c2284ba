"""region_v0: cities that exchange people and knowledge, and what it does to their mayors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city import exchange
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.model import City
from envs.city.shocks import no_shocks
from envs.priors import SYNTHETIC, read
from envs.regional import RegionalEnv

QUIET = {"dynamics": "steady", "terminal": "tail", "horizon": 240}
NOBODY = (0.0,) * 6


@pytest.fixture(scope="module")
def twins() -> City:
    """One small city, so that all members of a region are the same."""
    return with_parameters(synthetic_cities([0], 3), read(SYNTHETIC))


@pytest.fixture(scope="module")
def four() -> City:
    """Four different small cities."""
    return with_parameters(synthetic_cities(range(4), 3), read(SYNTHETIC))


def make(city: City, regions: int = 1, members: int = 2, **options: Any) -> RegionalEnv:
    env = envs.make("region_v0", city=city, num_envs=regions, members=members, **(QUIET | options))
    assert isinstance(env, RegionalEnv)
    return env


def asking(env: RegionalEnv, member: int | None = None, **levers: float) -> dict[str, Tensor]:
    """Raw settings of some levers of one member, or of all; the others as today."""
    names = env.groups[0].action_names
    actions = torch.zeros(env.num_envs, env.members, len(names), dtype=env.dtype)
    chosen = slice(None) if member is None else member
    for lever, value in levers.items():
        columns = [i for i, name in enumerate(names) if name.partition("[")[0] == lever]
        assert columns, lever
        actions[:, chosen, columns] = value
    return {"mayors": actions}


def people(env: RegionalEnv) -> Tensor:
    """People of each member by type ``[B, N, K]``, status quo left out."""
    kinds = env.cities._state.planning.people.sum(1)
    return kinds[: env.num_envs * env.members].reshape(env.num_envs, env.members, -1)


def test_nobody_moves_between_cities_that_are_the_same(twins: City) -> None:
    env = make(twins, members=3, dtype=torch.float64)
    for _ in range(8):
        result = env.step(asking(env, income_tax=0.4, far=-0.3, talent=1.0))
        assert float(result.info["members"]["arrived"].abs().max()) < 1e-9
    rewards = result.rewards["mayors"]
    torch.testing.assert_close(rewards, rewards[:, :1].expand_as(rewards))


def test_a_tax_cut_draws_people_from_the_other_city(twins: City) -> None:
    """With services paid from outside; from one treasury a cut costs services as well."""
    apart = make(twins, budget="soft", closed=True, mobility=0.0, dtype=torch.float64)
    near = make(twins, budget="soft", closed=True, dtype=torch.float64)
    cut = asking(near, 0, income_tax=-1.0)
    for _ in range(16):
        alone, moved = apart.step(cut), near.step(cut)
    assert float(alone.info["members"]["arrived"].abs().max()) == 0
    arrived = moved.info["members"]["arrived"][0]
    assert float(arrived[0]) > 1
    assert float(arrived.sum()) == pytest.approx(0, abs=1e-9)
    here, there = moved.info["members"]["population"][0]
    assert float(here) > 1.002 * float(there)


def test_a_closed_region_keeps_its_people(four: City) -> None:
    """Without births, deaths and careers the total of every type stands still to rounding."""
    values = dict.fromkeys(("birth_rate", "death_rate", "rise", "fall"), NOBODY)
    ageless = with_parameters(synthetic_cities(range(3), 3, values), read(SYNTHETIC))
    kept = make(ageless, members=3, closed=True, dynamics="crisis", dtype=torch.float64)
    leaky = make(ageless, members=3, dynamics="crisis", dtype=torch.float64)
    first = people(kept)
    for _ in range(10):
        for env in (kept, leaky):
            env.step(asking(env, 0, income_tax=0.8, release=1.0))
    now = people(kept)
    torch.testing.assert_close(now.sum(1), first.sum(1), rtol=1e-12, atol=0)
    assert float((now / first - 1).abs().max()) > 1e-3, "people did move"
    assert float((people(leaky).sum(1) / first.sum(1) - 1).abs().max()) > 1e-3


def test_for_small_gaps_the_others_are_a_pool(four: City) -> None:
    """Moves are those of an open city that finds the region's mean elsewhere."""
    state, p = four.initial(), four.parameters
    lift = 1e-4 * torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(0)).double()
    perceived = state.planning.perceived + lift
    planning = type(state.planning)(**{**vars(state.planning), "perceived": perceived})
    state = type(state)(**{**vars(state), "planning": planning})
    gained, kinds = exchange.standing(four, state), state.planning.people.sum(1)
    found = exchange.migration(four, state, 4, 0.5)
    mean = (kinds * gained).sum(0) / kinds.sum(0)
    expected = 0.5 * p.b.chi.unsqueeze(-1) * (gained - mean)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-12)
    assert float((found * kinds).sum(0).abs().max()) < 1e-9


def test_a_region_of_many_is_the_same_alone(four: City) -> None:
    options = {"dynamics": "crisis", "information": 0.5, "horizon": 36, "dtype": torch.float64}
    crowd, alone = make(four, 3, seed=5, **options), make(four, 1, seed=7, **options)
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        raw = torch.rand(3, 2, len(crowd.groups[0].action_names), generator=generator).double()
        many = crowd.step({"mayors": 2 * raw - 1})
        one = alone.step({"mayors": 2 * raw[2:] - 1})
        for name in ("observations", "rewards", "costs"):
            a, b = getattr(many, name)["mayors"][2:], getattr(one, name)["mayors"]
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(many.rewards["mayors"][0], many.rewards["mayors"][1])


def test_members_are_cities_next_to_each_other(four: City) -> None:
    env = make(four, 3, seed=1)
    built = env.cities._ground.start.planning.people[:6, 0, 0]
    expected = four.start.planning.people[[2, 3, 0, 1, 2, 3], 0, 0]
    torch.testing.assert_close(built, expected.to(built))


def test_rewards_mix_the_own_city_and_the_region(four: City) -> None:
    own, whole, half = (make(four, local_weight=x) for x in (1.0, 0.0, 0.5))
    first, second, third = (env.step(asking(env, 0, far=1.0)) for env in (own, whole, half))
    mine, ours = first.rewards["mayors"][0], second.rewards["mayors"][0]
    income = own.cities.incomes
    mean = float((income * mine).sum() / income.sum())
    torch.testing.assert_close(ours, torch.full_like(ours, mean))
    torch.testing.assert_close(third.rewards["mayors"][0], 0.5 * (mine + ours))
    assert float(mine[0] - mine[1]) != 0


def test_a_mayor_sees_where_the_others_set_their_taxes(twins: City) -> None:
    env = make(twins, members=3)
    names = env.groups[0].observation_names
    seen = env.step(asking(env, 1, income_tax=1.0)).observations["mayors"][0]

    def column(name: str) -> Tensor:
        return seen[:, names.index(name)]

    set_at = column("lever_income_tax")
    assert float(set_at[1]) > 0
    torch.testing.assert_close(column("rivals_lever_income_tax")[0], set_at[1] / 2)
    torch.testing.assert_close(column("rivals_lever_income_tax")[1], 0 * set_at[1])
    assert float(column("lowest_lever_income_tax").abs().max()) == 0
    mean = column("income").mean().expand(3)
    torch.testing.assert_close(column("region_income"), mean)


def test_knowledge_reaches_cities_of_the_same_tags(twins: City, four: City) -> None:
    state = twins.initial(2)
    like = state.planning.home_rent
    _, flows = twins.step(state, {}, no_shocks(2, 3, like))
    known = torch.tensor([0.03, 0.0], dtype=torch.float64)
    industry = type(state.industry)(**{**vars(state.industry), "knowledge": known})
    state = type(state)(**{**vars(state), "industry": industry})
    found = exchange.spilled(twins, state, flows, 2, 0.5)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.015], dtype=torch.float64))
    start = four.initial()
    _, flows = four.step(start, {}, no_shocks(4, 3, start.planning.home_rent))
    alike = exchange.likeness(four, start, flows, 4)[0]
    torch.testing.assert_close(alike, alike.T)
    torch.testing.assert_close(alike.diagonal(), torch.ones(4, dtype=torch.float64))
    others = alike[~torch.eye(4, dtype=torch.bool)]
    assert 0 < float(others.min()) < float(others.max()) < 1


def test_research_of_one_city_helps_the_other(twins: City) -> None:
    def gain(spill: float) -> float:
        env = make(twins, spill=spill, mobility=0.0)
        return sum(
            float(env.step(asking(env, 0, research=1.0)).info["members"]["overall"][0, 1])
            for _ in range(16)
        )

    assert gain(0.0) == pytest.approx(0, abs=1e-5)
    assert gain(0.5) > 0.01


def test_slopes_reach_across_cities(twins: City) -> None:
    env = make(twins, dtype=torch.float64, local_weight=1.0)
    actions = asking(env, 0, income_tax=0.1)["mayors"].requires_grad_()
    for _ in range(4):
        rewards = env.step({"mayors": actions}).rewards["mayors"]
    (slope,) = torch.autograd.grad(rewards[0, 1], actions)
    column = env.groups[0].action_names.index("income_tax")
    assert bool(torch.isfinite(slope).all())
    assert float(slope[0, 0, column]) != 0, "what the other city asks for matters here"


def worth(city: City, own: list[float], rival: list[float], **options: Any) -> Tensor:
    """Welfare of two cities ``[R, 2]`` over ten years at income taxes ``R``, raw."""
    env = make(city, len(own), closed=True, spill=0.0, **options)
    column = env.groups[0].action_names.index("income_tax")
    actions = asking(env)["mayors"]
    actions[..., column] = torch.tensor([own, rival], dtype=env.dtype).T
    total = torch.zeros(len(own), 2)
    with torch.no_grad():
        for step in range(40):
            now = env.step({"mayors": actions}).info["members"]["overall"]
            total = total + 0.9975 ** (3 * step) * now
    return total


def test_mayors_who_look_after_themselves_tax_less_than_they_would_together(twins: City) -> None:
    """The tax that is best for both is not an equilibrium: each gains by going below it."""
    taxes = [-0.95 + 0.05 * step for step in range(13)]
    together = taxes[int(worth(twins, taxes, taxes, mobility=2.0).sum(-1).argmax())]
    replies = worth(twins, taxes, [together] * len(taxes), mobility=2.0)
    alone = taxes[int(replies[:, 0].argmax())]
    assert taxes[0] < together < taxes[-1]
    assert alone < together
    assert bool((replies[:, 1].diff() > 0).all()), "a higher tax here helps the other city"


def test_the_easier_people_move_the_more_a_tax_costs_its_own_city(twins: City) -> None:
    own, rival = [], []
    for mobility in (0.0, 2.0):
        change = worth(twins, [0.2, -0.2], [0.0, 0.0], mobility=mobility)
        slope = (change[0] - change[1]) / 0.4
        own.append(float(slope[0]))
        rival.append(float(slope[1]))
    assert own[0] > own[1]
    assert rival[0] == pytest.approx(0, abs=1e-4)
    assert rival[0] < rival[1]


def test_options_are_checked_all_at_once() -> None:
    with pytest.raises(ValueError, match=r"members=0.*mobility=-1.*spill=2"):
        envs.make("region_v0", members=0, mobility=-1, spill=2)
