"""Budgets that governors share: joint costs, budgets, and what a Lagrangian learner does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import envs
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.levers import GOVERNORS
from envs.city.model import City
from envs.cost_sets import dual_step, penalised
from envs.costs import COSTS
from envs.governance import GovernanceEnv
from envs.groups import StepResult
from envs.priors import SYNTHETIC, read


@pytest.fixture(scope="module")
def city() -> City:
    return with_parameters(synthetic_cities([3], 4), read(SYNTHETIC))


def make(city: City, scenario: str, **options: Any) -> GovernanceEnv:
    usual = {"num_envs": 2, "dynamics": "steady", "terminal": "tail", "dtype": torch.float64}
    return envs.make(scenario, city=city, **(usual | options))


def moved(env: GovernanceEnv) -> StepResult:
    actions = {
        g.name: torch.full((2, g.size, len(g.action_names)), 0.3, dtype=env.dtype)
        for g in env.groups
    }
    if "boards" in actions:
        actions["boards"][:, 0] = 0
    return env.step(actions)


def test_governors_share_what_each_carries_or_one_carries_for_all(city: City) -> None:
    sets = {"deficit": list(GOVERNORS), "intervention": ["planning", "services"]}
    env = make(city, "city_v0", cost_sets=sets, cost_budgets={"deficit": 0.4})
    assert [s.budget for s in env.cost_sets] == [0.4, 2 * COSTS["intervention"].budget]
    result = moved(env)
    joint = result.info["set_costs"]

    def own(governor: str, cost: str) -> torch.Tensor:
        group = next(g for g in env.groups if g.name == governor)
        return result.costs[governor][:, 0, group.cost_names.index(cost)]

    torch.testing.assert_close(joint["deficit"], own("industry", "deficit"))
    both = own("planning", "intervention") + own("services", "intervention")
    torch.testing.assert_close(joint["intervention"], both)


def test_some_boards_share_the_mean_of_their_districts(city: City) -> None:
    sets = {"intervention": ("board_00", "board_01"), "deficit": ("boards",)}
    env = make(city, "districts_v0", cost_sets=sets)
    result = moved(env)
    group = env.groups[0]
    own = result.costs["boards"][..., group.cost_names.index("intervention")]
    assert float(own[0, 0]) == 0
    torch.testing.assert_close(result.info["set_costs"]["intervention"], own[:, :2].mean(-1))
    deficit = result.costs["boards"][:, 0, group.cost_names.index("deficit")]
    torch.testing.assert_close(result.info["set_costs"]["deficit"], deficit)
    charged = penalised(
        result.rewards, result.info["set_costs"], {"intervention": 2.0}, env.cost_sets
    )
    lost = result.rewards["boards"] - charged["boards"]
    torch.testing.assert_close(lost[:, 0], own[:, :2].sum(-1))
    torch.testing.assert_close(lost[:, 1], lost[:, 0])
    assert float(lost[:, 2:].abs().max()) == 0, "no member, no charge"


def test_multipliers_climb_where_a_budget_is_broken_and_never_below_zero(city: City) -> None:
    env = make(city, "city_v0", cost_sets={"deficit": ["planning", "industry"]})
    budget = env.cost_sets[0].budget
    up = dual_step({}, {"deficit": budget + 0.2}, env.cost_sets, rate=0.5)
    assert up == {"deficit": pytest.approx(0.1)}
    assert dual_step(up, {"deficit": 0.0}, env.cost_sets, rate=5.0) == {"deficit": 0.0}


def test_bad_sets_are_all_named(city: City) -> None:
    with pytest.raises(ValueError, match=r"cost_sets: 'debt' is unknown.*deficit: expected diff"):
        make(city, "city_v0", cost_sets={"debt": ["planning"], "deficit": []})
    with pytest.raises(ValueError, match=r"'planing' is no agent or group; known: industry"):
        make(city, "city_v0", cost_sets={"deficit": ["planing"]})
