"""Ports live, frozen, ruled and replayed; how much is interaction."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from envs.city import tree
from envs.city.coupling import COUPLED, Driver, Port, coupling_curve, interaction, run
from envs.city.dynamics import Dynamics
from envs.city.model import City
from envs.city.wiring import BLOCKS, WRITERS, ports_of
from tests.model.runs import policy, random_policy


def crisis(city: City, months: int) -> list[dict[str, torch.Tensor]]:
    weather = Dynamics("crisis", 1, city.districts, months, city.start.planning.home_rent, None, 1)
    weather.seed(0, 3)
    weather.reset([0])
    return [weather.advance() for _ in range(months)]


def test_everything_frozen_stands_still(nine: City) -> None:
    still = Driver({name: Port("frozen") for name in WRITERS})
    found = run(nine, 12, policy(nine, {"income_tax": 0.2, "road": 3.0}), driver=still)
    for (name, now), (_, then) in zip(
        tree.leaves(found.flows[-1]), tree.leaves(found.flows[0]), strict=True
    ):
        assert torch.equal(now, then), name
    assert dict(tree.leaves(found.states[-1])).keys() == dict(tree.leaves(nine.start)).keys()


def test_full_strength_is_the_coupled_city(nine: City) -> None:
    requested = random_policy(nine, 22)
    whole = run(nine, 12, requested)
    tied = run(nine, 12, requested, driver=Driver({name: Port("frozen", 1.0) for name in WRITERS}))
    for (name, a), (_, b) in zip(
        tree.leaves(whole.states[-1]), tree.leaves(tied.states[-1]), strict=True
    ):
        assert torch.equal(a, b), name


def test_strength_interpolates_a_port(nine: City) -> None:
    requested = policy(nine, {"transit": 2.5})
    times = {}
    for strength in (0.0, 0.25, 1.0):
        driver = Driver({"roads": Port("frozen", strength)})
        last = run(nine, 2, requested, "soft", driver=driver).flows[-1]
        times[strength] = last.roads.transit_time
    blend = times[0.0] + 0.25 * (times[1.0] - times[0.0])
    torch.testing.assert_close(times[0.25], blend)
    assert float((times[1.0] - times[0.0]).abs().max()) > 0.01


def test_a_rule_supplies_a_port_from_those_before_it(nine: City) -> None:
    """Half the staff that live services would employ: jobs in public services halve."""
    whole = run(nine, 1)
    rule = Driver(
        {
            "staffing": Port(
                "rule",
                rule=lambda ports: replace(
                    whole.flows[0].staffing, staff=ports["residents"].people.sum(-1) * 0.01
                ),
            )
        }
    )
    flows = run(nine, 1, driver=rule).flows[0]
    wanted = 0.01 * flows.residents.people.sum(-1)
    torch.testing.assert_close(flows.offers.demand[..., -1], wanted)


def test_yearly_records_are_interpolated_monthly(nine: City) -> None:
    whole = run(nine, 25, policy(nine, {"toll": 0.004}))
    yearly = Driver({"roads": Port("replay")}, whole.flows[::12], every=12)
    flows = run(nine, 25, policy(nine, {"toll": 0.004}), driver=yearly).flows
    first, second = whole.flows[0].roads.car_time, whole.flows[12].roads.car_time
    torch.testing.assert_close(flows[3].roads.car_time, first + 0.25 * (second - first))
    assert torch.equal(flows[24].roads.car_time, whole.flows[24].roads.car_time)


def test_interaction_is_what_no_block_does_alone(nine: City) -> None:
    """Coupled welfare is the direct effect, the four blocks alone, and the interaction."""
    requested = policy(nine, {"transit": 2.0, "far": 1.5, "income_tax": 0.08})
    found = interaction(nine, requested, 36)
    parts = found.direct + sum(found.alone.values()) + found.interaction
    torch.testing.assert_close(parts, found.coupled)
    assert set(found.alone) == set(COUPLED)
    nothing = interaction(nine, policy(nine, {}), 12)
    for value in (nothing.direct, nothing.coupled, *nothing.alone.values()):
        assert float(value.abs()) < 1e-6
    taxed = interaction(nine, policy(nine, {"income_tax": 0.12}), 12, "soft")
    assert float(taxed.direct) < 0, "a tax that nobody can respond to costs what it takes"
    assert float(found.interaction.abs()) > 1e-3


def test_the_curve_of_coupling_ends_at_the_coupled_city(nine: City) -> None:
    requested = policy(nine, {"transit": 2.0, "fare": 0.0})
    curve = coupling_curve(nine, requested, 24, (0.0, 0.5, 1.0))
    found = interaction(nine, requested, 24)
    torch.testing.assert_close(curve[0], found.direct)
    torch.testing.assert_close(curve[-1], found.coupled)


def test_bad_ports_are_named_together() -> None:
    with pytest.raises(ValueError, match=r"(?s)port 'road' is unknown.*mode 'stuck'.*coupling 2"):
        Driver({"road": Port("frozen"), "roads": Port("stuck", 2.0)})
    with pytest.raises(ValueError, match="replay needs a record"):
        Driver({"roads": Port("replay")})
    with pytest.raises(ValueError, match="block 'traffic' is unknown"):
        Driver.alone("traffic", [])
    assert set(ports_of(BLOCKS)) < set(WRITERS)
