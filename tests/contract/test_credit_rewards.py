"""Credit in rewards: the known game of a constant policy, exact sums, nothing for the idle."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs import ground
from envs.city import credit as game
from envs.city import valuation
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.levers import baseline_policy
from envs.city.model import City
from envs.city.shocks import no_shocks
from envs.city.valuation import discount_factor
from envs.credit import CREDITS, MOST_AGENTS, scheme
from envs.governance import GovernanceEnv
from envs.priors import SYNTHETIC, read

STEPS = 3
MONTHS = 3 * STEPS


@pytest.fixture(scope="module")
def city() -> City:
    return with_parameters(synthetic_cities([3], 4), read(SYNTHETIC))


def make(city: City, credit: str, scenario: str = "city_v0", **options: Any) -> GovernanceEnv:
    usual: dict[str, Any] = {
        "num_envs": 1,
        "horizon": 60,
        "dynamics": "steady",
        "terminal": "tail",
        "local_weight": 0.0,
        "dtype": torch.float64,
    }
    return envs.make(scenario, city=city, credit=credit, **(usual | options))


def some(env: GovernanceEnv) -> dict[str, Tensor]:
    """A moderate policy of every governor."""
    generator = torch.Generator().manual_seed(2)
    return {
        g.name: 0.6
        * (
            torch.rand(1, g.size, len(g.action_names), generator=generator, dtype=env.dtype) - 0.5
        ).expand(env.num_envs, -1, -1)
        for g in env.groups
    }


def earned(env: GovernanceEnv, steps: int = STEPS) -> Tensor:
    """Discounted credit for welfare ``[agents, B]``, months of income."""
    total = torch.zeros(sum(g.size for g in env.groups), env.num_envs, dtype=env.dtype)
    beta = float(discount_factor(env.city)[0]) ** env.months_per_step
    for step in range(steps):
        with torch.no_grad():
            parts = env.step(some(env)).info["reward_vector"]
        whole = [parts[g.name][..., g.reward_names.index("whole")] for g in env.groups]
        total = total + beta**step * torch.cat(whole, -1).T / 10
    return total


def test_a_constant_policy_is_split_as_its_game(city: City) -> None:
    """Against coalitions and gradients through the model, which know nothing of steps."""
    env = make(city, "shared")
    today = baseline_policy(1, city.districts, env.dtype)
    policy = {k: v for k, v in env.physical(some(env)).items() if not torch.equal(v, today[k])}
    weather = [no_shocks(1, city.districts, city.start.planning.home_rent)] * MONTHS
    worth = game.policy_game(
        policy, {k: today[k] for k in policy}, game.by_governor(), game.flow_value(city, weather)
    )
    known = game.split(worth, tuple(game.by_governor()), city.start.treasury.debt)
    beta = discount_factor(city)
    years = (1 - beta**MONTHS) / (1 - beta)
    assert float(earned(env)[0]) == pytest.approx(float(known.gain * years), rel=1e-6)
    for method in ("difference", "shapley"):
        expected = getattr(known, method) * years
        torch.testing.assert_close(earned(make(city, method)), expected, rtol=1e-6, atol=1e-9)
    near = earned(make(city, "aumann_shapley"))
    gain = float((known.gain * years).abs())
    assert float((near - known.aumann_shapley * years).abs().max()) < 0.01 * gain
    assert float(near.sum()) == pytest.approx(float(known.gain * years), rel=1e-6)


def test_parts_sum_to_the_gain_at_every_step_and_at_the_end(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under shocks, with what is left at the end, for the methods that promise it."""
    quick = functools.partial(valuation.shadow_prices, months=12)
    monkeypatch.setattr(ground, "shadow_prices", quick)
    options = {"dynamics": "shocks", "horizon": 6, "terminal": "costates", "num_envs": 2}
    shared = make(city, "shared", **options)
    together = [shared.step(some(shared)).rewards for _ in range(2)]
    for method in ("shapley", "aumann_shapley"):
        env = make(city, method, **options)
        for whole in together:
            rewards = env.step(some(env)).rewards
            torch.testing.assert_close(
                torch.stack(list(rewards.values())).sum(0), whole["planning"], rtol=1e-7, atol=1e-10
            )


@pytest.mark.parametrize("method", ["difference", "shapley"])
def test_the_idle_earn_nothing(city: City, method: str) -> None:
    env = make(city, method, dynamics="shocks")
    actions = some(env)
    actions["planning"] = torch.zeros_like(actions["planning"])
    for _ in range(2):
        rewards = env.step(actions).rewards
        assert float(rewards["planning"].abs().max()) < 1e-12
        assert float(rewards["services"].abs().max()) > 1e-6


def test_boards_earn_what_would_be_lost_without_them(city: City) -> None:
    env = make(city, "difference", "districts_v0")
    actions = some(env)
    actions["boards"][:, 1] = 0
    with torch.no_grad():
        rewards = env.step(actions).rewards["boards"]
    assert rewards.shape == (1, 4)
    assert float(rewards[0, 1].abs()) < 1e-12
    assert float(rewards[0, [0, 2, 3]].abs().min()) > 1e-9


def test_a_row_earns_the_same_whatever_its_batch(city: City) -> None:
    many, alone = (
        make(city, "difference", dynamics="shocks", num_envs=rows, seed=seed)
        for rows, seed in ((3, 0), (1, 2))
    )
    for _ in range(2):
        crowd, one = many.step(some(many)).rewards, alone.step(some(alone)).rewards
        for name, reward in one.items():
            torch.testing.assert_close(crowd[name][2:], reward, rtol=1e-9, atol=1e-12)


def test_schemes_are_exact_on_games_that_are_known() -> None:
    """A made-up game of three: a gain alone, one of two together, one of all."""

    def worth(m: Tensor) -> Tensor:
        return m[:, 0] + 6 * m[:, 0] * m[:, 1] + 12 * m[:, 0] * m[:, 1] * m[:, 2]

    parts = {}
    for name in CREDITS:
        found = scheme(name, 3)
        every = torch.cat([torch.ones(1, 3), found.degrees.to(torch.float32), torch.zeros(1, 3)])
        parts[name] = found.split(worth(every.double()).unsqueeze(-1)).flatten().tolist()
    assert parts["shared"] == [19.0]
    assert parts["difference"] == pytest.approx([19, 18, 12])
    assert parts["shapley"] == pytest.approx([8, 7, 4])
    assert parts["aumann_shapley"] == pytest.approx([8, 7, 4], abs=0.03)
    assert sum(parts["aumann_shapley"]) == pytest.approx(19)
    assert scheme("difference", 1).copies == 0, "without the only agent: the twin"


def test_too_many_agents_are_told_what_would_do(city: City) -> None:
    with pytest.raises(ValueError, match=r"7 agents, expected at most 6; .*'difference'"):
        scheme("shapley", MOST_AGENTS + 1)
    assert scheme("difference", 40).copies == 40
