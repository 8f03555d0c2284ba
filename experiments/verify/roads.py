"""Limits of route choice with published answers (MODEL section 15, 5 and 6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import configs
from envs.city import tntp
from envs.city.assignment import assign, logit_equilibrium, system_optimum
from envs.city.network import (
    Links,
    beckmann,
    graph_of,
    link_times,
    links_of,
    marginal_tolls,
    pair_demand,
)
from envs.city.routes import Graph, Routes, build_routes, k_shortest_routes, merge_routes
from experiments.verify.oracle import Row

#: Least value of Beckmann's objective, published with the network.
SIOUX_FALLS_OBJECTIVE = 42.31335287107440e5
_SIOUX_FALLS = "city/sioux_falls/network"
_TRIP, _DRIVERS = (0, 3), 6.0
_FLAT = 1e-8


@dataclass(frozen=True)
class Roads:
    """Four or five links, the graph they make, and its loopless routes."""

    links: Links
    graph: Graph
    routes: Routes


def braess_network(bridge: bool) -> Roads:
    """Links from 0 to 3 whose times are ``constant + slope * flow``."""
    rows = [(0, 1, 0.0, 10.0), (0, 2, 50.0, 1.0), (1, 3, 50.0, 1.0), (2, 3, 0.0, 10.0)]
    rows += [(1, 2, 10.0, 1.0)] * bridge
    tail, head, constant, slope = (np.array(column) for column in zip(*rows, strict=True))
    free, ones = np.maximum(constant, _FLAT), np.ones(len(rows))
    links = Links(
        torch.as_tensor(tail)[None],
        torch.as_tensor(head)[None],
        *(torch.as_tensor(x)[None] for x in (free, ones, slope / free, ones, ones)),
    )
    graph = Graph(tail, head, 4)
    found = k_shortest_routes(graph, free, [_TRIP], 9)
    return Roads(links, graph, build_routes(found, ones))


def braess() -> list[Row]:
    """A bridge that makes everybody later, and tolls that undo it.

    Deterministic equilibria, and the logit of sharp drivers, whose route sizes leave a little.
    """
    demand = {_TRIP: _DRIVERS}
    theta = torch.tensor([100.0], dtype=torch.float64)
    six = torch.tensor([[_DRIVERS]], dtype=torch.float64)
    open_, shut = braess_network(True), braess_network(False)
    best = torch.as_tensor(system_optimum(open_.links, open_.graph, demand).flow)[None]
    toll = marginal_tolls(open_.links, best)

    def sharp(roads: Roads, charge: Tensor | None = None) -> float:
        flow = logit_equilibrium(roads.links, roads.routes, six, theta, charge)
        return float((flow * link_times(roads.links, flow)).sum()) / _DRIVERS

    def wardrop(roads: Roads, charge: Tensor | None = None) -> float:
        paid = None if charge is None else charge[0].numpy()
        return assign(roads.links, roads.graph, demand, paid).total_time / _DRIVERS

    rows = []
    for case, theory, roads, charge in (
        ("with the bridge", 92.0, open_, None),
        ("without", 83.0, shut, None),
        ("with the bridge and marginal-cost tolls", 83.0, open_, toll),
    ):
        rows.append(Row(f"minutes {case}", theory, wardrop(roads, charge), 1e-4))
        rows.append(Row(f"minutes {case}, logit theta 100", theory, sharp(roads, charge), 0.02))
    anarchy = rows[0].ours / (float((best * link_times(open_.links, best)).sum()) / _DRIVERS)
    return [*rows, Row("price of anarchy", 92 / 83, anarchy, 1e-5)]


def sioux_falls() -> list[Row]:
    """The published equilibrium of 24 zones and 76 links, exactly and by sharp route choice."""
    folder = Path(configs.root()) / _SIOUX_FALLS
    table = tntp.read_network(folder / "SiouxFalls_net.tntp")
    trips = tntp.read_trips(folder / "SiouxFalls_trips.tntp")
    published = tntp.read_flows(folder / "SiouxFalls_flow.tntp")[:, 2]
    links, graph = links_of(table), graph_of(table)
    demand = {(int(i), int(j)): float(trips[i, j]) for i, j in np.argwhere(trips > 0)}
    found = assign(links, graph, demand, gap=1e-7)
    near = k_shortest_routes(graph, table.free_time, demand, 3)
    routes = build_routes(merge_routes([found.routes, near], found.time, 8), table.length)
    theta = torch.tensor([50.0], dtype=torch.float64)
    sharp = logit_equilibrium(links, routes, pair_demand(routes, trips), theta)
    rows = []
    for how, flow in (
        ("user equilibrium", torch.as_tensor(found.flow)[None]),
        ("path-size logit, theta 50", sharp),
    ):
        objective = float(beckmann(links, flow))
        fit = float(np.corrcoef(flow[0].numpy(), published)[0, 1])
        rows.append(
            Row(f"Beckmann's objective, {how}", SIOUX_FALLS_OBJECTIVE, objective, 1e-3, True)
        )
        rows.append(Row(f"correlation with published link flows, {how}", 1.0, fit, 1e-3))
    return rows
