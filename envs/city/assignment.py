"""Equilibria of route choice: deterministic user equilibrium, system optimum, logit equilibrium.

``assign`` finds deterministic equilibria by column generation and gradient projection on route
flows (Jayakrishnan et al. 1994), in numpy. ``logit_equilibrium`` finds the stochastic one on a
fixed route set in torch, differentiable with respect to demand, tolls and links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.city.network import (
    Links,
    along,
    beckmann,
    link_times,
    load_routes,
    onto,
    route_shares,
    socially_priced,
    time_slopes,
)
from envs.city.routes import Graph, Pair, Routes, RouteSet, shortest_routes

Floats = NDArray[np.float64]

_SWEEPS = 3
_UNUSED = 1e-12
_FIRST_THETA = 0.05
_NEWTON_STEPS = 60
_HALVINGS = 30


@dataclass(frozen=True)
class Assignment:
    """A deterministic equilibrium.

    flow, time: ``[L]`` vehicles and minutes; routes: the routes of each pair, fastest set only;
    route_flow: their flows; gap: relative gap ``(sum x t - sum d c_min) / sum x t``; objective:
    Beckmann's; total_time: ``sum x t`` without tolls.
    """

    flow: Floats
    time: Floats
    routes: RouteSet
    route_flow: dict[Pair, Floats]
    gap: float
    objective: float
    total_time: float


def assign(
    links: Links,
    graph: Graph,
    demand: Mapping[Pair, float],
    toll: Floats | None = None,
    gap: float = 1e-8,
    rounds: int = 200,
) -> Assignment:
    """User equilibrium (Wardrop 1952): no driver has a cheaper route.

    Args:
        links: one row.
        graph: which nodes the links join.
        demand: vehicles by pair of different nodes.
        toll: ``[L]`` minutes added to the times, paid whatever the flow.
        gap: relative gap at which to stop.
        rounds: most rounds of finding new routes.

    Raises:
        ValueError: pairs that no route joins, or the gap is not reached.
    """
    model = _Model(links, np.zeros(links.count) if toll is None else toll)
    trips = {pair: float(amount) for pair, amount in demand.items() if amount > 0}
    routes: RouteSet = {}
    flows: dict[Pair, Floats] = {}
    cost, _ = model.costs()
    reached = np.inf
    for _ in range(rounds):
        fastest = shortest_routes(graph, cost, trips)
        if routes:
            least = sum(amount * cost[list(fastest[p])].sum() for p, amount in trips.items())
            reached = 1 - least / (model.flow @ cost)
            if reached < gap:
                return _result(links, model, routes, flows, reached)
        for pair, amount in trips.items():
            known = routes.setdefault(pair, [])
            if fastest[pair] not in known:
                known.append(fastest[pair])
                old = flows.get(pair, np.zeros(0))
                flows[pair] = np.append(old, amount if not len(old) else 0.0)
                if not len(old):
                    model.flow[list(fastest[pair])] += amount
        for _ in range(_SWEEPS):
            for pair in trips:
                routes[pair], flows[pair] = model.project(routes[pair], flows[pair])
        cost, _ = model.costs()
    raise ValueError(f"relative gap {reached:.2g} after {rounds} rounds; wanted {gap:.2g}")


def system_optimum(
    links: Links, graph: Graph, demand: Mapping[Pair, float], gap: float = 1e-8
) -> Assignment:
    """Least total time: the user equilibrium of marginal times (Beckmann et al. 1956).

    ``marginal_tolls`` at its flows make it a user equilibrium.
    """
    found = assign(socially_priced(links), graph, demand, gap=gap)
    flow = torch.as_tensor(found.flow)[None]
    time = link_times(links, flow)[0].numpy()
    return Assignment(
        flow=found.flow,
        time=time,
        routes=found.routes,
        route_flow=found.route_flow,
        gap=found.gap,
        objective=float(beckmann(links, flow)),
        total_time=float(found.flow @ time),
    )


def price_of_anarchy(links: Links, graph: Graph, demand: Mapping[Pair, float]) -> float:
    """Total time of selfish routes over the least one (Koutsoupias & Papadimitriou 1999)."""
    selfish = assign(links, graph, demand).total_time
    return selfish / system_optimum(links, graph, demand).total_time


class _Model:
    """Flows on links and their costs while an assignment is sought."""

    def __init__(self, links: Links, toll: Floats) -> None:
        self.free, self.capacity, self.alpha, self.beta = (
            x[0].numpy() for x in (links.free_time, links.capacity, links.alpha, links.beta)
        )
        self.toll = toll
        self.flow = np.zeros(links.count)

    def costs(self) -> tuple[Floats, Floats]:
        """Cost ``[L]`` at the flows and its derivative."""
        ratio = np.maximum(self.flow, 0.0) / self.capacity
        cost = self.free * (1 + self.alpha * ratio**self.beta) + self.toll
        slope = self.free * self.alpha * self.beta * ratio ** (self.beta - 1) / self.capacity
        return cost, slope

    def project(
        self, routes: list[tuple[int, ...]], flow: Floats
    ) -> tuple[list[tuple[int, ...]], Floats]:
        """Move flow of a pair to its cheapest route by a projected Newton step.

        Routes that are left idle are dropped.
        """
        if len(routes) == 1:
            return routes, flow
        use = np.zeros((len(routes), len(self.flow)))
        for row, route in enumerate(routes):
            use[row, list(route)] = 1.0
        cost, slope = self.costs()
        each = use @ cost
        best = int(each.argmin())
        apart = use - use[best]
        curve = np.maximum(np.abs(apart) @ slope, _UNUSED)
        moved = np.minimum(flow, (each - each[best]) / curve)
        self.flow -= moved @ apart
        flow = flow - moved
        flow[best] += moved.sum()
        kept = np.flatnonzero((flow > _UNUSED * flow.sum()) | (np.arange(len(flow)) == best))
        lost = np.delete(np.arange(len(flow)), kept)
        self.flow -= flow[lost] @ apart[lost]
        flow[best] += flow[lost].sum()
        return [routes[i] for i in kept], flow[kept]


def _result(
    links: Links, model: _Model, routes: RouteSet, flows: dict[Pair, Floats], gap: float
) -> Assignment:
    flow = np.zeros(links.count)
    for pair, found in routes.items():
        for route, amount in zip(found, flows[pair], strict=True):
            flow[list(route)] += amount
    row = torch.as_tensor(flow)[None]
    time = link_times(links, row)[0].numpy()
    objective = float(beckmann(links, row)) + float(model.toll @ flow)
    return Assignment(flow, time, routes, flows, float(gap), objective, float(flow @ time))


def logit_equilibrium(
    links: Links,
    routes: Routes,
    demand: Tensor,
    theta: Tensor,
    toll: Tensor | None = None,
    tolerance: float = 1e-11,
) -> Tensor:
    """Link flows ``[B, L]`` at which drivers expect the times that they cause (Fisk 1980).

    Newton's method on the flows while theta grows from dull to sharp. Gradients with respect to
    demand, theta, tolls and links pass through the solution by the implicit function theorem.

    Args:
        links: rows ``[b, L]``.
        routes: alternatives.
        demand: ``[B, P]`` vehicles.
        theta: ``[b]`` per minute.
        toll: ``[b, L]`` minutes.
        tolerance: of the residual, as a share of the largest flow.

    Raises:
        ValueError: no equilibrium was found to the tolerance.
    """
    tolls = torch.zeros_like(links.free_time) if toll is None else toll

    def residual(flow: Tensor, scale: Tensor) -> Tensor:
        return flow - load_routes(routes, demand, link_times(links, flow), scale, tolls)

    def step(flow: Tensor, scale: Tensor) -> Tensor:
        slopes = _residual_slopes(links, routes, demand, flow, scale, tolls)
        moved: Tensor = torch.linalg.solve(slopes.detach(), residual(flow, scale).unsqueeze(-1))
        return moved.squeeze(-1)

    with torch.no_grad():
        flow = load_routes(routes, demand, links.free_time, theta * 0, tolls)
        growing = torch.full_like(theta, _FIRST_THETA).minimum(theta)
        while True:
            left = _size(residual(flow, growing), flow)
            for _ in range(_NEWTON_STEPS):
                if left < tolerance:
                    break
                flow, left = _shorter(residual, flow, step(flow, growing), growing, left)
            if bool((growing == theta).all()):
                break
            growing = (2 * growing).minimum(theta)
    if left > tolerance:
        raise ValueError(f"no logit equilibrium: a residual of {left:.2g} of the flow is left")
    return flow - step(flow, theta)


def _residual_slopes(
    links: Links, routes: Routes, demand: Tensor, flow: Tensor, theta: Tensor, toll: Tensor
) -> Tensor:
    """Derivatives ``[B, L, L]`` of the residual (row) by the flow of each link (column)."""
    shares = route_shares(routes, along(routes, link_times(links, flow) + toll), theta)
    rows, count = flow.shape
    nudges = torch.diag_embed(time_slopes(links, flow).expand_as(flow)).reshape(-1, count)
    dearer = along(routes, nudges).reshape(rows, count, routes.pairs, routes.ways)
    shares, trips = shares.unsqueeze(1), demand.reshape(-1, 1, routes.pairs, 1)
    change = shares * (dearer - (shares * dearer).sum(-1, keepdim=True)) * trips
    change = change * theta.reshape(-1, 1, 1, 1)
    moved = onto(routes, change.reshape(-1, routes.pairs, routes.ways))
    columns = moved.reshape(rows, count, count).transpose(1, 2)
    return columns + torch.eye(count, dtype=flow.dtype, device=flow.device)


def _size(residual: Tensor, flow: Tensor) -> float:
    return float(residual.abs().max() / flow.abs().max())


def _shorter(
    residual: Callable[[Tensor, Tensor], Tensor],
    flow: Tensor,
    step: Tensor,
    theta: Tensor,
    left: float,
) -> tuple[Tensor, float]:
    """The flows after a Newton step, halved until it helps, and the residual that is left."""
    share = 1.0
    for _ in range(_HALVINGS):
        tried = (flow - share * step).clamp_min(0)
        now = _size(residual(tried, theta), tried)
        if now < left:
            return tried, now
        share /= 2
    return tried, now
