"""Constraint costs: right by hand, zero today, felt where they should be, with budgets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import envs
from envs.city.demography import age
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.costs import COSTS, LIMITS, distance, evaluate, excess
from envs.governance import GovernanceEnv
from envs.scenario import Scene

SCENARIOS = ("city_v0", "districts_v0")
#: Limits that a moderate policy passes.
HARSH = {"quality_minimum": 1.2, "condition_minimum": 1.1, "emission_cap": 0.8, "debt_limit": 0.1}
LEVERS_OF_BOARDS = ("property_tax", "release", "maintenance", "staff")


def make(scenario: str, city: City, rows: int = 1, **options: Any) -> GovernanceEnv:
    options = {"dynamics": "steady", "terminal": "tail", "horizon": 120} | options
    return envs.make(scenario, city=city, num_envs=rows, dtype=torch.float64, **options)


def quiet(env: GovernanceEnv) -> dict[str, Tensor]:
    """Today's setting of every lever, as raw actions."""
    rows = env.num_envs
    return {
        g.name: torch.zeros(rows, g.size, len(g.action_names), dtype=env.dtype) for g in env.groups
    }


@pytest.fixture(scope="module")
def env(nine: City) -> GovernanceEnv:
    return make("city_v0", nine)


@pytest.fixture
def scene(env: GovernanceEnv) -> Scene:
    """The status quo in its first month, at rest."""
    env.reset(seed=0)
    return replace(env._scene(), _values={})


def cost(
    env: GovernanceEnv, name: str, scene: Scene, local: bool = False, **limits: float
) -> Tensor:
    """One cost of a scene: ``[B]``, or ``[B, D]`` by district."""
    scenario = replace(env.options, cost_limits=limits)
    terms = scenario.terms(scene, LEVERS_OF_BOARDS if local else tuple(LEVERS), local)
    return COSTS[name].value(scene, terms)


def test_smooth_parts() -> None:
    x = torch.tensor([-1.0, 0.0, 0.01, 3.0], dtype=torch.float64)
    assert excess(x, 0.05).tolist() == pytest.approx([0, 0, 0.0001 / 0.06, 9 / 3.05])
    assert distance(-x, 0.05).tolist() == pytest.approx([1 / 1.05, 0, 0.0001 / 0.06, 9 / 3.05])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_seven_are_carried_and_the_status_quo_keeps_them(scenario: str, nine: City) -> None:
    world = make(scenario, nine, rows=2)
    result = world.step(quiet(world))
    carried = set()
    for group in world.groups:
        costs = result.costs[group.name]
        assert costs.shape == (2, group.size, len(group.cost_names))
        assert len(group.budgets) == len(group.cost_names)
        assert (costs >= 0).all()
        assert (costs.amax((0, 1)) <= 0.1 * torch.tensor(group.budgets)).all()
        carried |= set(group.cost_names)
        for name, column in zip(group.cost_names, costs.unbind(-1), strict=True):
            if name not in ("deficit", "service_minimum"):
                assert column.max() < 1e-12, name
    assert carried == set(COSTS)


def test_deficit_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """Ten months of revenue owed, 7.2 allowed: softplus(2.8)."""
    treasury = replace(scene.state.treasury, debt=10 * scene.flows.settlement.revenue)
    owing = replace(scene, state=replace(scene.state, treasury=treasury))
    assert float(cost(env, "deficit", owing)) == pytest.approx(2.8590328)
    assert float(cost(env, "deficit", owing, debt_limit=1.0)) == pytest.approx(0.1269280)
    assert float(cost(env, "deficit", scene)) == pytest.approx(0.0007463, abs=1e-7)


def test_emissions_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """A fifth above the first year, five years into a cap that falls by a tenth a year."""
    dirty = {"emissions": 1.2 * scene.start["emissions"]}
    later = replace(scene, _values=dirty, elapsed=torch.full_like(scene.elapsed, 0.5))
    assert float(cost(env, "emissions", later)) == pytest.approx(0.04 / 0.22)
    over = 1.2 - 0.9**5
    found = float(cost(env, "emissions", later, emission_cut=0.1))
    assert found == pytest.approx(over**2 / (over + 0.02))
    assert float(cost(env, "emissions", later, emission_cap=1.3)) == 0


def test_service_minimum_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """Schools of quality 0.4 in one district, all else far above the minimum."""
    access = torch.full_like(scene.flows.services.access, 3.0)
    access[:, 2, 0] = 0.4
    served = replace(scene.flows, services=replace(scene.flows.services, access=access))
    bad = replace(scene, flows=served)
    here = 0.05 * 2.126928  # 0.05 softplus(0.1 / 0.05)
    people = scene.flows.residents.people.sum(-1)
    assert float(cost(env, "service_minimum", bad)) == pytest.approx(
        here * float(people[0, 2] / people.sum()), rel=1e-6
    )
    local = cost(env, "service_minimum", bad, local=True)
    assert float(local[0, 2]) == pytest.approx(here, rel=1e-6)
    assert float(local[0, 3]) < 1e-12


def test_road_condition_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    condition = torch.ones_like(scene.state.infrastructure.condition)
    condition[:, 1] = 0.3
    worn = replace(
        scene,
        state=replace(
            scene.state, infrastructure=replace(scene.state.infrastructure, condition=condition)
        ),
        _values={},
    )
    traffic = scene.flows.traffic.vehicle_km
    assert float(cost(env, "road_condition", worn)) == pytest.approx(
        0.04 / 0.25 * float(traffic[0, 1] / traffic.sum())
    )


def moved(scene: Scene, people: Tensor) -> Scene:
    """The scene with other residents at the end of the month."""
    planning = replace(scene.state.planning, people=people)
    return replace(scene, state=replace(scene.state, planning=planning))


def test_displacement_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """One in a hundred of the lowest incomes of a district leaves for another in a month."""
    people = scene.state.planning.people.clone()
    leaving = 0.01 * people[:, 4, 0]
    people[:, 4, 0] -= leaving
    people[:, 5, 0] += leaving
    low = scene.flows.residents.people[..., :2]
    rate = 12 * 0.01
    found = cost(env, "displacement", moved(scene, people))
    expected = rate**2 / (rate + 0.005) * float(low[0, 4, 0] / low.sum())
    assert float(found) == pytest.approx(expected, rel=5e-3)
    richest = scene.state.planning.people.clone()
    richest[:, 4, -1] *= 0.9
    assert float(cost(env, "displacement", moved(scene, richest))) < 1e-12


def test_careers_displace_nobody(env: GovernanceEnv, scene: Scene) -> None:
    """Better schools leave fewer poor where nobody moves: that is no displacement."""
    use = scene.flows.services
    schooled = replace(use, education=use.education + 2.0)
    better = replace(scene, flows=replace(scene.flows, services=schooled))
    p, before = scene.city.parameters, scene.flows.residents.people
    at_home, usual = (age(before, p, x.education) for x in (schooled, use))
    assert float(at_home[..., :2].sum() / usual[..., :2].sum()) < 0.9999
    migration = scene.state.planning.people - usual
    careers = float(cost(env, "displacement", moved(better, at_home + migration)))
    moves = float(cost(env, "displacement", moved(scene, at_home + migration)))
    assert moves > 1e-4, "the same loss without the schools is one"
    assert careers < 1e-4 * moves


def test_volatility_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """Rents that fall by a tenth and rents that rise by a ninth are equally volatile."""
    rent = scene.flows.residents.home_rent
    up, down = (
        replace(
            scene,
            state=replace(scene.state, planning=replace(scene.state.planning, home_rent=x * rent)),
        )
        for x in (1 / 0.9, 0.9)
    )
    swing = 0.10536052
    for changed in (up, down):
        found = float(cost(env, "volatility", changed))
        assert found == pytest.approx(swing**2 / (swing + 1e-4), rel=1e-6)


def asking(scene: Scene, **settings: float) -> Scene:
    """The scene with levers asked for, none of which is in force yet."""
    fiscal = scene.flows.fiscal
    asked = {k: torch.full_like(fiscal.policy[k], x) for k, x in settings.items()}
    changed = replace(fiscal, announced=fiscal.announced | asked)
    return replace(scene, flows=replace(scene.flows, fiscal=changed))


def test_intervention_by_hand(env: GovernanceEnv, scene: Scene) -> None:
    """A tenth of the toll's range: squared gap, distance and one lever moved."""
    found = float(cost(env, "intervention", asking(scene, toll=0.001)))
    expected = 0.1**2 + 0.1 * 0.1**2 / 0.12 + 0.02 * 0.01 / (0.01 + 0.0004)
    assert found == pytest.approx(expected)
    two = float(cost(env, "intervention", asking(scene, toll=0.001, staff=1.17)))
    assert two == pytest.approx(2 * expected), "of whatever shape, levers count alike"
    heavy = cost(env, "intervention", asking(scene, toll=0.001), weight_count=1.0)
    assert float(heavy) > 0.9, "the count can be made to dominate"


def test_boards_answer_for_their_own_district(nine: City) -> None:
    world = make("districts_v0", nine)
    actions = quiet(world)
    actions["boards"][:, 3] = 0.5
    costs = world.step(actions).costs["boards"][0]
    column = world.groups[0].cost_names.index("intervention")
    assert float(costs[3, column]) > 0.1
    assert float(costs[[0, 1, 2, 4], column].max()) < 1e-12
    deficit = costs[:, world.groups[0].cost_names.index("deficit")]
    assert float(deficit.max() - deficit.min()) == 0, "debt is everybody's"


@pytest.mark.parametrize("name", COSTS)
def test_slopes_are_those_of_differences(name: str, nine: City) -> None:
    """Through the model: a cost after half a year of a forceful policy, by raw actions."""
    world = make("city_v0", nine, cost_limits=HARSH)
    generator = torch.Generator().manual_seed(3)
    actions = {
        key: 2 * torch.rand(x.shape, generator=generator, dtype=x.dtype) - 1
        for key, x in quiet(world).items()
    }
    names = next(group.action_names for group in world.groups if group.name == "services")
    handed = [column for column, name in enumerate(names) if name.startswith("rebate")]
    actions["services"][..., handed] = -0.5  # nothing: people with a rebate are not displaced

    def total(raw: dict[str, Tensor]) -> Tensor:
        world.reset(seed=0)
        for _ in range(2):
            result = world.step(raw)
        return torch.stack(
            [
                result.costs[g.name][..., g.cost_names.index(name)].sum()
                for g in world.groups
                if name in g.cost_names
            ]
        ).sum()

    leaves = {key: x.clone().requires_grad_() for key, x in actions.items()}
    value = total(leaves)
    slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    found = sum(
        float((g * torch.sign(x)).sum())
        for g, x in zip(slopes, actions.values(), strict=True)
        if g is not None
    )
    step = 1e-5
    high, low = (
        float(total({k: x + s * torch.sign(x) for k, x in actions.items()})) for s in (step, -step)
    )
    assert found == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-9)
    assert float(value.detach()) > 1e-7, "the policy is forceful enough to be felt"


@pytest.mark.parametrize(
    ("name", "group", "lever", "raw"),
    [
        ("deficit", "planning", "debt_target", 1.0),  # two months of revenue in ten years
        ("service_minimum", "services", "staff[education]", -1.0),
        ("displacement", "services", "staff[health]", -1.0),
    ],
)
def test_what_breaks_a_budget(name: str, group: str, lever: str, raw: float, nine: City) -> None:
    """Levers at a bound push the cost that they should over its budget or well towards it."""
    world = make("city_v0", nine, cost_limits={"debt_limit": 0.1})
    held = next(g for g in world.groups if g.name == group)
    actions = quiet(world)
    actions[group][..., held.action_names.index(lever)] = raw
    carrier = next(g for g in world.groups if name in g.cost_names)
    column = carrier.cost_names.index(name)
    costs = (
        float(world.step(actions).costs[carrier.name][..., column])
        for _ in range(world.steps_per_episode - 1)
    )
    assert any(found > 0.25 * carrier.budgets[column] for found in costs)


def test_budgets_and_limits_are_options(nine: City) -> None:
    world = make("city_v0", nine, cost_budgets={"deficit": 2.5}, cost_limits={"debt_limit": 0.1})
    industry = next(g for g in world.groups if g.name == "industry")
    assert dict(zip(industry.cost_names, industry.budgets, strict=True))["deficit"] == 2.5
    deficit = world.step(quiet(world)).costs["industry"][0, 0, industry.cost_names.index("deficit")]
    assert float(deficit) == pytest.approx(0.2633, abs=1e-3)  # softplus(-1.2)


def test_bad_budgets_and_limits_are_all_named(nine: City) -> None:
    options = {
        "cost_budgets": {"defict": 1.0, "emissions": -1.0},
        "cost_limits": {"quality_minimum": 3.0, "colour": 1.0},
    }
    with pytest.raises(ValueError, match=r"'defict' is unknown.*emissions=-1.*3 index.*'colour'"):
        make("city_v0", nine, **options)


def test_every_limit_is_used_and_says_where_it_comes_from() -> None:
    used = [name for cost in COSTS.values() for name in cost.limits]
    assert sorted(used) == sorted(LIMITS)
    for limit in LIMITS.values():
        assert limit.low <= limit.default <= limit.high, limit.name
        assert limit.source, limit.name
        assert limit.unit, limit.name


def test_shared_costs_are_the_same_for_every_agent(env: GovernanceEnv, scene: Scene) -> None:
    terms = env.options.terms(scene, ("toll",))
    columns = evaluate(("deficit", "intervention"), scene, terms, agents=3)
    assert columns.shape == (1, 3, 2)
    assert (columns == columns[:, :1]).all()
