"""Scenarios of one block: who holds what, what it moves, and what the other blocks do."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

import configs
import envs
from envs import costs
from envs.city import tree
from envs.city.information import indicator_of, series_of
from envs.city.levers import GOVERNORS, LEVERS
from envs.governance import GovernanceEnv
from envs.registry import scenarios
from envs.scenarios import SCENARIOS
from envs.scenarios.levers import CELLS, OWN
from envs.scenarios.offices import Offices

HELD = ("frozen", "rule", "replay")
BLOCKS = {f"{block}_v0": block for block in GOVERNORS}
#: A tail run spares the co-states, which take most of the time; most tests end no episode.
SMALL: dict[str, Any] = {"districts": 4, "cities": 1, "horizon": 120, "terminal": "tail"}


def make(scenario: str, rows: int = 1, seed: int = 4, **options: Any) -> GovernanceEnv:
    return envs.make(scenario, num_envs=rows, seed=seed, **(SMALL | options))


def actions(env: GovernanceEnv, step: int = 0, rows: int = 1) -> dict[str, Tensor]:
    """The same random actions for any environment of the scenario."""
    generator = torch.Generator().manual_seed(step)
    return {
        group.name: 2 * torch.rand(rows, group.size, len(group.action_names), generator=generator)
        - 1
        for group in env.groups
    }


def quiet(env: GovernanceEnv, rows: int = 1) -> dict[str, Tensor]:
    return {g.name: torch.zeros(rows, g.size, len(g.action_names)) for g in env.groups}


def state(env: GovernanceEnv, block: str) -> list[tuple[str, Tensor]]:
    return list(tree.leaves(getattr(env._state, block)))


@pytest.fixture(params=BLOCKS)
def scenario(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("budget", ["pooled", "departments"])
def test_every_cell_of_the_blocks_levers_has_one_holder(scenario: str, budget: str) -> None:
    """Each action of each agent moves cells of its own, and together they move all."""
    env = make(scenario, budget=budget)
    today = env.physical(quiet(env))
    holders = {name: torch.zeros_like(value) for name, value in today.items()}
    for group in env.groups:
        assert group.size == len(set(group.agents))
        for agent in range(group.size):
            for column in range(len(group.action_names)):
                moved = quiet(env)
                moved[group.name][0, agent, column] = 0.5
                for name, value in env.physical(moved).items():
                    holders[name] += (value != today[name]).to(value)
    for name, count in holders.items():
        lever = LEVERS[name]
        mine = lever.governor == BLOCKS[scenario]
        if name == "budget_split":
            mine = mine and budget == "departments"
        assert bool((count == float(mine)).all()), name


def test_a_new_lever_of_the_block_finds_a_holder(
    scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    block = BLOCKS[scenario]
    new = replace(LEVERS["income_tax"], name="novelty", governor=block)
    monkeypatch.setitem(LEVERS, "novelty", new)
    held = scenarios()[scenario]().holdings()
    assert sum("novelty" in levers for levers in held.values()) == 1


def shared_settings(env: GovernanceEnv, value: dict[str, float]) -> dict[str, Tensor]:
    """Actions that set every lever as ``city_v0`` calls it."""
    asked = {}
    for group in env.groups:
        raw = torch.zeros(1, group.size, len(group.action_names))
        office = next(
            (o for o in getattr(env.options, "offices", ()) if o.name == group.name), None
        )
        cells = CELLS.get(office.axis, ("",)) if office else ("",)
        for column, name in enumerate(group.action_names):
            for agent in range(group.size):
                cell = cells[agent % len(cells)]
                known = name.replace(f"[{OWN}]", f"[{cell}]")
                raw[0, agent, column] = value[known if known in value else name.partition("[")[0]]
        asked[group.name] = raw
    return asked


def test_live_it_is_city_v0(scenario: str) -> None:
    """The same levers at the same settings lead to the same city, to the bit."""
    block, city = BLOCKS[scenario], make("city_v0", chance=1.0)
    office = make(scenario, others="live", chance=1.0)
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        drawn = {
            name: float(2 * torch.rand(1, generator=generator) - 1)
            for group in city.groups
            for name in group.action_names
        }
        mine = quiet(city) | {block: shared_settings(city, drawn)[block]}
        whole, part = city.step(mine), office.step(shared_settings(office, drawn))
        assert torch.equal(whole.info["state"], part.info["state"])
        assert torch.equal(whole.info["welfare"]["overall"], part.info["welfare"]["overall"])
    for (name, a), (_, b) in zip(tree.leaves(city._state), tree.leaves(office._state), strict=True):
        assert torch.equal(a, b), name


def test_frozen_others_keep_their_state_and_the_block_moves(scenario: str) -> None:
    env = make(scenario, others="frozen", dynamics="crisis", chance=1.0)
    before = {block: state(env, block) for block in GOVERNORS}
    for step in range(3):
        env.step(actions(env, step))
    for block in GOVERNORS:
        still = [
            torch.equal(a, b)
            for (_, a), (_, b) in zip(before[block], state(env, block), strict=True)
        ]
        assert all(still) == (block != BLOCKS[scenario]), block


def test_replayed_others_do_what_they_do_under_the_status_quo(scenario: str) -> None:
    """They move with the weather, as in a live city that nobody governs, and with nothing else."""
    env, live = (
        make(scenario, dynamics="crisis", others="replay"),
        make("city_v0", dynamics="crisis"),
    )
    before = {block: state(env, block) for block in GOVERNORS}
    for step in range(3):
        env.step(actions(env, step))
        live.step(quiet(live))
    for block in set(GOVERNORS) - {BLOCKS[scenario]}:
        for (name, now), (_, alone) in zip(state(env, block), state(live, block), strict=True):
            assert torch.equal(now[:1], now[1:]), name
            torch.testing.assert_close(now, alone, rtol=1e-5, atol=1e-5, msg=name)
        assert any(
            not torch.equal(now, then)
            for (_, now), (_, then) in zip(state(env, block), before[block], strict=True)
        ), block
    own = [torch.equal(now[:1], now[1:]) for _, now in state(env, BLOCKS[scenario])]
    assert not all(own)


@pytest.mark.parametrize("others", HELD)
def test_doing_nothing_gains_nothing(scenario: str, others: str) -> None:
    env = make(scenario, others=others, dynamics="crisis", chance=1.0)
    for _ in range(2):
        result = env.step(quiet(env))
    assert abs(float(result.info["welfare"]["overall"])) < 1e-6
    assert all(float(reward.abs().max()) < 1e-4 for reward in result.rewards.values())


@pytest.mark.parametrize(
    ("scenario", "others"),
    [
        ("planning_v0", "frozen"),
        ("industry_v0", "rule"),
        ("services_v0", "replay"),
        ("infrastructure_v0", "rule"),
    ],
)
def test_a_row_is_the_same_in_any_company(scenario: str, others: str) -> None:
    """Row 2 of 4 is the row of its seed alone; another environment alive changes nothing."""
    many = make(scenario, 4, 5, others=others, cities=3, chance=1.0)
    alone = make(scenario, 1, 7, others=others, cities=3, chance=1.0)
    again = make(scenario, 4, 5, others=others, cities=3, chance=1.0)
    for step in range(2):
        joint = actions(many, step, 4)
        crowd = many.step(joint)
        alone_result = alone.step({name: raw[2:3] for name, raw in joint.items()})
        make(scenario, 2, 1, others=others).step(actions(many, step, 2))
        repeated = again.step(joint)
        for name, reward in crowd.rewards.items():
            assert torch.equal(reward, repeated.rewards[name])
            torch.testing.assert_close(
                reward[2:3], alone_result.rewards[name], rtol=1e-3, atol=1e-4
            )
        torch.testing.assert_close(
            crowd.info["state"][2:3], alone_result.info["state"], rtol=1e-4, atol=1e-4
        )


def test_some_rows_start_anew_and_the_others_go_on() -> None:
    """Rules remember the month before: of a new row, the first month."""
    env, other = (make("services_v0", 2, others="rule", chance=1.0) for _ in range(2))
    for each in (env, other):
        each.step(actions(each, 0, 2))
    env._restart([1])
    for (name, a), (_, b) in zip(
        tree.leaves(env._flows), tree.leaves(env._ground.first), strict=True
    ):
        assert torch.equal(a[[1, 3]], b[[1, 3]]), name
    one, two = env.step(actions(env, 1, 2)), other.step(actions(env, 1, 2))
    for name in one.observations:
        assert torch.equal(one.observations[name][0], two.observations[name][0])
        assert not torch.equal(one.observations[name][1], two.observations[name][1])


@pytest.mark.parametrize("others", HELD)
def test_rewards_are_differentiable_in_the_actions(scenario: str, others: str) -> None:
    env = make(scenario, others=others)
    upwards = {name: raw.abs() for name, raw in actions(env).items()}
    asked = {name: raw.requires_grad_() for name, raw in upwards.items()}
    result = env.step(asked)
    total = sum(reward.sum() for reward in result.rewards.values())
    slopes = torch.autograd.grad(total, list(asked.values()))
    for name, slope in zip(asked, slopes, strict=True):
        assert bool(torch.isfinite(slope).all()), name
        assert float(slope.abs().max()) > 0, name


def test_six_years_of_anything_by_rule_stay_in_bounds(scenario: str) -> None:
    env = make(scenario, 2, others="rule", dynamics="crisis", chance=1.0, months_per_step=12)
    for step in range(6):
        result = env.step(actions(env, step, 2))
        for values in (result.rewards, result.costs, result.observations):
            assert all(bool(torch.isfinite(x).all()) for x in values.values())
        assert float((result.info["state"].abs() < 10).float().mean()) > 0.8


#: Scenario, agent, action, setting, figure, sign of what it brings against the status quo.
EFFECTS = [
    ("planning_v0", "board_01", "far", 1.0, "district:floor_per_head", +1),
    ("planning_v0", "board_01", "mix", 1.0, "district:floor_per_head", +1),
    ("planning_v0", "land", "release", 1.0, "rent", -1),
    ("planning_v0", "finance", "property_tax", 1.0, "property_value", -1),
    ("planning_v0", "finance", "debt_target", 1.0, "debt_ratio", +1),
    ("industry_v0", "tax", "business_tax[knowledge]", 1.0, "capital_knowledge", -1),
    ("industry_v0", "tax", "income_tax", 1.0, "revenue", +1),
    ("industry_v0", "tax", "audit", 1.0, "evasion", -1),
    ("industry_v0", "agency_manufacturing", "subsidy[own]", 1.0, "capital_manufacturing", +1),
    ("industry_v0", "skills", "research", 1.0, "works_knowledge_stock", +1),
    ("industry_v0", "skills", "training", 1.0, "works_skill_stock", +1),
    ("industry_v0", "skills", "talent", -1.0, "labour_knowledge", -1),
    ("services_v0", "directorate_health", "staff[own]", 1.0, "quality_health", +1),
    ("services_v0", "directorate_safety", "facilities[own]", 1.0, "load_safety", -1),
    ("services_v0", "directorate_education", "fee[own]", 1.0, "load_education", -1),
    ("services_v0", "social", "rebate[lowest income]", 1.0, "income_low", +1),
    ("infrastructure_v0", "roads", "road", 1.0, "congestion", -1),
    ("infrastructure_v0", "roads", "maintenance", -1.0, "road_condition", -1),
    ("infrastructure_v0", "transit", "transit", 1.0, "transit_trips", +1),
    ("infrastructure_v0", "transit", "fare", 1.0, "transit_trips", -1),
    ("infrastructure_v0", "pricing", "toll", 1.0, "congestion", -1),
    ("infrastructure_v0", "pricing", "road_toll", 1.0, "traffic", -1),
    ("infrastructure_v0", "energy", "renewables", 1.0, "emissions", -1),
    ("infrastructure_v0", "energy", "retrofit", 1.0, "emissions", -1),
]


@pytest.mark.parametrize(("name", "agent", "action", "setting", "figure", "sign"), EFFECTS)
def test_levers_move_what_they_should(
    name: str, agent: str, action: str, setting: float, figure: str, sign: int
) -> None:
    """With the other blocks frozen, after four years."""
    budget = "pooled" if agent == "finance" else "soft"
    env = make(name, others="frozen", dynamics="steady", months_per_step=12, budget=budget)
    group = next(group for group in env.groups if agent in group.agents)
    place = group.agents.index(agent)
    asked = quiet(env)
    asked[group.name][0, place, group.action_names.index(action)] = setting
    for _ in range(4):
        env.step(asked)
    scene = env._scene()
    row = indicator_of(figure)
    if figure.startswith("district:"):
        assert row.district is not None
        now, twin = (
            row.district(scene.city, *both)[:, place]
            for both in ((scene.state, scene.flows), (scene.twin_state, scene.twin_flows))
        )
    else:
        now = row.city(scene.city, scene.state, scene.flows)
        twin = row.city(scene.city, scene.twin_state, scene.twin_flows)
    assert sign * float(now - twin) > 1e-4 * float(twin.abs()), (float(now), float(twin))


def test_a_service_is_judged_by_its_own_figures() -> None:
    """Costs, goals and observations of a directorate are of its own service."""
    env = make("services_v0", dynamics="steady", months_per_step=12, budget="soft")
    (group, _) = env.groups
    place = group.agents.index("directorate_safety")
    asked = quiet(env)
    asked["directorates"][0, place, group.action_names.index("staff[own]")] = -1
    for _ in range(2):
        result = env.step(asked)
    cost = dict(zip(group.cost_names, result.costs["directorates"][0].unbind(-1), strict=True))
    assert int(cost["service_minimum"].argmax()) == place
    assert float(cost["intervention"][place]) > 0.02
    others = [i for i in range(group.size) if i != place]
    assert float(cost["intervention"][others].abs().max()) < 1e-6
    seen = dict(
        zip(group.observation_names, result.observations["directorates"][0].unbind(-1), strict=True)
    )
    assert float(seen["quality_own"][place]) == float(seen["quality_safety"][0]) < -1
    assert float(seen["lever_staff[own]"][place]) < -0.3
    assert float(seen["lever_staff[own]"][others].abs().max()) == 0
    goals = env.options.goals(env._scene())["directorates"][0]
    assert int(goals.argmin()) == place


def test_the_sum_of_the_directorates_minimum_is_the_governors() -> None:
    env = make("services_v0")
    env.step(actions(env))
    scene, options = env._scene(), env.options
    limit = costs.COSTS["service_minimum"].value
    by_service = limit(scene, options.terms(scene, ("staff",), "service"))
    torch.testing.assert_close(by_service.sum(-1), limit(scene, options.terms(scene, ("staff",))))


def test_every_cost_of_the_block_is_carried(scenario: str) -> None:
    kind = scenarios()[scenario]
    assert issubclass(kind, Offices)
    carried = {name for office in kind.offices for name in office.carried}
    assert carried >= set(costs.names(BLOCKS[scenario]))


def test_in_a_silo_an_office_knows_its_own_block(scenario: str) -> None:
    env = make(scenario, information=0.0, others="live")
    for step in range(6):
        result = env.step(actions(env, step))
    for group in env.groups:
        seen = result.observations[group.name][0]
        for column, name in enumerate(group.observation_names):
            figure = name.removeprefix("city_")
            if figure in ("population", "income", "output"):
                told = series_of(figure).block == BLOCKS[scenario]
                assert told or bool((seen[:, column] == 0).all()), (group.name, name)


@pytest.mark.parametrize("information", [1.0, 0.3])
def test_the_bulletin_and_the_life_cycle_add_columns(scenario: str, information: float) -> None:
    plain = make(scenario)
    full = make(scenario, information=information, life_cycle=True, bulletin=True)
    result, clear = full.step(actions(full)), plain.step(actions(plain))
    for group, bare in zip(full.groups, plain.groups, strict=True):
        seen = result.observations[group.name]
        assert seen.shape == (1, group.size, len(group.observation_names))
        assert len(set(group.observation_names)) == len(group.observation_names)
        assert set(bare.observation_names) < set(group.observation_names)
        if information == 1:
            kept = [group.observation_names.index(name) for name in bare.observation_names]
            assert torch.equal(seen[..., kept], clear.observations[group.name])


def test_bad_options_are_refused_all_at_once(scenario: str) -> None:
    with pytest.raises(ValueError, match=r"reach=0.*others='asleep'.*coupling=2"):
        make(scenario, others="asleep", coupling=2.0, reach=0.0)
    with pytest.raises(
        TypeError, match=r"unknown scenario option couplings, other; known: .*others"
    ):
        make(scenario, other="frozen", couplings=1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_configuration_file_holds_every_option_at_its_default(name: str) -> None:
    text = (configs.root() / "scenario" / f"{name}.yaml").read_text(encoding="utf-8")
    default = scenarios()[name]()
    options = {field.name: getattr(default, field.name) for field in fields(default)}
    assert yaml.safe_load(text) == {"id": name} | options
    bare = [line for line in text.splitlines()[2:] if "#" not in line]
    assert not bare, "every option is explained"
