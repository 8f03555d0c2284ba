"""From a network file to the streets of a city: which links, which nodes, which routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from envs.city.assignment import assign
from envs.city.network import graph_of, links_of
from envs.city.parameters import Parameters
from envs.city.roads import Streets
from envs.city.routes import (
    Floats,
    Graph,
    Integers,
    RouteSet,
    build_routes,
    k_shortest_routes,
    merge_routes,
)
from envs.city.tntp import LinkTable

WAYS = 4
_GAP = 1e-4


@dataclass(frozen=True)
class StreetPlan:
    """A network as a city uses it.

    Attributes:
        owner: ``[L]`` district of each link: that of its tail, or the nearest by free time.
        nodes: ``[D]`` node of each district.
        length: ``[L]`` km; free_time: ``[L]`` minutes; capacity: ``[L]`` vehicles per hour, or
            any unit; alpha, beta: ``[L]`` of the BPR function.
        routes: alternatives between the nodes of different districts.
        ways: most alternatives of a pair.
    """

    owner: Integers
    nodes: Integers
    length: Floats
    free_time: Floats
    capacity: Floats
    alpha: Floats
    beta: Floats
    routes: RouteSet
    ways: int


def plan_streets(
    table: LinkTable,
    nodes: Sequence[int] | None = None,
    trips: Floats | None = None,
    ways: int = WAYS,
    minutes: float = 1.0,
    km: float = 1.0,
) -> StreetPlan:
    """Choose routes and put a network in minutes and km.

    Routes are those of the user equilibrium of ``trips``, where given, then the shortest at
    its times; without trips the shortest at free-flow times.

    Args:
        table: links of a network file.
        nodes: node (from 0) of each district; default: the zones, in their order.
        trips: ``[zones, zones]`` trips that go with the capacities.
        ways: most routes of a pair.
        minutes: minutes in the file's unit of time. km: km in its unit of length.

    Raises:
        ValueError: nodes that are not in the network or shared, links without time or length,
            pairs that no route joins; all problems of a kind in one message.
    """
    chosen = np.arange(table.zones) if nodes is None else np.asarray(nodes, dtype=np.int64)
    problems = _problems(table, chosen, ways)
    if problems:
        raise ValueError("; ".join(problems))
    graph, links = graph_of(table), links_of(table)
    pairs = [(int(i), int(j)) for i in chosen for j in chosen if i != j]
    found: list[RouteSet] = []
    times = table.free_time
    if trips is not None:
        demand = {(int(i), int(j)): float(trips[i, j]) for i, j in np.argwhere(trips > 0) if i != j}
        equilibrium = assign(links, graph, demand, gap=_GAP)
        times = equilibrium.time
        found.append({pair: equilibrium.routes.get(pair, []) for pair in pairs})
    found.append(k_shortest_routes(graph, times, pairs, ways))
    return StreetPlan(
        owner=_nearest(table, chosen)[table.tail],
        nodes=chosen,
        length=table.length * km,
        free_time=table.free_time * minutes,
        capacity=table.capacity,
        alpha=table.b,
        beta=table.power,
        routes=merge_routes(found, times, ways),
        ways=ways,
    )


def _problems(table: LinkTable, nodes: Integers, ways: int) -> list[str]:
    found = []
    strange = [int(node) + 1 for node in nodes if not 0 <= node < table.nodes]
    if strange:
        found.append(f"nodes {strange}: the network has 1 to {table.nodes}")
    shared = sorted({int(node) + 1 for node in nodes if (nodes == node).sum() > 1})
    if shared:
        found.append(f"nodes {shared}: each district needs a node of its own")
    for name, values in (("free_flow_time", table.free_time), ("length", table.length)):
        empty = [int(row) + 1 for row in np.flatnonzero(values <= 0)]
        if empty:
            found.append(f"links {empty}: {name} 0; a city needs minutes and km of every link")
    if ways < 1:
        found.append(f"routes {ways}: expected at least 1")
    return found


def _nearest(table: LinkTable, nodes: Integers) -> Integers:
    """District ``[nodes]`` whose node is nearest by free time, whichever way one drives."""
    weights, _ = Graph(table.tail, table.head, table.nodes).weights(table.free_time, 0)
    _, _, source = dijkstra(
        weights, directed=False, indices=nodes, return_predecessors=True, min_only=True
    )
    district = np.full(table.nodes, -1, dtype=np.int64)
    district[nodes] = np.arange(len(nodes))
    nearest: Integers = district[np.where(source < 0, nodes[0], source)]
    return nearest


def build_streets(plan: StreetPlan, own: Tensor, p: Parameters) -> Streets:
    """Streets of a city.

    Args:
        plan: the network. own: ``[b, D]`` km of a trip within a district, on local streets.
    """
    like, count, districts = own[:1], len(plan.owner), own.shape[1]
    routes: RouteSet = {}
    for i, start in enumerate(plan.nodes.tolist()):
        for j, end in enumerate(plan.nodes.tolist()):
            routes[i, j] = [(count + i,)] if i == j else plan.routes[start, end]
    length = np.concatenate([plan.length, own[0].detach().cpu().numpy()])
    owner = np.concatenate([plan.owner, np.arange(districts)])

    def beside(links: Floats, local: Tensor) -> Tensor:
        known = torch.as_tensor(links).to(like)[None]
        return torch.cat([known.expand(local.shape[0], -1), local], 1)

    ones, b = torch.ones_like(own), max(own.shape[0], p.values["free_speed"].shape[0])
    return Streets(
        owner=torch.as_tensor(owner, device=own.device)[None],
        length=beside(plan.length, own),
        free=beside(plan.free_time / plan.length, (60 / p.bd.free_speed).expand(b, districts)),
        capacity=beside(plan.capacity * plan.length, torch.zeros_like(own)),
        alpha=beside(plan.alpha, p.bd.bpr_alpha * ones),
        beta=beside(plan.beta, p.bd.bpr_beta * ones),
        routes=build_routes(routes, length, plan.ways, own.dtype),
    )
