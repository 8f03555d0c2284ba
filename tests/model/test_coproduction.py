"""Co-production: residents' own time raises their services, and is no free lunch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from envs.city import services, tree, welfare
from envs.city.levers import CITIZENS, GOVERNED, GOVERNORS, LEVERS
from envs.city.model import City
from envs.city.sizes import SERVICES
from envs.city.valuation import probe_names
from tests.model.runs import last, months, policy


def given(city: City, hours: float | Tensor, rows: int = 1) -> dict[str, Tensor]:
    """Hours by district and service, the same everywhere or as they are."""
    wide = policy(city, {}, rows)["coproduction"]
    return {"coproduction": (wide + hours).to(wide)}


def test_it_is_a_lever_that_no_governor_holds() -> None:
    assert [x.name for x in LEVERS.values() if x.governor not in GOVERNORS] == ["coproduction"]
    assert LEVERS["coproduction"].governor == CITIZENS
    assert set(LEVERS) - set(GOVERNED) == {"coproduction"}
    assert not [name for name in probe_names() if name.startswith("coproduction")]


def test_nobody_giving_time_leaves_the_city_alone_to_the_bit(nine: City) -> None:
    """The parameters of co-production do not matter where nobody helps."""
    values = {"co_reach": (1.0,) * SERVICES, "co_half": 0.5, "co_time": 0.05}
    other = replace(nine, parameters=nine.parameters.replace(values))
    pairs = zip(tree.leaves(last(nine, {}, 6)), tree.leaves(last(other, {}, 6)), strict=True)
    assert all(torch.equal(a, b) for (_, a), (_, b) in pairs)


def test_capacity_by_hand(nine: City) -> None:
    p, f = nine.parameters, nine.fundamentals.services
    (_, _, flows), *_ = months(nine, {}, 1)
    hours = torch.full_like(f.facilities, 1.5)
    found = services.coproduced(f, p, flows.residents, hours)
    made_for = f.facilities[0, 2, 1] * 0.85 / 0.10
    x = 1.5 * float(flows.residents.people[0, 2].sum() / made_for)
    assert float(found[0, 2, 1]) == pytest.approx(1 + 0.26 * x / (3 + x), rel=1e-12)
    crowd = replace(flows.residents, people=1e6 * flows.residents.people)
    most = services.coproduced(f, p, crowd, hours) - 1
    assert bool((most < p.bdk.co_reach).all()), "returns are bounded"


def test_helping_pays_in_quality_and_costs_time(nine: City) -> None:
    hours = policy(nine, {})["coproduction"][0].clone()
    hours[4, 0] = 1.0
    (_, _, flows), *_ = months(nine, given(nine, hours), 1)
    (_, _, quiet), *_ = months(nine, {}, 1)
    better = flows.services.access - quiet.services.access
    assert float(better[0, 4, 0]) > 0
    assert float(better[0, :, 1:].abs().max()) == 0, "one service, not the others"
    cost = flows.services.utility - quiet.services.utility
    in_force = float(LEVERS["coproduction"].rate * torch.tanh(torch.tensor(6.0)))
    elsewhere = torch.arange(9) != 4
    assert float(cost[0, elsewhere].abs().max()) < 0.1 * float(cost[0, 4].abs().min())
    assert float(cost[0, 4].max()) < 0, "the first month costs time; quality is learnt later"
    assert float(cost[0, 4].min()) > -0.00625 * in_force


@pytest.mark.parametrize("service", range(SERVICES))
def test_in_a_city_without_shortages_an_hour_everywhere_is_not_worth_its_cost(
    zero: City, service: int
) -> None:
    """The first hour is nearly worth its cost, and more are worth less and less."""
    reference = welfare.reference(zero)
    worth = []
    for size in (0.1, 2.0):
        hours = policy(zero, {})["coproduction"][0].clone()
        hours[:, service] = size
        _, flows = last(zero, given(zero, hours), 60)
        lost = float(zero.parameters.b.co_time) * size
        worth.append(1 + float(welfare.evaluate(zero, reference, flows).total) / lost)
    assert 0.9 < worth[0] < 1
    assert 0.7 < worth[1] < worth[0] - 0.1


def test_where_services_are_short_helping_pays(zero: City) -> None:
    """A city loses half of its buildings; its residents help out, or not."""
    reference = welfare.reference(zero)
    s = zero.start.services
    state = replace(zero.start, services=replace(s, facilities=0.5 * s.facilities))
    _, flows = last(zero, given(zero, 1.0), 36, state=state)
    _, alone = last(zero, {}, 36, state=state)
    helped, waited = (welfare.evaluate(zero, reference, x).total for x in (flows, alone))
    assert float(helped) > float(waited)
