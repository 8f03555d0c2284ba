"""Route sets of a road network: k shortest loopless routes, and their sparse incidence.

Finding routes is combinatorial and is done once, outside any gradient, with
``scipy.sparse.csgraph``; what is kept is which links each route uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra, yen
from torch import Tensor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Pair = tuple[int, int]
Route = tuple[int, ...]
RouteSet = dict[Pair, list[Route]]

_LEAST_TIME = 1e-9


@dataclass(frozen=True)
class Graph:
    """Which node each link leaves and enters.

    tail, head: ``[L]`` nodes from 0; nodes: how many; first_through: first node that routes may
    pass through (nodes before it only start and end routes).
    """

    tail: Integers
    head: Integers
    nodes: int
    first_through: int = 0

    def weights(self, times: Floats, origin: int) -> tuple[csr_array, dict[Pair, int]]:
        """Matrix of link times as seen from an origin, and the link behind each of its cells.

        Of parallel links, the matrix holds the fastest.
        """
        open_tail = (self.tail >= self.first_through) | (self.tail == origin)
        order = np.argsort(-times, kind="stable")
        order = order[open_tail[order]]
        link = {(int(self.tail[i]), int(self.head[i])): int(i) for i in order}
        cells = np.array(list(link), dtype=np.int32).reshape(-1, 2)
        values = np.maximum(times[list(link.values())], _LEAST_TIME)
        shape = (self.nodes, self.nodes)
        matrix = csr_array((values, (cells[:, 0], cells[:, 1])), shape=shape)  # type: ignore[no-untyped-call]
        return matrix, link


def _walk(previous: Integers, origin: int, to: int, link: dict[Pair, int]) -> Route:
    """Links of the route that a row of predecessors describes."""
    steps: list[int] = []
    while to != origin:
        before = int(previous[to])
        steps.append(link[before, to])
        to = before
    return tuple(reversed(steps))


def shortest_routes(graph: Graph, times: Floats, pairs: Iterable[Pair]) -> dict[Pair, Route]:
    """The fastest route of each pair of different nodes at link times ``[L]``.

    Raises:
        ValueError: pairs that no route joins; all are listed.
    """
    wanted: dict[int, list[int]] = {}
    for origin, to in pairs:
        wanted.setdefault(origin, []).append(to)
    found: dict[Pair, Route] = {}
    lost: list[Pair] = []
    for origin, targets in wanted.items():
        weights, link = graph.weights(times, origin)
        reach, previous = dijkstra(weights, indices=origin, return_predecessors=True)
        for to in targets:
            if np.isfinite(reach[to]):
                found[origin, to] = _walk(previous, origin, to, link)
            else:
                lost.append((origin, to))
    _all_joined(lost)
    return found


def k_shortest_routes(graph: Graph, times: Floats, pairs: Iterable[Pair], count: int) -> RouteSet:
    """Up to ``count`` fastest loopless routes of each pair (Yen 1971), fastest first.

    Raises:
        ValueError: pairs that no route joins; all are listed.
    """
    found: RouteSet = {}
    lost: list[Pair] = []
    seen: dict[int, tuple[csr_array, dict[Pair, int]]] = {}
    for origin, to in pairs:
        if origin not in seen:
            seen = {origin: graph.weights(times, origin)}
        weights, link = seen[origin]
        _, previous = yen(weights, origin, to, count, return_predecessors=True)
        found[origin, to] = [_walk(row, origin, to, link) for row in previous]
        if not found[origin, to]:
            lost.append((origin, to))
    _all_joined(lost)
    return found


def _all_joined(lost: list[Pair]) -> None:
    if lost:
        listed = ", ".join(f"{origin + 1} to {to + 1}" for origin, to in lost)
        raise ValueError(f"the network has no route from node {listed}")


def merge_routes(sets: Sequence[RouteSet], times: Floats, most: int | None = None) -> RouteSet:
    """Distinct routes of several sets, those of the first set first, at most ``most`` a pair.

    Within a set routes are taken by their time at link times ``[L]``, fastest first.
    """
    merged: RouteSet = {}
    for routes in sets:
        for pair, found in routes.items():
            kept = merged.setdefault(pair, [])
            ordered = sorted(found, key=lambda route: float(times[list(route)].sum()))
            kept += [route for route in dict.fromkeys(ordered) if route not in kept]
    return {pair: kept[:most] for pair, kept in merged.items()}


@dataclass(frozen=True)
class Routes:
    """R alternative routes of each of P pairs, as sparse incidence (1: shared by all rows).

    Attributes:
        origin, destination: ``[1, P]`` nodes or districts.
        links: ``[1, n]`` link of each step, route by route; first_step: ``[1, P R + 1]`` where
            the steps of a route begin.
        users: ``[1, n]`` route of each step, link by link; first_user: ``[1, L + 1]`` where the
            steps on a link begin.
        log_size: ``[1, P, R]`` log of path size; minus infinity where a pair has fewer routes.
    """

    origin: Tensor
    destination: Tensor
    links: Tensor
    first_step: Tensor
    users: Tensor
    first_user: Tensor
    log_size: Tensor

    @property
    def pairs(self) -> int:
        """Number of pairs P."""
        return self.log_size.shape[1]

    @property
    def ways(self) -> int:
        """Number of alternatives R that each pair has room for."""
        return self.log_size.shape[2]


def path_sizes(routes: Sequence[Route], length: Floats) -> Floats:
    """Path size of each route among the alternatives of its pair (Ben-Akiva & Bierlaire 1999).

    ``PS_r = sum_{a in r} l_a / L_r / (number of the alternatives that use a)``: 1 for a route
    that shares nothing, 1/n for n identical ones.
    """
    used: dict[int, int] = {}
    for route in routes:
        for link in route:
            used[link] = used.get(link, 0) + 1
    sizes = []
    for route in routes:
        own = length[list(route)]
        sizes.append(float((own / [used[link] for link in route]).sum() / own.sum()))
    return np.array(sizes)


def build_routes(
    routes: RouteSet, length: Floats, ways: int | None = None, dtype: torch.dtype = torch.float64
) -> Routes:
    """Sparse incidence of a route set, pairs in its order.

    Args:
        routes: alternatives of each pair.
        length: ``[L]`` lengths for path sizes (any unit, above 0).
        ways: room for alternatives (default: the most that a pair has).
        dtype: of the path sizes.
    """
    room = ways or max(len(found) for found in routes.values())
    log_size = np.full((len(routes), room), -np.inf)
    counts = np.zeros(len(routes) * room, dtype=np.int64)
    steps: list[int] = []
    for row, found in enumerate(routes.values()):
        kept = found[:room]
        log_size[row, : len(kept)] = np.log(path_sizes(kept, length))
        for way, route in enumerate(kept):
            counts[row * room + way] = len(route)
            steps += route
    links = np.array(steps, dtype=np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    order = np.argsort(links, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(links, minlength=len(length)))])
    pairs = np.array(list(routes), dtype=np.int64).reshape(-1, 2)
    return Routes(
        origin=_shared(pairs[:, 0]),
        destination=_shared(pairs[:, 1]),
        links=_shared(links),
        first_step=_shared(np.concatenate([[0], np.cumsum(counts)])),
        users=_shared(owner[order]),
        first_user=_shared(starts),
        log_size=torch.as_tensor(log_size, dtype=dtype)[None],
    )


def _shared(values: Integers) -> Tensor:
    return torch.as_tensor(values.copy())[None]
