"""Who cheats, when it pays: taxes, tolls, fares, subsidies and tags; audits, beliefs and trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import envs
from envs.city import evasion
from envs.city.cities import with_parameters
from envs.city.levers import LEVERS, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.parameters import Parameters
from envs.city.sizes import EVADER_NAMES
from tests.model.runs import last, months, policy

LOWEST_ONLY = torch.tensor([[0.1, 0.0, 0.0, 0.0, 0.0, 0.0]])
FIRST = torch.tensor([[2.0], [2.0], [1.0], [1.0], [0.5], [0.5]])


def cheated(state: CityState) -> dict[str, Tensor]:
    """Shares that cheat ``[B]``, the largest of each kind."""
    dodging, taxes = state.treasury.dodging, state.treasury.evasion
    return {
        "income tax": taxes[:, 0],
        "business tax": taxes[:, 1:].amax(-1),
        "subsidy": dodging.mimic.amax((1, 2)),
        "toll": dodging.fraud.amax(-1),
        "fare": dodging.riding,
        "claim": dodging.claims.amax(-1),
    }


def tempted(city: City, audits: list[float]) -> tuple[CityState, Flows]:
    """Five years of everything that can be cheated, one row for each audit probability."""
    rows = len(audits)
    settings: dict[str, object] = {"toll": 0.004, "subsidy": 0.001, "audit": audits}
    requested = policy(city, settings, rows)  # type: ignore[arg-type]
    requested["rebate"] = LOWEST_ONLY.to(requested["rebate"]).expand(rows, -1)
    with torch.no_grad():
        return last(city, requested, 60)


def test_nobody_dodges_what_does_not_exist(city: City) -> None:
    """Today tolls, subsidies and rebates are zero, and so is the share that dodges them."""
    dodging = city.start.treasury.dodging
    for share in (dodging.fraud, dodging.mimic, dodging.claims):
        assert float(share.abs().max()) == 0
    assert 0.005 < float(dodging.riding) < 0.1
    state, flows = last(city, {}, 24)
    assert float(state.treasury.dodging.fraud.abs().max()) == 0
    assert float(flows.settlement.lines["tolls"]) == 0


def test_audits_deter_every_kind_of_cheat(nine: City) -> None:
    state, flows = tempted(nine, [0.0, 0.05, 0.1, 0.3])
    for kind, share in cheated(state).items():
        assert bool((share > 0).all()), kind
        assert bool((share.diff() < 0).all()), kind
        assert float(share[-1]) < 0.3 * float(share[0]), kind
    lines = flows.settlement.lines
    for line in ("income_tax", "business_tax", "tolls", "fares"):
        assert bool((lines[line][1:3].diff() > 0).all()), line
    assert bool((lines["rebates"].diff() < 0).all()), "fewer claims under a false tag"


@pytest.mark.parametrize(
    ("lever", "values", "kind"),
    [
        ("toll", [0.001, 0.003, 0.01], "toll"),
        ("road_toll", [0.0001, 0.0003, 0.001], "toll"),
        ("fare", [0.0, 0.002, 0.006], "fare"),
        ("subsidy", [0.0005, 0.001, 0.004], "subsidy"),
        ("income_tax", [0.02, 0.05, 0.2], "income tax"),
        ("business_tax", [0.02, 0.1, 0.4], "business tax"),
    ],
)
def test_the_higher_the_stake_the_more_cheat(
    nine: City, lever: str, values: list[float], kind: str
) -> None:
    with torch.no_grad():
        state, _ = last(nine, policy(nine, {lever: values}, 3), 60)
    share = cheated(state)[kind]
    assert bool((share.diff() > 0).all())
    assert float(share[0]) >= 0
    assert float(share[-1]) < 0.6


def test_a_sector_evades_at_its_own_rate(nine: City) -> None:
    requested = policy(nine, {})
    requested["business_tax"] = torch.tensor([[0.02, 0.1, 0.4]], dtype=torch.float64)
    state, flows = last(nine, requested, 120)
    evaded = state.treasury.evasion[0, 1:]
    for sector, rate in enumerate((0.02, 0.1, 0.4)):
        expected = evasion.evaded_share(
            nine.parameters,
            torch.tensor([rate], dtype=torch.float64),
            torch.tensor([0.05], dtype=torch.float64),
        )
        assert float(evaded[sector]) == pytest.approx(float(expected), rel=1e-3)
    kept = flows.fiscal.keep_business
    due = flows.market.profit.sum(1) * flows.fiscal.policy["business_tax"]
    owed = (due * (1 - evaded)).sum(-1)
    torch.testing.assert_close(flows.settlement.lines["business_tax"], owed, rtol=1e-3, atol=0)
    assert bool((kept[0].diff() < 0).all())


def test_honesty_where_the_gamble_does_not_pay() -> None:
    """Allingham & Sandmo: no kind of cheat where detection times fine exceeds the gain."""
    p = Parameters.default({"ev_sharp": 2000.0})
    stakes = baseline_policy(3, 4, torch.float64)
    for name in ("toll", "subsidy", "fare", "income_tax", "business_tax"):
        stakes[name] = torch.full_like(stakes[name], LEVERS[name].high)
    lure = torch.full((3, 6), 0.1, dtype=torch.float64)
    audit = torch.tensor([[0.125], [0.2], [0.3]], dtype=torch.float64)
    audit = audit.expand(-1, len(EVADER_NAMES))
    one = torch.ones(3, 1, dtype=torch.float64)
    found = evasion.dodges(p, stakes, lure, audit, one)
    for share in (found.mimic, found.fraud, found.riding, found.claims):
        assert bool((share < 1e-3).all())
    assert bool((evasion.taxes(p, stakes, audit) < 1e-3).all())
    lax = evasion.dodges(p, stakes, lure, 0.2 * audit, one)
    for share in (lax.mimic, lax.fraud, lax.riding, lax.claims):
        assert bool((share > 0.01).all())


def test_each_kind_of_evader_learns_about_audits_at_its_own_pace(nine: City) -> None:
    start = nine.initial()
    asked = start.treasury.policy | {"audit": torch.tensor([0.1], dtype=torch.float64)}
    state = replace(start, treasury=replace(start.treasury, policy=asked))
    gains = nine.parameters.values["gain_audit"][0]
    for month, (_, after, _) in enumerate(months(nine, asked, 24, state=state), 1):
        left = (0.1 - after.treasury.audit[0]) / 0.05
        torch.testing.assert_close(left, (1 - gains) ** month)
    assert len(set(gains.tolist())) > 1


def test_who_does_not_pay_the_toll_is_not_charged_for_it(nine: City) -> None:
    """The toll that drivers weigh, pay and experience is the one that the treasury receives."""
    _, flows = last(nine, policy(nine, {"toll": 0.006}), 60)
    asked = flows.fiscal.policy["toll"]
    assert bool((flows.fiscal.toll < 0.99 * asked).all())
    money = nine.fundamentals.travel.money
    drivers = 42 / 1.3 * flows.commute.car.sum(1)
    torch.testing.assert_close(
        flows.settlement.lines["tolls"], money * (drivers * flows.fiscal.toll).sum(-1)
    )
    honest = with_parameters(nine, {"dodge_cost": (100.0,) * 4})
    _, straight = last(honest, policy(honest, {"toll": 0.006}), 60)
    assert float(straight.settlement.lines["tolls"]) > float(flows.settlement.lines["tolls"])
    assert float(straight.commute.car.sum()) < float(flows.commute.car.sum())


def test_a_subsidy_leaks_more_the_higher_it_is(nine: City) -> None:
    """Twice the money brings less than twice the capital, since mimics take a growing share."""
    rates = [0.0, 0.001, 0.002, 0.004]
    with torch.no_grad():
        _, flows = last(nine, policy(nine, {"subsidy": rates}, 4), 120)
    reached = flows.fiscal.subsidy.mean((1, 2))[1:] / torch.tensor(rates[1:])
    assert bool((reached.diff() < 0).all())
    assert 0.55 < float(reached[-1]) < 0.75
    gained = flows.market.capital.sum((1, 2)).diff() / torch.tensor(rates).diff()
    assert bool((gained.diff() < 0).all())


def paid_to(flows: Flows) -> Tensor:
    """Rebates by type ``[B, K]`` k$ a month at the default wage."""
    paid: Tensor = flows.residents.people.sum(1) * flows.fiscal.rebate
    return paid


def test_a_rebate_by_tag_reaches_its_type_and_some_who_borrow_the_tag(nine: City) -> None:
    requested = policy(nine, {})
    requested["rebate"] = LOWEST_ONLY.double()
    start = list(months(nine, requested, 60))
    first, (_, state, flows) = start[0][2], start[-1]
    claims = state.treasury.dodging.claims[0]
    assert float(claims[0]) == 0
    assert bool((claims[1:] > 0.01).all())
    assert float(paid_to(first)[0, 1:].max()) == 0, "lies take time"
    paid = paid_to(flows)[0]
    assert 0.02 < float(paid[1:].sum() / paid.sum()) < 0.5
    money = nine.fundamentals.treasury.money
    torch.testing.assert_close(flows.settlement.lines["rebates"], money * paid.sum())
    gain = flows.income.disposable / flows.income.net
    by_type = gain.mean(1)[0]
    assert bool((by_type[0] > 2 * by_type[1:] - 1).all()), "the poorest gain most"


def test_equal_rebates_leave_nothing_to_claim(nine: City) -> None:
    state, flows = last(nine, policy(nine, {"rebate": 0.1}), 60)
    assert float(state.treasury.dodging.claims.abs().max()) < 1e-12
    torch.testing.assert_close(flows.fiscal.rebate, flows.fiscal.policy["rebate"])


def test_priority_is_blunted_by_false_tags(nine: City) -> None:
    requested = policy(nine, {})
    requested["targeting"] = FIRST.double().expand(6, 4)[None].contiguous()
    state, flows = last(nine, requested, 60)
    asked, given = flows.fiscal.policy["targeting"], flows.fiscal.targeting
    claims = state.treasury.dodging.claims[0]
    assert float(claims[:2].max()) < 1e-6 < float(claims[5])
    assert bool((given[0, 4:] > asked[0, 4:]).all())
    torch.testing.assert_close(given[0, :2], asked[0, :2], rtol=1e-6, atol=0)
    welcome = flows.services.utility
    assert bool((welcome[0, :, 0] > welcome[0, :, 5]).all())


def test_a_city_that_does_not_deliver_is_cheated_more(nine: City) -> None:
    """Reciprocity: services paid in part make evasion cheaper on the conscience."""
    wanted = policy(nine, {"staff": 2.0})
    state, flows = last(nine, wanted, 60, "pooled")
    assert float(flows.settlement.scale["services"]) < 0.9
    indifferent = with_parameters(nine, {"trust": 0.0})
    other, _ = last(indifferent, wanted, 60, "pooled")
    for kind in ("income tax", "business tax", "fare"):
        assert float(cheated(state)[kind]) > 1.02 * float(cheated(other)[kind]), kind
    calm, _ = last(nine, {}, 60, "pooled")
    for kind, share in cheated(calm).items():
        assert float(share) == pytest.approx(float(cheated(nine.start)[kind]), abs=1e-9), kind


STEPS: Mapping[str, float] = {
    "toll": 0.003,
    "subsidy": 0.001,
    "fare": 0.003,
    "audit": 0.08,
    "talent": 1.5,
    "rebate": 0.05,
    "targeting": 1.3,
}


@pytest.mark.parametrize("lever", STEPS)
def test_gradients_through_evasion_are_finite_differences(nine: City, lever: str) -> None:
    """By the first cell of the lever, away from today, two years on."""
    size = LEVERS[lever].high - LEVERS[lever].low

    def outcome(point: Tensor) -> Tensor:
        rows = point.shape[0]
        requested = policy(nine, dict(STEPS), rows)
        for name in ("rebate", "targeting"):
            requested[name][:, 1:] = LEVERS[name].default
        cells = requested[lever].reshape(rows, -1)
        moved = torch.cat([point.unsqueeze(-1), cells[:, 1:]], -1)
        requested[lever] = moved.reshape(requested[lever].shape)
        state, flows = last(nine, requested, 24, "pooled")
        worth = (flows.value.welfare * flows.residents.people).sum((1, 2)) / 1e5
        return worth + torch.log(flows.settlement.revenue) + state.treasury.dodging.claims.sum(-1)

    point = torch.tensor([STEPS[lever]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(outcome(point).sum(), point)
    step = 1e-4 * size * torch.tensor([1.0, -1.0], dtype=torch.float64)
    with torch.no_grad():
        above, below = outcome(STEPS[lever] + step)
    slope = float(above - below) / float(2 * step[0])
    assert float(gradient) != 0
    assert float(gradient) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_governors_rebate_by_type_and_see_no_cheat(nine: City) -> None:
    """The services governor of city_v0 has one rebate for each type; evasion shows in revenue."""
    env = envs.make("city_v0", city=nine, num_envs=2, seed=0, horizon=12)
    seen = {name for group in env.groups for name in group.observation_names}
    assert "revenue" in seen
    assert not {"evasion", "mimic", "fraud", "claims"} & seen
    actions = {g.name: torch.zeros(2, 1, len(g.action_names)) for g in env.groups}
    (services,) = (g for g in env.groups if g.name == "services")
    actions["services"][1, 0, services.action_names.index("rebate[lowest income]")] = 1.0
    rebate = env.physical(actions)["rebate"]
    assert float(rebate.abs().sum()) == pytest.approx(LEVERS["rebate"].high)
    assert float(rebate[1, 0]) == pytest.approx(LEVERS["rebate"].high)
