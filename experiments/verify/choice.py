"""Limits of commuting: logit, Wilson's entropy, Pigou's toll (MODEL section 15, 4 and 11)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city.coupling import first_month
from envs.city.model import City, CityState
from experiments.verify.oracle import Row
from experiments.verify.worlds import advance, line, one_type, standing, summit, tensor

_KE = 0.07
_NETWORK = ("roads", "commute", "traffic")


def _tolled(city: City, toll: Tensor) -> CityState:
    """The first state with a toll in force, k$ an entry at the default wage ``[B, D]``."""
    state = city.initial(toll.shape[0])
    policy = state.treasury.policy | {"toll": toll}
    return replace(state, treasury=replace(state.treasury, policy=policy))


def logit() -> list[Row]:
    """Flows after slow roads have recovered, where traffic slows nobody down.

    Theory writes the multinomial logit over workplaces and modes out, pair by pair, at
    free-flow times.
    """
    city = line([0.0, 4.0, 9.0, 15.0], {"bpr_alpha": 0.0, "crowding": 0.0, "cond_speed": 0.0})
    state = _tolled(city, tensor([[0.0, 0.004, 0.002, 0.0]]))
    roads = state.infrastructure
    state = replace(state, infrastructure=replace(roads, pace=1.3 * roads.pace))
    held = standing(city, 1, (*_NETWORK, "fiscal"))
    with torch.no_grad():
        _, flows = advance(city, state, 150, held)

    g, travel = city.geography, city.fundamentals.travel
    vot, toll, fare = travel.value_of_time[0], flows.fiscal.toll[0], flows.fiscal.fare[0]
    minutes = 60 / 35 * g.distance[0]
    fuel = 0.25e-3 * g.distance[0] / 1.3 / vot.mean()
    by_type = vot.reshape(-1, 1, 1)
    size = torch.log(flows.offers.attraction[0]).T.unsqueeze(1)
    transit = 8 + 2.5 * g.distance[0] + 2 * 60 / 16
    utility = torch.stack(
        [
            size - _KE * (minutes + fuel + toll / 1.3 / by_type),
            size - _KE * (transit + fare / by_type) - 0.6,
            (size - _KE * 6 * g.distance[0] - 0.2).expand(6, -1, -1),
        ],
        -1,
    )
    places = g.districts
    share = torch.softmax(utility.reshape(6, places, -1), -1).reshape(6, places, places, 3)
    workers = travel.participation[0] * state.planning.people[0].T
    expected = workers.reshape(6, places, 1, 1) * share
    pairs = {
        "car trips of a pair of districts": (expected[..., 0].sum(0), flows.commute.car[0]),
        "transit trips of a pair": (expected[..., 1].sum(0), flows.commute.transit[0]),
        "workers of a type by workplace": (expected.sum((1, 3)).T, flows.commute.workers[0]),
    }
    return [_largest(name, *pair) for name, pair in pairs.items()]


def _largest(case: str, theory: Tensor, ours: Tensor, tolerance: float = 1e-9) -> Row:
    """The entry of two tensors that differs most, relative to theory."""
    gap = ((ours - theory) / theory).abs().flatten()
    worst = int(gap.argmax())
    found, expected = float(ours.flatten()[worst]), float(theory.flatten()[worst])
    return Row(f"{case}, worst", expected, found, tolerance, True)


def furness(origins: Tensor, destinations: Tensor, kernel: Tensor) -> Tensor:
    """Trips ``[D, D]`` of given totals that maximise entropy at the kernel's mean cost."""
    trips = kernel
    for _ in range(2000):
        trips = trips * (origins / trips.sum(1)).unsqueeze(1)
        trips = trips * (destinations / trips.sum(0)).unsqueeze(0)
    return trips


def wilson() -> list[Row]:
    """Calibration fills every job, which constrains commuting at both ends.

    At the maximum of entropy ``ln T_ij + ke t_ij = a_i + b_j``: centring both ways leaves
    nothing. The same trips follow from Furness balancing of the bare kernel.
    """
    only_car = {"mode_constant": tensor([[0.0, -99.0, -99.0]]), "car_cost": 0.0}
    people = one_type(5) * tensor([1.0, 0.4, 2.0, 0.7, 1.5]).reshape(1, 5, 1)
    jobs = 0.475 * 100_000 * tensor([3.0, 0.5, 1.2, 0.5, 0.4])
    city = line([0.0, 4.0, 9.0, 15.0, 22.0], only_car, people, jobs)
    with torch.no_grad():
        flows = first_month(city, 1)
    trips, minutes = flows.commute.car[0], flows.roads.car_time[0]
    potential = torch.log(trips) + _KE * minutes
    rest = potential - potential.mean(0) - potential.mean(1, keepdim=True) + potential.mean()
    workers = city.fundamentals.travel.participation * people.sum(-1)[0]
    wanted = flows.offers.demand.sum(-1)[0]
    wanted = wanted / wanted.sum() * workers.sum()
    best = furness(workers, wanted, torch.exp(-_KE * minutes))
    share, best_share = trips / trips.sum(), best / best.sum()
    entropy, most = (float(-(x * torch.log(x)).sum()) for x in (share, best_share))
    return [
        Row(
            "ln T + ke t less its row and column terms, largest", 0.0, float(rest.abs().max()), 1e-9
        ),
        _largest("workers leaving a district", workers, trips.sum(1)),
        _largest("workers arriving", wanted, trips.sum(0)),
        _largest("trips of a pair against Furness balancing", best, trips, 1e-7),
        Row("entropy of the trip table", most, entropy, 1e-9, True),
    ]


def pigou() -> list[Row]:
    """The toll on one road that gradients through the model find.

    Surplus is what commuters gain in money, ``value of time / ke ln phi`` a leg, and the toll
    they pay. Drivers weigh only their own time, so the best toll is the time that a car costs
    the others, ``x t'(x)``, at their value of time.
    """
    loads = tensor([0.6, 1.0, 1.4])
    simple = {
        "nonwork": 0.0,
        "freight": 0.0,
        "gain_tau": 0.5,
        "vc_cap": 1e6,
        "delta_g": 0.0,
        "mode_constant": tensor([[0.0, -99.0, -0.2]]),
        "dodge_cost": tensor([[1e6] * 4]),
    }
    city = line([0.0], simple, one_type(1))
    start = city.initial(len(loads))
    network = start.infrastructure
    road = network.road * (city.parameters.b.vc / loads).unsqueeze(-1)
    start = replace(start, infrastructure=replace(network, road=road))
    held = standing(city, len(loads), (*_NETWORK, "fiscal"))
    travel = city.fundamentals.travel
    vot = travel.value_of_time[0, 2]
    legs = 42 * travel.participation * start.planning.people[:, 0, 2]

    def slope(toll: Tensor) -> tuple[Tensor, Tensor]:
        """Surplus gained by a higher toll, and volume over capacity, ``[B]``."""
        asked = toll.detach().requires_grad_(True)
        policy = start.treasury.policy | {"toll": asked.unsqueeze(-1)}
        state = replace(start, treasury=replace(start.treasury, policy=policy))
        _, flows = advance(city, state, 80, held)
        gain = legs * vot / _KE * torch.log(flows.commute.phi[:, 0, 2]) + flows.commute.tolls
        (gradient,) = torch.autograd.grad(gain.sum(), asked)
        return gradient, flows.traffic.load[:, 0].detach()

    zero = torch.zeros_like(loads)
    best = summit(lambda toll: slope(toll)[0], zero, zero + 1e-4)
    _, load = slope(best)
    delay = city.geography.distance[0, 0, 0] * 60 / 35 * 0.15 * 4 * load**4
    external = 1.3 * vot * delay / travel.money
    return [
        Row(f"best toll at a volume over capacity of {x:.2f}, k$", float(t), float(b), 0.01, True)
        for x, t, b in zip(load.tolist(), external, best, strict=True)
    ]
