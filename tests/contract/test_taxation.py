"""taxation_v0: a rate that comes back by head, rebates by type, and an answer that is measured."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city.levers import LEVERS
from envs.city.sizes import TYPE_NAMES
from envs.governance import GovernanceEnv
from envs.scenarios.taxation_v0 import TREASURY

SMALL: dict[str, Any] = {"districts": 4, "cities": 1, "dynamics": "steady", "terminal": "tail"}


def make(**options: Any) -> GovernanceEnv:
    env = envs.make("taxation_v0", num_envs=1, seed=3, **(SMALL | options))
    assert isinstance(env, GovernanceEnv)
    return env


def held(env: GovernanceEnv, years: int, *settings: float) -> dict[str, Tensor]:
    """What the scenario measures after years of the same settings."""
    actions = {TREASURY: torch.tensor(settings).reshape(1, 1, -1)}
    for _ in range(years):
        info = env.step(actions).info
    measures: dict[str, Tensor] = info["measures"]
    return measures


def test_a_schedule_holds_the_rate_and_rebates_and_nothing_else() -> None:
    linear, types = (make(schedule=name).groups[0] for name in ("linear", "types"))
    assert linear.action_names == ("income_tax",)
    assert types.action_names == ("income_tax", *(f"rebate[{name}]" for name in TYPE_NAMES))
    assert "elapsed" not in types.observation_names, "no calendar"
    with pytest.raises(ValueError, match="schedule='flat'"):
        make(schedule="flat")


def test_a_higher_rate_comes_back_by_head_and_services_stay() -> None:
    env = make(schedule="linear")
    found = held(env, 4, 0.4)
    lever = LEVERS["income_tax"]
    assert float(found["rate"]) == pytest.approx(lever.default + 0.4 * 0.25, abs=1e-3)
    raised = float(found["rate"]) - lever.default
    assert float(found["demogrant"]) == pytest.approx(0.75 * raised, rel=0.15), "less what is lost"
    scale = env._flows.settlement.scale["services"]
    assert float(scale[0]) == pytest.approx(float(scale[-1]), rel=0.01), "as under today's rate"


def test_a_lower_rate_is_paid_for_by_services() -> None:
    env = make(schedule="linear")
    found = held(env, 4, -1.0)
    assert float(found["rate"]) == pytest.approx(0.0, abs=2e-3)
    assert float(env._flows.settlement.scale["services"][0]) < 0.95
    assert float(found["demogrant"]) < 0.02


def test_parts_of_the_answer_add_up_and_point_the_right_way() -> None:
    found = held(make(schedule="linear"), 3, 0.3)
    parts = [float(found[name]) for name in ("population", "earnings", "honesty")]
    assert float(found["base"]) == pytest.approx(sum(parts), abs=1e-6)
    assert float(found["net_rate"]) < 0
    assert float(found["honesty"]) < -1e-3, "a higher rate is evaded more"
    assert float(found["base"]) < 0


def test_where_nobody_cheats_honesty_does_not_move() -> None:
    found = held(make(schedule="linear", evasion=0.0), 2, 0.3)
    assert float(found["honesty"]) == pytest.approx(0.0, abs=1e-7)


def test_rebates_reach_their_type_and_the_poorest_gain_most() -> None:
    env = make()
    result = env.step({TREASURY: torch.tensor([0.2, 1.0, 0, 0, 0, 0, 0]).reshape(1, 1, -1)})
    gains = result.info["welfare_by_type"][0]
    assert int(gains.argmax()) == 0
    assert float(gains[0]) > 0.02
    assert float(gains[-1]) < 0
