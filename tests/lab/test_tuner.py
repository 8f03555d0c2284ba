"""The self-tuning planner: what it notices of a break, learns of it, and leaves alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import envs
from envs import stocks
from envs.foresight import Moment
from experiments import config
from experiments.regret import Break, Climb, Tuning, flows, gather
from experiments.regret import tuner as planner
from experiments.regret.play import CALM, PLANNER, TUNER
from experiments.regret.tuner import NEVER, Tuner

ROWS, FIRST = 3, 10_000_000


@pytest.fixture(autouse=True)
def short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stocks are worth is worked out over a year, not twenty."""
    monkeypatch.setattr(stocks, "TAIL_MONTHS", 12)
    torch.set_num_threads(1)


def world(regime: str, times: int = 1) -> Any:
    options = {"districts": 3, "cities": ROWS, "seed": FIRST, "horizon": 36, "terminal": "tail"}
    broken = {"regime": regime, "regime_month": 6}
    return envs.make("city_v0", city="synthetic", num_envs=times * ROWS, **options, **broken)


def quiet(env: Any) -> dict[str, Tensor]:
    return {g.name: torch.zeros(ROWS, g.size, len(g.action_names)) for g in env.groups}


def governed(regime: str, steps: int, tuning: Tuning) -> Tuner:
    """The planner after so many steps of a world, where the policy at hand does nothing."""
    env = world(regime)
    tuner = Tuner(partial(world, "none"), range(FIRST, FIRST + ROWS), 11, tuning, lambda: None)
    seen, _ = env.reset(seed=FIRST)
    for _ in range(steps):
        with torch.no_grad():
            seen = env.step(tuner.act(seen, quiet(env))).observations
    with torch.no_grad():
        tuner.act(seen, quiet(env))
    return tuner


@pytest.mark.parametrize("regime", ["parameters", "evasion", "needs"])
def test_a_break_is_noticed_a_step_after_it_in_every_city(regime: str) -> None:
    before = governed(regime, 2, Tuning(0, climbs=0))
    assert (before.month == NEVER).all()
    after = governed(regime, 3, Tuning(0, climbs=0))
    assert (after.month == 6).all()


def test_what_is_not_broken_is_left_to_the_policy_at_hand() -> None:
    """Without a break, and before it; after it both planners gain on a policy of no use."""
    words = ["districts=3", "scenario.horizon=36", "scenario.months_per_step=3"]
    loaded = config.load(words).scored_on(FIRST, 2)
    entries, _, _ = gather(["status_quo"])
    struck = Break(("parameters",), 6, 1.0, 12)
    found = flows(loaded, entries, struck, Tuning(4, climbs=4), Climb(0), lambda: None)
    frozen, *planners = found
    assert [flow.name for flow in planners] == [PLANNER, TUNER]
    for flow in planners:
        assert np.array_equal(flow.courses[CALM].flow, frozen.courses[CALM].flow)
        before, after = (x.courses["parameters"] for x in (frozen, flow))
        assert np.array_equal(before.flow[..., :3], after.flow[..., :3])
        assert not np.array_equal(before.flow[..., 3:], after.flow[..., 3:])
        assert (after.earned > before.earned).all()


def test_estimates_explain_what_is_seen() -> None:
    """Better than the prior's mean does, without going far from the prior."""
    errors, jumps = [], []
    for iterations in (0, 10):
        tuner = governed("parameters", 5, Tuning(iterations, climbs=0))
        seen = torch.stack(tuner.seen)
        assert seen.shape[:2] == (3, ROWS)
        errors.append((tuner.foreseen() - seen).square().mean().sqrt())
        jumps.append(tuner.jump.square().mean().sqrt())
    assert errors[1] < 0.2 * errors[0]
    assert jumps[0] == 0
    assert 0.1 < jumps[1] < 1.5


def test_plans_do_not_know_trends_of_the_weather_from_swings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They start from the levels so far and the mean trend, which is the same in every city."""
    starts = []

    def spy(model: Any, here: Moment, start: Any, *_: Any) -> Any:
        starts.append((here.position, model.weather))
        return start

    monkeypatch.setattr(planner, "best_plan", spy)
    governed("parameters", 3, Tuning(0, climbs=0))
    ((position, weather),) = starts
    assert torch.equal(position.trend, position.trend[:1].expand_as(position.trend))
    torch.testing.assert_close(position.level + position.trend, weather)
    assert not torch.allclose(weather, weather[:1].expand_as(weather))
