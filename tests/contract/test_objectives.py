"""Objectives and parts of rewards: right by hand, on one scale, as ever where nothing is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs import stocks
from envs.city import valuation, welfare
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.levers import baseline_policy
from envs.city.model import City
from envs.governance import GovernanceEnv
from envs.objectives import Objective
from envs.priors import SYNTHETIC, read


@pytest.fixture(scope="module")
def city() -> City:
    return with_parameters(synthetic_cities([3], 4), read(SYNTHETIC))


def make(
    city: City | str = "synthetic", scenario: str = "city_v0", **options: Any
) -> GovernanceEnv:
    usual: dict[str, Any] = {"num_envs": 2, "seed": 3, "horizon": 12, "dtype": torch.float64}
    usual |= (
        {"districts": 4, "cities": 1}
        if city == "synthetic"
        else {"terminal": "tail", "months_per_step": 1}
    )
    return envs.make(scenario, city=city, **(usual | options))


def actions(env: GovernanceEnv, generator: torch.Generator) -> dict[str, Tensor]:
    return {
        g.name: 2
        * torch.rand(2, g.size, len(g.action_names), generator=generator, dtype=torch.float64)
        - 1
        for g in env.groups
    }


def test_equivalents_by_hand() -> None:
    """A fifth of the people consume 1, three fifths 2, a fifth 4."""
    consumption = torch.tensor([[[1.0, 2.0], [4.0, 2.0]]], dtype=torch.float64)
    people = torch.tensor([[[10.0, 10.0], [10.0, 20.0]]], dtype=torch.float64)

    def equal(aversion: float) -> float:
        return float(welfare.equally_distributed(consumption, people, aversion))

    assert equal(0) == pytest.approx(2.2)
    assert equal(1) == pytest.approx(2.0), "geometric mean: 2^(0/5 + 3/5 + 2/5)"
    assert equal(2) == pytest.approx(1 / 0.55), "harmonic mean"
    assert equal(welfare.RAWLS) == pytest.approx(5 ** (1 / 19), rel=1e-5)
    # Pairs: .2 .6 |1 - 2| + .2 .2 |1 - 4| + .6 .2 |2 - 4| = .48 = mean times Gini.
    assert float(welfare.gini_equivalent(consumption, people)) == pytest.approx(1.72, rel=1e-4)


def test_equals_have_no_gini_and_a_smooth_one() -> None:
    consumption = torch.full((1, 3, 2), 2.0, dtype=torch.float64, requires_grad=True)
    people = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(1, 3, 2)
    value = welfare.gini_equivalent(consumption, people)
    assert float(value.detach()) == pytest.approx(2.0)
    (slope,) = torch.autograd.grad(value.sum(), consumption)
    torch.testing.assert_close(slope, people / people.sum(), msg="everybody counts alike")


def test_a_gift_to_the_poor_is_worth_more_the_more_averse(city: City) -> None:
    """The same sum handed to the lowest or to the highest incomes."""
    gains: dict[str, list[float]] = {}
    for objective in welfare.OBJECTIVES:
        env = make(city, objective=objective, dynamics="steady", budget="soft")
        for cell in (0, -1):
            env.reset()
            quiet = {
                g.name: torch.zeros(2, g.size, len(g.action_names), dtype=env.dtype)
                for g in env.groups
            }
            services = next(g for g in env.groups if g.name == "services")
            rebates = [i for i, x in enumerate(services.action_names) if x.startswith("rebate")]
            quiet["services"][..., rebates[cell]] = 1.0
            flow = env.step(quiet).info["welfare"]["overall"]
            gains.setdefault(objective, []).append(float(flow[0]))
    poor, rich = zip(*gains.values(), strict=True)
    assert all(gain > 0 for gain in poor)
    ratio = dict(
        zip(gains, (p / max(r, 1e-12) for p, r in zip(poor, rich, strict=True)), strict=True)
    )
    assert ratio["utilitarian"] < ratio["nash"] < ratio["atkinson"] < ratio["rawls"]
    assert ratio["utilitarian"] < ratio["gini"]


def test_the_flow_is_what_the_reports_call_by_its_name(city: City) -> None:
    """Atkinson with an aversion of one is Nash; every objective is the reported measure."""
    generator = torch.Generator().manual_seed(5)
    chosen = actions(make(city), generator)
    reports = make(city).step(chosen).info["welfare"]
    for options, name in (
        ({"objective": "nash"}, "nash"),
        ({"objective": "atkinson", "aversion": 1.0}, "nash"),
        ({"objective": "atkinson"}, "atkinson"),
        ({"objective": "rawls"}, "rawls"),
        *(({"population": kind}, kind) for kind in welfare.POPULATION),
    ):
        env = make(city, **options)
        flow = env.step(chosen).info["welfare"]["overall"]
        torch.testing.assert_close(flow, reports[name], rtol=1e-9, atol=1e-15)


def test_incumbents_are_judged_by_type_whoever_moves(city: City) -> None:
    """Half of each type leaves and a fifth of the lowest incomes is lost: weights stay."""
    env = make(city)
    reference = welfare.reference(city)
    now = welfare.evaluate(city, reference, env._flows)
    ref = reference
    fallen = torch.zeros_like(ref.income)
    fallen[:, 0] = -0.2
    now = replace(now, by_type=fallen, people=now.people / 2)
    mean = ref.total / ref.people.sum(-1)
    poorest = ref.people[0, 0] * ref.income[0, 0] / ref.total[0]
    flat, averse = (
        Objective("atkinson", aversion, "incumbents")(now, ref)
        - welfare.equally_distributed(ref.income[:, None], ref.people[:, None], aversion) / mean
        for aversion in (0.0, 2.0)
    )
    assert float(flat[0]) == pytest.approx(-0.2 * float(poorest), rel=1e-6)
    assert float(averse[0]) < 1.5 * float(flat[0]), "a loss of the poorest counts for more"
    assert Objective("nash", 2.0, "incumbents")(now, ref) == pytest.approx(
        float(Objective("atkinson", 1.0, "incumbents")(now, ref)), rel=1e-9
    )


@pytest.mark.parametrize("name", ["nash", "gini"])
def test_stocks_are_priced_by_the_same_objective(city: City, name: str) -> None:
    """Co-states are slopes of the objective's own present value."""
    measure = Objective(name, 2.0, "total")
    reference, start = welfare.reference(city), city.initial()
    prices = valuation.costates(city, reference, 24, measure=measure)
    works = start.infrastructure
    better = replace(start, infrastructure=replace(works, condition=works.condition + 1e-5))
    today = baseline_policy(1, city.districts, torch.float64)
    high, low = (
        valuation.present_value(city, state, reference, today, 24, measure=measure).welfare
        for state in (better, start)
    )
    slope = float(high - low) / 1e-5
    assert slope > 0
    assert slope == pytest.approx(float(prices.infrastructure.condition.sum()), rel=1e-3)


def test_the_tail_run_counts_in_the_objective(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stocks, "TAIL_MONTHS", 24)
    chosen = actions(make(city), torch.Generator().manual_seed(4))
    left = []
    for objective in ("utilitarian", "gini"):
        env = make(city, objective=objective, horizon=1)
        with torch.no_grad():
            left.append(env.step(chosen).info["welfare"]["terminal"])
    assert bool((left[0] != 0).all())
    assert not torch.equal(left[0], left[1])


@pytest.mark.parametrize("scenario", ["city_v0", "districts_v0"])
def test_the_weights_make_the_reward_of_its_parts(city: City, scenario: str) -> None:
    env = make(city, scenario, intervention_price=0.3, credit="difference", local_weight=0.4)
    result = env.step(actions(env, torch.Generator().manual_seed(2)))
    for group in env.groups:
        parts = result.info["reward_vector"][group.name]
        assert parts.shape == (2, group.size, len(group.reward_names))
        weights = torch.tensor(group.reward_weights, dtype=parts.dtype)
        torch.testing.assert_close(parts @ weights, result.rewards[group.name])
        column = group.reward_names.index("cost_intervention")
        assert float(parts[..., column].max()) < 0


def test_the_price_is_of_what_is_moved(city: City) -> None:
    quiet_actions = {
        g.name: torch.zeros(2, g.size, len(g.action_names), dtype=torch.float64)
        for g in make(city).groups
    }
    free, priced = (make(city, intervention_price=price) for price in (0.0, 2.0))
    for env in (free, priced):
        env.last = env.step(quiet_actions)  # type: ignore[attr-defined]
    for name, reward in priced.last.rewards.items():  # type: ignore[attr-defined]
        assert torch.equal(reward, free.last.rewards[name]), "today's settings cost nothing"  # type: ignore[attr-defined]
    moved = {name: raw.clone() for name, raw in quiet_actions.items()}
    moved["planning"] += 0.5
    plain, charged = free.step(moved), priced.step(moved)
    group = next(g for g in free.groups if g.name == "planning")
    cost = plain.costs["planning"][..., group.cost_names.index("intervention")]
    torch.testing.assert_close(charged.rewards["planning"], plain.rewards["planning"] - 2.0 * cost)
    assert torch.equal(charged.rewards["services"], plain.rewards["services"])


def test_every_objective_has_a_slope(city: City) -> None:
    for objective in ("atkinson", "gini", "rawls"):
        env = make(city, objective=objective, intervention_price=0.1, credit="difference")
        raw = {
            name: x.requires_grad_()
            for name, x in actions(env, torch.Generator().manual_seed(3)).items()
        }
        total = torch.stack([r.sum() for r in env.step(raw).rewards.values()]).sum()
        slopes = torch.autograd.grad(total, list(raw.values()))
        assert all(bool(torch.isfinite(s).all()) and bool((s != 0).any()) for s in slopes)


def test_bad_choices_are_all_named(city: City) -> None:
    options = {"objective": "greed", "population": "dogs", "credit": "me", "aversion": -1}
    with pytest.raises(
        ValueError, match=r"objective='greed'.*population='dogs'.*credit='me'.*aversion=-1"
    ):
        make(city, **options)
