"""Realism switches: each does what it says, at rest until a policy or a shock comes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs import realism
from envs.city import steady, tree
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.model import City
from envs.city.shocks import no_shocks
from envs.governance import GovernanceEnv
from envs.groups import StepResult
from envs.priors import SYNTHETIC, read

STEPS = 4


@pytest.fixture(scope="module")
def city() -> City:
    return with_parameters(synthetic_cities([3], 4), read(SYNTHETIC))


def make(city: City | str, rows: int = 1, seed: int = 0, **options: Any) -> GovernanceEnv:
    usual: dict[str, Any] = {"dynamics": "steady", "terminal": "tail", "horizon": 60}
    if city == "synthetic":
        usual["districts"] = 4
    settings = usual | {"dtype": torch.float64} | options
    return envs.make("city_v0", city=city, num_envs=rows, seed=seed, **settings)


def play(env: GovernanceEnv, steps: int = STEPS, **levers: float) -> list[StepResult]:
    """Steps with some actions, by the names of the levers."""
    actions = {
        g.name: torch.tensor(
            [levers.get(name.partition("[")[0], 0.0) for name in g.action_names], dtype=env.dtype
        ).expand(env.num_envs, g.size, -1)
        for g in env.groups
    }
    with torch.no_grad():
        return [env.step(actions) for _ in range(steps)]


def taxes(env: GovernanceEnv) -> Tensor:
    lines = env._flows.settlement.lines
    return (lines["income_tax"] + lines["business_tax"])[: env.num_envs]


def drift(city: City) -> float:
    state, like = city.initial(city.rows), city.start.planning.home_rent
    quiet = no_shocks(city.rows, city.districts, like)
    with torch.no_grad():
        for _ in range(12):
            state, _ = city.step(state, {}, quiet)
    return max(steady.drift(city, state).values())


@pytest.mark.parametrize(("evasion", "delay"), [(0, 1), (1, 0), (0.5, 0.5), (0, 0)])
def test_the_first_year_stays_a_steady_state(city: City, evasion: float, delay: float) -> None:
    switched = realism.changed(city, evasion, delay)
    assert drift(switched) < 1e-6
    people = switched.start.planning.people
    assert torch.equal(people, city.start.planning.people), "what was observed is as it was"
    shares = switched.start.treasury.evasion / city.start.treasury.evasion
    torch.testing.assert_close(shares, torch.full_like(shares, evasion), atol=1e-9, rtol=1e-9)


def test_the_model_as_it_is_is_not_touched(city: City) -> None:
    assert realism.changed(city, 1, 1) is city


def test_honest_people_pay_more_and_a_higher_rate_is_not_dodged(city: City) -> None:
    cheating, honest = make(city), make(city, evasion=0.0)
    assert float(taxes(honest) / taxes(cheating)) > 1.03
    for env in (cheating, honest):
        play(env, 6, income_tax=1.0, business_tax=1.0, toll=1.0)
    assert float(taxes(honest) / taxes(cheating)) > 1.1
    state = honest._state.treasury
    for share in (state.evasion, *(x for _, x in tree.leaves(state.dodging))):
        assert float(share.max()) < 1e-9
    assert float(cheating._state.treasury.dodging.fraud.max()) > 1e-3


def test_evasion_grows_with_its_switch(city: City) -> None:
    shares = []
    for evasion in (0.0, 0.5, 1.0):
        env = make(city, evasion=evasion)
        play(env, 6, income_tax=1.0)
        shares.append(float(env._state.treasury.evasion[0, 0]))
    assert shares[0] < 1e-9 < shares[1] < shares[2]
    assert shares[1] == pytest.approx(shares[2] / 2, rel=0.02)


def test_without_delay_instruments_are_in_force_at_once(city: City) -> None:
    env = make(city, delay=0.0)
    play(env, 1, toll=1.0, transit=1.0, income_tax=1.0)
    policy = env._state.treasury.policy
    assert float(policy["toll"][0, 0]) == pytest.approx(0.010)
    assert float(policy["income_tax"][0]) == pytest.approx(0.30)
    slow, half = make(city), make(city, delay=0.5)
    play(slow, 1, toll=1.0, income_tax=1.0)
    play(half, 1, toll=1.0, income_tax=1.0)
    for lever in ("toll", "income_tax"):
        reached = [
            float(e._state.treasury.policy[lever].flatten()[0] - e._today[lever].flatten()[0])
            for e in (slow, half, env)
        ]
        assert 0 < reached[0] < reached[1] < reached[2]


def test_without_delay_roads_and_schools_stand_sooner(city: City) -> None:
    built = []
    for delay in (1.0, 0.5, 0.0):
        env = make(city, delay=delay, budget="soft")
        play(env, 4, road=1.0, facilities=1.0, staff=1.0)
        n = env.num_envs
        state = env._state
        built.append(
            [
                float(state.infrastructure.road[:n].sum() / state.infrastructure.road[n:].sum()),
                float(state.services.facilities[:n].sum() / state.services.facilities[n:].sum()),
                float(state.services.staff[:n].sum() / state.services.staff[n:].sum()),
            ]
        )
    for slow, half, fast in zip(*built, strict=True):
        assert 1 < slow < half < fast


def test_without_shocks_the_world_is_steady(city: City) -> None:
    levers = {"toll": 0.5, "staff": -0.3}
    steady_world = play(make(city, 2), **levers)
    for dynamics in ("trend", "shocks", "crisis"):
        still = play(make(city, 2, dynamics=dynamics, shocks=0.0), **levers)
        for a, b in zip(still, steady_world, strict=True):
            for name, reward in a.rewards.items():
                assert torch.equal(reward, b.rewards[name])
    half, full = (
        make(city, 2, dynamics="crisis", shocks=s)._dynamics.advance() for s in (0.5, 1.0)
    )
    for name, value in full.items():
        assert torch.equal(half[name], value / 2), name


def test_rows_draw_parameters_of_their_own(city: City) -> None:
    many, alone = (
        make("synthetic", rows, seed, uncertainty=1.0, cities=4) for rows, seed in ((8, 0), (1, 5))
    )
    for name, value in many._ground.governed.parameters.values.items():
        if value.shape[0] > 1:
            one = alone._ground.governed.parameters.values[name]
            assert torch.equal(value[5], one[0]), name
    for together, single in zip(play(many, toll=0.5), play(alone, toll=0.5), strict=True):
        for name, reward in together.rewards.items():
            torch.testing.assert_close(reward[5:6], single.rewards[name], rtol=1e-9, atol=1e-12)
    weights = many._ground.governed.parameters.values["om_service"]
    assert weights.unique(dim=0).shape[0] == 8
    assert drift(many._ground.governed) < 1e-6


def test_the_spread_is_that_of_the_priors(city: City) -> None:
    own = city.parameters.values["el_research"]
    for uncertainty in (1.0, 0.5):
        drawn = realism.drawn(city, range(150), uncertainty).values
        spread = torch.log(drawn["el_research"] / own).std()
        assert float(spread) == pytest.approx(0.5 * uncertainty, rel=0.15)
        assert float(torch.log(drawn["gain_v"] / city.parameters.values["gain_v"]).std()) < 0.25
    none = make(city, 2)._ground.governed.parameters.values
    assert none["el_research"].shape[0] == 1


def test_a_seed_draws_parameters_anew_and_an_episode_keeps_them(city: City) -> None:
    env = make(city, 2, uncertainty=1.0)
    first = env._ground.governed.parameters.values["el_research"]
    env.reset()
    assert env._ground.governed.parameters.values["el_research"] is first
    env.reset(seed=7)
    again = env._ground.governed.parameters.values["el_research"]
    assert not torch.equal(again, first)
    env.reset(seed=0)
    assert torch.equal(env._ground.governed.parameters.values["el_research"], first)


def test_frozen_ports_leave_the_blocks_as_they_stood(city: City) -> None:
    gains = []
    for coupling in (0.0, 0.5, 1.0):
        env = make(city, 1, coupling=coupling, dynamics="shocks")
        last = play(env, toll=1.0, staff=1.0, road=1.0)[-1]
        gains.append(last.info["welfare"]["overall"])
        state, start = env._state, env._ground.start
        if coupling == 0:
            for block in ("planning", "industry", "services", "infrastructure"):
                pairs = zip(
                    tree.leaves(getattr(state, block)),
                    tree.leaves(getattr(start, block)),
                    strict=True,
                )
                assert all(torch.equal(now, then) for (_, now), (_, then) in pairs), block
    assert not torch.equal(gains[0], gains[1])
    assert not torch.equal(gains[1], gains[2])


def test_switches_change_at_the_next_reset_and_only_then(city: City) -> None:
    env, honest = make(city, dynamics="shocks"), make(city, dynamics="shocks", evasion=0.0)
    before = play(env, 1, toll=0.5)[0]
    env.set_realism({"evasion": 0.0})
    assert env.realism["evasion"] == 1
    env.reset(seed=0)
    assert env.realism["evasion"] == 0
    after, known = play(env, 1, toll=0.5)[0], play(honest, 1, toll=0.5)[0]
    for name, reward in after.rewards.items():
        assert torch.equal(reward, known.rewards[name])
        assert not torch.equal(reward, before.rewards[name])
    env.set_realism({"evasion": 1.0, "information": 0.5})
    env.reset(seed=0)
    switched, lossy = play(env, 1), play(make(city, dynamics="shocks", information=0.5), 1)
    for name, seen in switched[0].observations.items():
        assert torch.equal(seen, lossy[0].observations[name]), name


def test_a_twin_keeps_its_state_and_its_pipelines_flow_on(city: City) -> None:
    """A city that is not at rest: what leaves a pipeline in a month is as before."""
    twin = replace(city, panel=None)
    fast = realism.changed(twin, 0.5, 0.0)
    assert torch.equal(fast.start.planning.people, twin.start.planning.people)
    for block, pipe, lag in (
        ("planning", "home_pipe", "lag_h"),
        ("services", "pipe", "lag_fac"),
        ("infrastructure", "road_pipe", "lag_g"),
    ):
        out = [
            getattr(getattr(c.start, block), pipe) * 3 / c.parameters.values[lag]
            for c in (twin, fast)
        ]
        torch.testing.assert_close(out[0], out[1])
    torch.testing.assert_close(fast.start.treasury.evasion, twin.start.treasury.evasion / 2)
    with pytest.raises(ValueError, match="uncertainty: the rows of a fitted twin"):
        make(twin, uncertainty=0.5)


def test_bad_switches_are_all_named(city: City) -> None:
    with pytest.raises(ValueError, match=r"evasion=2: expected 0 to 1; .*delay=-1"):
        make(city, evasion=2, delay=-1)
    env = make(city)
    with pytest.raises(ValueError, match=r"'weather' is no switch.*; shocks=3: expected 0 to 1"):
        env.set_realism({"weather": 1.0, "shocks": 3.0})


def test_rows_that_move_stand_on_other_cities_from_the_next_reset_on() -> None:
    """They earn there what rows that were made there earn; the rest of an episode is not cut."""
    env, there = make("synthetic", 2, 0, cities=4), make("synthetic", 2, 2, cities=4)
    here = play(env, transit=0.5)[-1].info["welfare"]["overall"]
    env.reset()
    env.move(2)
    torch.testing.assert_close(play(env, transit=0.5)[-1].info["welfare"]["overall"], here)
    env.reset()
    now, expected = (play(each, transit=0.5)[-1] for each in (env, there))
    assert not torch.allclose(now.info["welfare"]["overall"], here)
    torch.testing.assert_close(
        now.info["welfare"]["overall"], expected.info["welfare"]["overall"], rtol=1e-12, atol=0
    )
