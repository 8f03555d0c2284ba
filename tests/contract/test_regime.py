"""Regime changes: a break nobody is told of, before which nothing differs and that twins share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import envs
from envs.governance import GovernanceEnv
from envs.groups import StepResult
from envs.regime import BREAKS as REGIMES

BREAKS = tuple(REGIMES)
BEFORE, STEPS = 4, 8
FOUR = {"city": "synthetic", "districts": 4, "cities": 1}


def make(rows: int = 2, scenario: str = "city_v0", seed: int = 0, **options: Any) -> Any:
    usual = {"horizon": 3 * STEPS, "regime_month": 3 * BEFORE, "terminal": "tail"}
    return envs.make(scenario, num_envs=rows, seed=seed, **(FOUR | usual | options))


def play(env: GovernanceEnv, size: float = 0.3, steps: int = STEPS) -> list[StepResult]:
    """Steps under the same pushed levers, whatever is seen."""
    stream = torch.Generator().manual_seed(1)
    found = []
    for _ in range(steps):
        actions = {
            g.name: size
            * torch.rand(1, g.size, len(g.action_names), generator=stream).expand(
                env.num_envs, -1, -1
            )
            for g in env.groups
        }
        with torch.no_grad():
            found.append(env.step(actions))
    return found


def seen(result: StepResult) -> Tensor:
    return torch.cat([x.flatten(1) for x in result.info["final_observations"].values()], 1)


@pytest.mark.parametrize("scenario", ["city_v0", "services_v0", "region_v0"])
@pytest.mark.parametrize("regime", BREAKS)
def test_until_the_break_nothing_differs_and_after_it_much_does(scenario: str, regime: str) -> None:
    plain = play(make(scenario=scenario), steps=BEFORE + 2)
    broken = play(make(scenario=scenario, regime=regime), steps=BEFORE + 2)
    for calm, struck in zip(plain[:BEFORE], broken, strict=False):
        assert torch.equal(seen(calm), seen(struck))
        for name, rewards in calm.rewards.items():
            assert torch.equal(rewards, struck.rewards[name])
        for name, value in calm.info["welfare"].items():
            assert torch.equal(value, struck.info["welfare"][name])
    assert not torch.allclose(seen(plain[-1]), seen(broken[-1]), atol=1e-5)


@pytest.mark.parametrize("regime", BREAKS)
def test_nobody_is_told(regime: str) -> None:
    """No observation is added, and a break of no strength cannot be told from none."""
    plain, broken = make(), make(regime=regime, regime_strength=0.0)
    assert [g.observation_names for g in plain.groups] == [
        g.observation_names for g in broken.groups
    ]
    for calm, struck in zip(play(plain), play(broken), strict=True):
        torch.testing.assert_close(seen(calm), seen(struck), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("regime", BREAKS)
def test_the_status_quo_meets_the_same_break(regime: str) -> None:
    """Who changes nothing gains and loses nothing by it, stocks left at the end included."""
    for result in play(make(regime=regime), size=0.0):
        for value in result.info["welfare"].values():
            torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("terminal", "credit"), [("costates", "difference"), ("tail", "shared")])
def test_rewards_stay_finite_with_either_worth_of_stocks(terminal: str, credit: str) -> None:
    results = play(make(regime="parameters", terminal=terminal, credit=credit))
    assert all(bool(r.isfinite().all()) for x in results for r in x.rewards.values())
    assert float(results[-1].info["welfare"]["terminal"].abs().max()) > 0


def test_a_row_breaks_by_its_own_seed_alone() -> None:
    options: dict[str, Any] = {"regime": "parameters", "regime_month": 0, "horizon": 48}
    many, one = make(rows=4, seed=7, **options), make(rows=1, seed=9, **options)
    months = many._ground.regime.month
    assert len(set(months.tolist())) > 1
    assert all(12 <= month < 36 for month in months.tolist())
    assert int(one._ground.regime.month[0]) == int(months[2])
    for row, alone in zip(play(many, steps=16), play(one, steps=16), strict=True):
        torch.testing.assert_close(seen(row)[2:3], seen(alone), atol=1e-4, rtol=1e-4)
    many.reset(seed=20)
    assert not torch.equal(many._ground.regime.month, months)


def test_a_new_episode_starts_in_the_old_world() -> None:
    env = make(regime="parameters")
    calm, struck = play(make()), [*play(env), *play(env)]
    assert torch.equal(env._ground.model.parameters.b.chi, make()._ground.model.parameters.b.chi)
    assert not torch.allclose(seen(calm[-1]), seen(struck[STEPS - 1]), atol=1e-5)
    env.reset(seed=0)
    for before, again in zip(calm[:BEFORE], play(env), strict=False):
        assert torch.equal(seen(before), seen(again))


def test_evasion_opens_where_nobody_evaded() -> None:
    """The same taxes bring less after the channel has opened."""

    def revenue(**options: Any) -> Tensor:
        env = make(evasion=0.0, horizon=36, dynamics="steady", **options)
        with torch.no_grad():
            for _ in range(11):
                env.step(env._quiet_actions())
        lines = env._flows.settlement.lines
        return lines["income_tax"] + lines["business_tax"]

    honest, opened = revenue(), revenue(regime="evasion")
    assert float((opened / honest).max()) < 0.99


def test_needs_wear_down_what_is_not_staffed_for_them() -> None:
    """The same staff meets more patients; other services are as they were."""

    def quality(**options: Any) -> Tensor:
        env = make(dynamics="steady", **options)
        with torch.no_grad():
            for _ in range(STEPS - 1):
                env.step(env._quiet_actions())
        return env._state.services.quality.mean((0, 1))

    education, health, *_ = (quality(regime="needs") / quality()).tolist()
    assert health < 0.9
    assert education == pytest.approx(1.0, abs=0.02)


def test_stocks_are_worth_what_is_paid_for_them_at_the_end() -> None:
    """Worth in mid-episode is what a tail run pays for where the episode ends there."""
    after = 3 * (BEFORE + 2)
    long, ends = make(regime="needs"), make(regime="needs", horizon=after)
    play(long, steps=BEFORE + 2)
    last = play(ends, steps=BEFORE + 2)[-1]
    worth = long.worth()
    assert float(worth.abs().min()) > 0
    torch.testing.assert_close(worth * long._ground.beta**3, last.info["welfare"]["terminal"])


def test_a_break_after_the_end_is_refused() -> None:
    with pytest.raises(ValueError, match=r"regime_month=24.*0 .* to 23") as caught:
        make(regime="evasion", regime_month=24, regime_strength=3.0)
    assert "regime_strength=3.0: expected 0 to 2" in str(caught.value)
    make(regime_month=500)  # nothing breaks


def test_a_world_that_supposes_the_break_foresees_it() -> None:
    """To the bit, from the numbers that the broken world drew; gradients flow to them."""
    real, model = make(regime="parameters"), make()
    numbers = []
    for row in range(2):
        stream = np.random.default_rng(np.random.SeedSequence(row, spawn_key=(4,)))
        stream.integers(6, 18)  # the month that each row could have had of its own
        numbers.append(stream.standard_normal(model.jump_size))
    jump = torch.tensor(np.stack(numbers)).requires_grad_()
    model.suppose(jump, torch.full((2,), 3 * BEFORE))
    found, foreseen = play(real), play(model)
    for left, right in zip(found, foreseen, strict=True):
        assert torch.equal(seen(left), seen(right))
        assert torch.equal(left.info["welfare"]["overall"], right.info["welfare"]["overall"])
    still = {g.name: torch.zeros(2, g.size, len(g.action_names)) for g in model.groups}
    model.reset()
    model.suppose(jump, torch.zeros(2, dtype=torch.long))
    figures = model.step({name: x + 0.3 for name, x in still.items()}).observations
    (slope,) = torch.autograd.grad(sum(x.sum() for x in figures.values()), [jump])
    assert bool(slope.isfinite().all())
    assert bool(slope.any(1).all())
