"""Traffic on links: BPR times, path-size logit, link flows (MODEL sections 5(1) and 5(4)).

Pure functions of tensors. Costs are in generalised minutes; a toll enters the cost of every
route that pays it, so that avoiding it by another route is part of the choice. ``b`` is 1
where all rows share a network, B where each row has its own; L links, P pairs, R routes a pair.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from envs.city.routes import Graph, Routes
from envs.city.tntp import LinkTable


@dataclass(frozen=True)
class Links:
    """Links with times ``free_time (1 + alpha (flow / capacity)^beta)``.

    tail, head: ``[1, L]`` nodes; free_time, capacity, alpha, beta, length: ``[b, L]``
    (minutes, vehicles per hour, -, -, km).
    """

    tail: Tensor
    head: Tensor
    free_time: Tensor
    capacity: Tensor
    alpha: Tensor
    beta: Tensor
    length: Tensor

    @property
    def count(self) -> int:
        """Number of links L."""
        return self.free_time.shape[-1]


def links_of(table: LinkTable, dtype: torch.dtype = torch.float64) -> Links:
    """Links of a network file, one row, in the file's units."""
    return Links(
        tail=torch.as_tensor(table.tail)[None],
        head=torch.as_tensor(table.head)[None],
        free_time=torch.as_tensor(table.free_time, dtype=dtype)[None],
        capacity=torch.as_tensor(table.capacity, dtype=dtype)[None],
        alpha=torch.as_tensor(table.b, dtype=dtype)[None],
        beta=torch.as_tensor(table.power, dtype=dtype)[None],
        length=torch.as_tensor(table.length, dtype=dtype)[None],
    )


def graph_of(table: LinkTable) -> Graph:
    """Nodes that the links of a network file join."""
    return Graph(table.tail, table.head, table.nodes, table.first_through)


class _Spread(torch.autograd.Function):
    """Sparse matrix of ones times ``x`` ``[columns, B]``; its gradient is the transpose's product,
    which makes gradients of any order exact and as sparse."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, matrix: tuple[Tensor, ...], other: tuple[Tensor, ...]
    ) -> Tensor:
        ctx.matrix, ctx.other = matrix, other
        first, columns = matrix
        ones = torch.ones(columns.shape, dtype=x.dtype, device=x.device)
        size = (first.shape[0] - 1, x.shape[0])
        sparse = torch.sparse_csr_tensor(first, columns, ones, size, check_invariants=False)
        return sparse @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _spread(gradients[0].contiguous(), ctx.other, ctx.matrix), None, None


def _spread(x: Tensor, matrix: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> Tensor:
    return cast(Tensor, _Spread.apply(x, matrix, other))  # type: ignore[no-untyped-call]


with warnings.catch_warnings():
    # torch says once per process that sparse CSR tensors are in beta; said here, to nobody.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(torch.tensor([0, 0]), torch.tensor([]).long(), torch.tensor([]), (1, 1))


def along(routes: Routes, values: Tensor) -> Tensor:
    """Sums ``[B, P, R]`` of link values ``[B, L]`` along each route."""
    by_route = (routes.first_step[0], routes.links[0])
    by_link = (routes.first_user[0], routes.users[0])
    total = _spread(values.t().contiguous(), by_route, by_link)
    return total.t().reshape(-1, routes.pairs, routes.ways)


def onto(routes: Routes, flows: Tensor) -> Tensor:
    """Flows ``[B, L]`` on links of the flows ``[B, P, R]`` on routes."""
    by_route = (routes.first_step[0], routes.links[0])
    by_link = (routes.first_user[0], routes.users[0])
    flat = flows.reshape(flows.shape[0], -1).t().contiguous()
    return _spread(flat, by_link, by_route).t()


def link_times(links: Links, flow: Tensor) -> Tensor:
    """Minutes ``[B, L]`` to drive each link at flows ``[B, L]`` (BPR 1964)."""
    return links.free_time * (1 + links.alpha * (flow / links.capacity) ** links.beta)


def time_slopes(links: Links, flow: Tensor) -> Tensor:
    """Minutes ``[B, L]`` that one more vehicle adds to the time of each link."""
    ratio = (flow / links.capacity) ** (links.beta - 1)
    return links.free_time * links.alpha * links.beta / links.capacity * ratio


def marginal_tolls(links: Links, flow: Tensor) -> Tensor:
    """Delay ``x t'(x)`` ``[B, L]`` in minutes that one more vehicle causes to the others.

    The toll of Pigou (1920), at which selfish routes are the best for all.
    """
    return flow * time_slopes(links, flow)


def socially_priced(links: Links) -> Links:
    """Links whose times are the marginal times ``t + x t'`` of ``links``."""
    return replace(links, alpha=links.alpha * (1 + links.beta))


def beckmann(links: Links, flow: Tensor) -> Tensor:
    """Beckmann's objective ``sum_l int_0^x t_l`` ``[B]``, least at user equilibrium."""
    share = links.alpha / (links.beta + 1) * (flow / links.capacity) ** links.beta
    return (links.free_time * flow * (1 + share)).sum(-1)


def route_shares(routes: Routes, cost: Tensor, theta: Tensor) -> Tensor:
    """Choice probabilities ``[B, P, R]`` of a path-size logit (Ben-Akiva & Bierlaire 1999).

    ``P_r = softmax_r(-theta c_r + ln PS_r)``; cost: ``[B, P, R]`` minutes; theta: ``[b]`` 1/min.
    """
    return torch.softmax(routes.log_size - theta.reshape(-1, 1, 1) * cost, -1)


def expected_cost(routes: Routes, cost: Tensor, theta: Tensor) -> Tensor:
    """Cost ``[B, P]`` of a pair as a whole: ``-ln sum_r PS_r exp(-theta c_r) / theta``."""
    scale = theta.reshape(-1, 1, 1)
    return -torch.logsumexp(routes.log_size - scale * cost, -1) / scale.squeeze(-1)


def load_routes(
    routes: Routes, demand: Tensor, time: Tensor, theta: Tensor, toll: Tensor
) -> Tensor:
    """Link flows ``[B, L]`` of trips ``[B, P]`` whose drivers expect times and tolls ``[B, L]``.

    Tolls are in minutes, too.
    """
    shares = route_shares(routes, along(routes, time + toll), theta)
    return onto(routes, demand.unsqueeze(-1) * shares)


def pair_demand(routes: Routes, trips: np.ndarray) -> Tensor:
    """Trips ``[1, P]`` of the pairs that have routes, from a table ``[zones, zones]``."""
    table = torch.as_tensor(trips)
    return table[routes.origin[0], routes.destination[0]][None]
