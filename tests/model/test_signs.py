"""Every lever moves what it should, the right way: comparative statics of one lever at a time.

All rows of a city run in one batch under a soft treasury (each request is paid from outside),
so that a sign is the lever's own and not that of what it crowds out. The responses of
population to floor-area ratio and staff are not asserted here: with neutral margins they
are for the city to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from envs.city import infrastructure, tree
from envs.city.indicators import city_values
from envs.city.model import City, CityState, Flows
from tests.model.runs import last, months, policy

SETTINGS: dict[str, Mapping[str, float]] = {
    "today": {},
    "toll": {"toll": 0.003},
    "free transit": {"fare": 0.0},
    "frequency": {"transit": 2.0},
    "roads": {"road": 3.0},
    "no maintenance": {"maintenance": 0.0},
    "floor-area ratio": {"far": 1.3},
    "land release": {"release": 0.1},
    "business tax": {"business_tax": 0.25},
    "income tax": {"income_tax": 0.10},
    "property tax": {"property_tax": 0.012},
    "audit": {"audit": 0.15},
    "staff": {"staff": 1.3},
    "facilities": {"facilities": 2.0},
    "subsidy": {"subsidy": 0.001},
    "fees": {"fee": 0.02},
    "research": {"research": 2.0},
    "renewables": {"renewables": 2.0},
    "rebate": {"rebate": 0.05},
}
HORIZON = 240


@dataclass(frozen=True)
class Sign:
    """``quantity`` under ``setting`` against today's policy, after ``month`` months."""

    setting: str
    quantity: str
    direction: int
    month: int
    least: float = 1e-4


SIGNS = (
    Sign("toll", "traffic", -1, 60, 0.05),
    Sign("toll", "transit_trips", 1, 60, 0.05),
    Sign("toll", "pace", -1, 60, 0.005),
    Sign("free transit", "transit_trips", 1, 60, 0.2),
    Sign("free transit", "traffic", -1, 60, 0.005),
    Sign("frequency", "transit_trips", 1, 120, 0.2),
    Sign("roads", "pace", -1, 120, 0.02),
    Sign("roads", "traffic", 1, 120, 0.02),
    Sign("no maintenance", "pace", 1, 120, 0.05),
    Sign("no maintenance", "traffic", -1, 120, 0.05),
    Sign("floor-area ratio", "rent", -1, 240, 0.01),
    Sign("floor-area ratio", "floor", 1, 240, 0.02),
    Sign("land release", "rent", -1, 240, 0.002),
    Sign("land release", "floor", 1, 240, 0.005),
    Sign("business tax", "profit", -1, 240, 0.02),
    Sign("business tax", "business evasion", 1, 120, 0.2),
    Sign("business tax", "business tax revenue", 1, 120, 0.2),
    Sign("income tax", "pay", -1, 240, 0.01),
    Sign("income tax", "income evasion", 1, 120, 0.2),
    Sign("income tax", "income tax revenue", 1, 120, 0.2),
    Sign("income tax", "population", -1, 240, 0.01),
    Sign("property tax", "property_value", -1, 120, 0.02),
    Sign("property tax", "floor", -1, 120, 0.002),
    Sign("audit", "income evasion", -1, 120, 0.1),
    Sign("audit", "business evasion", -1, 120, 0.1),
    Sign("audit", "own revenue", 1, 24, 0.002),
    Sign("staff", "quality_education", 1, 24, 0.05),
    Sign("staff", "quality_health", 1, 24, 0.05),
    Sign("staff", "population", 1, 120, 0.01),
    Sign("facilities", "quality_education", 1, 60, 0.01),
    Sign("subsidy", "output", 1, 120, 0.005),
    Sign("subsidy", "wage", 1, 120, 0.002),
    Sign("subsidy", "capital", 1, 120, 0.005),
    Sign("fees", "service_load", -1, 12, 0.01),
    Sign("rebate", "population", 1, 120, 0.005),
)


def quantities(city: City, state: CityState, flows: Flows) -> dict[str, Tensor]:
    """What the signs are about, ``[B]`` each."""
    lines, market, people = flows.settlement.lines, flows.market, flows.residents.people
    own = ("income_tax", "business_tax", "property_tax")
    return city_values(city, state, flows) | {
        "pace": state.infrastructure.pace.mean(-1),
        "floor": flows.residents.home_floor.sum(-1),
        "profit": market.profit.sum((1, 2)),
        "pay": (people * flows.income.gross).sum((1, 2)),
        "wage": market.wages.sum((1, 2)) / market.employed.sum((1, 2)),
        "income evasion": state.treasury.evasion[:, 0],
        "business evasion": state.treasury.evasion[:, 1],
        "income tax revenue": lines["income_tax"],
        "business tax revenue": lines["business_tax"],
        "own revenue": torch.stack([lines[name] for name in own]).sum(0),
    }


def respond(city: City, wanted: set[int]) -> dict[int, dict[str, Tensor]]:
    """Log responses to every setting, by month and quantity ``[settings]``."""
    rows = len(SETTINGS)
    requested = policy(city, {}, rows)
    for row, setting in enumerate(SETTINGS.values()):
        for lever, value in setting.items():
            requested[lever][row] = value
    found = {}
    with torch.no_grad():
        for month, (_, state, flows) in enumerate(months(city, requested, max(wanted)), 1):
            if month in wanted:
                values = quantities(city, state, flows)
                found[month] = {k: torch.log(v / v[0]) for k, v in values.items() if v.min() > 0}
    return found


@pytest.fixture(scope="module")
def responses(london: City, nine: City) -> dict[str, dict[int, dict[str, Tensor]]]:
    """Responses of both cities."""
    wanted = {sign.month for sign in SIGNS} | {3, HORIZON}
    return {
        name: respond(city.to(torch.float32), wanted)
        for name, city in {"london": london, "nine": nine}.items()
    }


@pytest.mark.parametrize("sign", SIGNS, ids=lambda s: f"{s.setting}: {s.quantity}")
@pytest.mark.parametrize("name", ["london", "nine"])
def test_sign(name: str, sign: Sign, responses: dict[str, dict[int, dict[str, Tensor]]]) -> None:
    row = list(SETTINGS).index(sign.setting)
    response = float(responses[name][sign.month][sign.quantity][row])
    assert sign.direction * response > sign.least, f"{response:+.4f}"


@pytest.mark.parametrize("name", ["london", "nine"])
def test_sizes_are_those_of_the_literature(
    name: str, responses: dict[str, dict[int, dict[str, Tensor]]]
) -> None:
    """Frequency elasticity of ridership 0.3-0.7 and free transit +25 to +60 % (Balcombe 2004)."""
    rows = list(SETTINGS)
    ridership = responses[name][120]["transit_trips"]
    elasticity = float(ridership[rows.index("frequency")]) / torch.log(torch.tensor(2.0))
    assert 0.3 < float(elasticity) < 0.75
    assert 0.2 < float(ridership[rows.index("free transit")].exp()) - 1 < 0.6


def widened(city: City, factor: float) -> CityState:
    """The first state with ``factor`` times the road capacity everywhere."""
    start = city.initial()
    roads = start.infrastructure
    return replace(
        start,
        infrastructure=replace(roads, road=factor * roads.road, road_pipe=factor * roads.road_pipe),
    )


@pytest.mark.parametrize("name", ["london", "nine", "congested"])
def test_more_capacity_is_faster_at_once_and_fills_up_later(
    name: str, request: pytest.FixtureRequest
) -> None:
    city: City = request.getfixturevalue(name)
    start = widened(city, 1.2)
    requested = policy(city, {"road": 1.2, "maintenance": 1.0})
    traffic = city.start.infrastructure, city.fundamentals.infrastructure
    before = infrastructure.congested_pace(
        city.geography.roads,
        city.parameters,
        traffic[0].condition,
        traffic[1].vehicle_km / traffic[1].road,
    )
    after = infrastructure.congested_pace(
        city.geography.roads,
        city.parameters,
        traffic[0].condition,
        traffic[1].vehicle_km / (1.2 * traffic[1].road),
    )
    assert bool((after < before).all())
    grown = []
    base = city.fundamentals.infrastructure.vehicle_km.sum(-1)
    with torch.no_grad():
        for month, (_, state, flows) in enumerate(months(city, requested, 240, state=start), 1):
            if month in (3, 24, 240):
                grown.append(float(torch.log(flows.traffic.vehicle_km.sum(-1) / base)) / 0.1823)
                assert float(state.infrastructure.pace.mean()) < float(traffic[1].pace.mean())
    assert 0 < grown[0] < grown[1] < grown[2]
    if name == "congested":
        assert grown[1] == pytest.approx(0.57, abs=0.1)
        assert grown[2] == pytest.approx(0.67, abs=0.1)


def test_signs_are_not_drift(nine: City) -> None:
    state, _ = last(nine, policy(nine, {}), 24)
    for (name, now), (_, then) in zip(tree.leaves(state), tree.leaves(nine.start), strict=True):
        assert torch.allclose(
            now, then, rtol=1e-6, atol=1e-6 * max(1.0, float(then.abs().max()))
        ), name
