"""Traffic on links: the networks whose equilibria are known, and derivatives through equilibria."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import configs
from envs.city import tntp
from envs.city.assignment import (
    Assignment,
    assign,
    logit_equilibrium,
    price_of_anarchy,
    system_optimum,
)
from envs.city.network import (
    Links,
    along,
    beckmann,
    expected_cost,
    graph_of,
    link_times,
    links_of,
    marginal_tolls,
    onto,
    pair_demand,
    route_shares,
)
from envs.city.routes import (
    Graph,
    Pair,
    Routes,
    build_routes,
    k_shortest_routes,
    merge_routes,
    path_sizes,
    shortest_routes,
)

SIOUX_FALLS = configs.root() / "city" / "sioux_falls" / "network"
PUBLISHED_OBJECTIVE = 42.31335287107440e5
TRIP = {(0, 3): 6.0}
FLAT = 1e-8


def network(rows: list[tuple[int, int, float, float]]) -> tuple[Links, Graph]:
    """Links (tail, head, constant, slope) with times ``constant + slope * flow``."""
    tail, head, constant, slope = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones(len(rows))
    free = np.maximum(constant.astype(float), FLAT)
    values = (free, ones, slope / free, ones, ones)
    links = Links(
        torch.as_tensor(tail)[None],
        torch.as_tensor(head)[None],
        *(torch.as_tensor(value, dtype=torch.float64)[None] for value in values),
    )
    return links, Graph(tail, head, int(max(tail.max(), head.max())) + 1)


def braess(bridge: bool) -> tuple[Links, Graph]:
    """Braess (1968) in the figures of MODEL section 15.5, with or without the bridge."""
    rows = [(0, 1, 0.0, 10.0), (0, 2, 50.0, 1.0), (1, 3, 50.0, 1.0), (2, 3, 0.0, 10.0)]
    return network(rows + [(1, 2, 10.0, 1.0)] * bridge)


def all_routes(links: Links, graph: Graph, pairs: list[Pair]) -> Routes:
    """Every loopless route (up to nine a pair)."""
    found = k_shortest_routes(graph, links.free_time[0].numpy(), pairs, 9)
    return build_routes(found, links.length[0].numpy())


@pytest.fixture(scope="module")
def sioux_falls() -> tuple[tntp.LinkTable, np.ndarray, dict[Pair, float]]:
    table = tntp.read_network(SIOUX_FALLS / "SiouxFalls_net.tntp")
    trips = tntp.read_trips(SIOUX_FALLS / "SiouxFalls_trips.tntp")
    cells = np.argwhere(trips > 0)
    return table, trips, {(int(i), int(j)): float(trips[i, j]) for i, j in cells}


@pytest.fixture(scope="module")
def sioux_falls_equilibrium(
    sioux_falls: tuple[tntp.LinkTable, np.ndarray, dict[Pair, float]],
) -> Assignment:
    table, _, demand = sioux_falls
    return assign(links_of(table), graph_of(table), demand, gap=1e-7)


# Braess ------------------------------------------------------------------------------------------


def test_the_bridge_of_braess_makes_everybody_later() -> None:
    with_bridge = assign(*braess(True), TRIP)
    without = assign(*braess(False), TRIP)
    assert with_bridge.total_time / 6 == pytest.approx(92, abs=1e-4)
    assert without.total_time / 6 == pytest.approx(83, abs=1e-4)
    assert with_bridge.flow == pytest.approx([4, 2, 2, 4, 2], abs=1e-4)
    assert price_of_anarchy(*braess(True), TRIP) == pytest.approx(92 / 83, abs=1e-5)


def test_marginal_cost_tolls_undo_the_bridge() -> None:
    links, graph = braess(True)
    best = system_optimum(links, graph, TRIP)
    toll = marginal_tolls(links, torch.as_tensor(best.flow)[None])[0].numpy()
    tolled = assign(links, graph, TRIP, toll=toll)
    assert best.total_time / 6 == pytest.approx(83, abs=1e-4)
    assert tolled.total_time / 6 == pytest.approx(83, abs=1e-4)


@pytest.mark.parametrize(("sizes", "near"), [(0.0, 1e-6), (1.0, 2e-3)], ids=["plain", "sized"])
def test_sharp_logit_comes_to_the_same_bars(sizes: float, near: float) -> None:
    """A plain logit to the digit: at 92 its three routes cost the same."""
    theta = torch.tensor([100.0], dtype=torch.float64)
    six = torch.tensor([[6.0]], dtype=torch.float64)

    def bar(bridge: bool, toll: Tensor | None = None) -> float:
        links, graph = braess(bridge)
        routes = all_routes(links, graph, [(0, 3)])
        routes = replace(routes, log_size=sizes * routes.log_size)
        flow = logit_equilibrium(links, routes, six, theta, toll)
        return float((flow * link_times(links, flow)).sum() / 6)

    links, graph = braess(True)
    best = torch.as_tensor(system_optimum(links, graph, TRIP).flow)[None]
    assert bar(True) == pytest.approx(92.0, abs=near)
    assert bar(False) == pytest.approx(83.0, abs=1e-6)
    assert bar(True, marginal_tolls(links, best)) == pytest.approx(83.0, abs=1e-6)


# Sioux Falls -------------------------------------------------------------------------------------


def test_published_flows_have_the_published_objective_and_costs(
    sioux_falls: tuple[tntp.LinkTable, np.ndarray, dict[Pair, float]],
) -> None:
    links = links_of(sioux_falls[0])
    published = torch.as_tensor(tntp.read_flows(SIOUX_FALLS / "SiouxFalls_flow.tntp"))
    flow = published[:, 2][None]
    assert float(beckmann(links, flow)) == pytest.approx(PUBLISHED_OBJECTIVE, rel=1e-12)
    assert torch.allclose(link_times(links, flow)[0], published[:, 3], rtol=1e-12)


def test_sioux_falls_reaches_the_published_equilibrium(sioux_falls_equilibrium: Assignment) -> None:
    published = tntp.read_flows(SIOUX_FALLS / "SiouxFalls_flow.tntp")[:, 2]
    found = sioux_falls_equilibrium
    assert found.objective == pytest.approx(PUBLISHED_OBJECTIVE, rel=1e-8)
    assert float(np.corrcoef(found.flow, published)[0, 1]) > 0.999999
    assert np.abs(found.flow - published).max() < 5


def test_sharp_logit_on_enough_routes_is_the_equilibrium_of_sioux_falls(
    sioux_falls: tuple[tntp.LinkTable, np.ndarray, dict[Pair, float]],
    sioux_falls_equilibrium: Assignment,
) -> None:
    table, trips, demand = sioux_falls
    links, graph = links_of(table), graph_of(table)
    near = k_shortest_routes(graph, table.free_time, demand, 3)
    found = merge_routes([sioux_falls_equilibrium.routes, near], sioux_falls_equilibrium.time, 8)
    routes = build_routes(found, table.length)
    published = torch.as_tensor(tntp.read_flows(SIOUX_FALLS / "SiouxFalls_flow.tntp")[:, 2])
    gaps = []
    for theta in (1.0, 10.0, 50.0):
        scale = torch.tensor([theta], dtype=torch.float64)
        flow = logit_equilibrium(links, routes, pair_demand(routes, trips), scale)
        gaps.append(abs(float(beckmann(links, flow)) / PUBLISHED_OBJECTIVE - 1))
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] < 1e-5
    assert float(torch.corrcoef(torch.stack([flow[0], published]))[0, 1]) > 0.999


# Pigou and gradients -----------------------------------------------------------------------------


def test_the_gradient_finds_the_toll_of_pigou() -> None:
    """One congestible road beside a slow one: the best toll is ``x t'(x)`` at its own flow."""
    links, graph = network([(0, 1, 10.0, 0.5), (0, 2, 25.0, 0.0), (2, 1, 0.0, 0.0)])
    routes = all_routes(links, graph, [(0, 1)])
    demand = torch.tensor([[40.0]], dtype=torch.float64)
    theta = torch.tensor([0.4], dtype=torch.float64)
    charge = torch.zeros((), dtype=torch.float64, requires_grad=True)
    road = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    optimiser = torch.optim.LBFGS([charge], lr=0.5, max_iter=60)

    def solve() -> tuple[Tensor, Tensor]:
        toll = charge * road
        flow = logit_equilibrium(links, routes, demand, theta, toll)
        cost = along(routes, link_times(links, flow) + toll)
        burden = (demand * expected_cost(routes, cost, theta)).sum()
        return flow, burden - (flow * toll).sum()

    def closure() -> Tensor:
        optimiser.zero_grad()
        _, loss = solve()
        loss.backward()
        return loss

    optimiser.step(closure)
    with torch.no_grad():
        flow, _ = solve()
    pigou = float(marginal_tolls(links, flow)[0, 0])
    assert charge.item() == pytest.approx(pigou, rel=1e-4)
    assert pigou > 3


def test_derivatives_pass_through_the_equilibrium() -> None:
    links, graph = braess(True)
    routes = all_routes(links, graph, [(0, 3), (0, 2)])

    def flows(demand: Tensor, toll: Tensor, capacity: Tensor) -> Tensor:
        roads = replace(links, capacity=capacity)
        theta = torch.tensor([0.3], dtype=torch.float64)
        return logit_equilibrium(roads, routes, demand, theta, toll)

    demand = torch.tensor([[6.0, 2.0], [3.0, 4.0]], dtype=torch.float64, requires_grad=True)
    toll = torch.linspace(0, 4, 5, dtype=torch.float64)[None].requires_grad_()
    capacity = torch.ones(1, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(flows, (demand, toll, capacity), atol=1e-5)


def test_sparse_sums_are_the_dense_ones_with_their_gradients() -> None:
    links, graph = braess(True)
    routes = all_routes(links, graph, [(0, 3), (0, 2)])
    dense = torch.zeros(routes.pairs * routes.ways, links.count, dtype=torch.float64)
    for route, (start, end) in enumerate(itertools.pairwise(routes.first_step[0].tolist())):
        dense[route, routes.links[0, start:end]] = 1
    times = torch.rand(3, 5, dtype=torch.float64, requires_grad=True)
    flows = torch.rand(3, routes.pairs, routes.ways, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(along(routes, times).reshape(3, -1), times @ dense.T)
    assert torch.allclose(onto(routes, flows), flows.reshape(3, -1) @ dense)
    assert torch.autograd.gradgradcheck(lambda x: along(routes, x) ** 2, times)
    assert torch.autograd.gradgradcheck(lambda x: onto(routes, x) ** 2, flows)


# Route sets and choice ---------------------------------------------------------------------------


def test_routes_are_loopless_distinct_and_in_order() -> None:
    _, graph = braess(True)
    found = k_shortest_routes(graph, np.array([1.0, 4.0, 4.0, 1.0, 1.0]), [(0, 3)], 9)[0, 3]
    assert found == [(0, 4, 3), (0, 2), (1, 3)] or found == [(0, 4, 3), (1, 3), (0, 2)]
    assert shortest_routes(graph, np.ones(5), [(0, 3), (1, 3)])[1, 3] == (2,)


def test_zones_that_are_ends_only_are_not_driven_through() -> None:
    graph = Graph(np.array([0, 1, 0, 3]), np.array([1, 2, 3, 2]), 4, first_through=3)
    times = np.array([1.0, 1.0, 5.0, 5.0])
    assert k_shortest_routes(graph, times, [(0, 2)], 5)[0, 2] == [(2, 3)]
    assert shortest_routes(graph, times, [(1, 2)])[1, 2] == (1,)


def test_pairs_without_a_route_are_all_named() -> None:
    graph = Graph(np.array([0]), np.array([1]), 3)
    for find in (
        lambda: shortest_routes(graph, np.ones(1), [(0, 1), (0, 2), (1, 0)]),
        lambda: k_shortest_routes(graph, np.ones(1), [(0, 1), (0, 2), (1, 0)], 2),
    ):
        with pytest.raises(ValueError, match="1 to 3, 2 to 1"):
            find()


def test_path_sizes_count_what_routes_share() -> None:
    length = np.array([2.0, 1.0, 1.0, 3.0])
    assert path_sizes([(0, 1), (0, 2), (3,)], length) == pytest.approx([2 / 3, 2 / 3, 1.0])


def test_a_copy_of_a_route_changes_no_choice() -> None:
    """The size term undoes the logit's liking for copies; plain logit would send 2/3 there."""
    length = np.array([2.0, 3.0])
    theta = torch.tensor([0.7], dtype=torch.float64)
    once = build_routes({(0, 1): [(0,), (1,)]}, length)
    twice = build_routes({(0, 1): [(0,), (0,), (1,)]}, length)
    time = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    first = route_shares(once, along(once, time), theta)[0, 0]
    second = route_shares(twice, along(twice, time), theta)[0, 0]
    assert torch.allclose(torch.stack([second[:2].sum(), second[2]]), first)
    before = expected_cost(once, along(once, time), theta)
    assert torch.allclose(expected_cost(twice, along(twice, time), theta), before)


def test_a_pair_with_fewer_routes_uses_only_its_own() -> None:
    routes = build_routes({(0, 1): [(0,), (1,)], (1, 0): [(2,)]}, np.ones(3))
    time = torch.tensor([[1.0, 1.0, 9.0]], dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([1.0], dtype=torch.float64)
    shares = route_shares(routes, along(routes, time), theta)
    assert torch.allclose(shares[0, 1], torch.tensor([1.0, 0.0], dtype=torch.float64))
    expected_cost(routes, along(routes, time), theta).sum().backward()
    assert torch.allclose(time.grad, torch.tensor([[0.5, 0.5, 1.0]], dtype=torch.float64))


# Files -------------------------------------------------------------------------------------------


def test_networks_and_trips_survive_writing_and_reading(
    tmp_path: Path, sioux_falls: tuple[tntp.LinkTable, np.ndarray, dict[Pair, float]]
) -> None:
    table, trips, _ = sioux_falls
    assert (table.zones, table.nodes, len(table.tail)) == (24, 24, 76)
    assert trips.sum() == 360_600
    tntp.write_network(tmp_path / "a_net.tntp", replace(table, first_through=4))
    tntp.write_trips(tmp_path / "a_trips.tntp", trips / 3)
    again = tntp.read_network(tmp_path / "a_net.tntp")
    assert again.first_through == 4
    for name in ("tail", "head", "capacity", "length", "free_time", "b", "power", "kind"):
        assert (getattr(again, name) == getattr(table, name)).all()
    assert (tntp.read_trips(tmp_path / "a_trips.tntp") == trips / 3).all()
    nodes = tntp.read_nodes(SIOUX_FALLS / "SiouxFalls_node.tntp")
    assert nodes.shape == (24, 2)
    assert nodes[0] == pytest.approx([-96.77041974, 43.61282792])


def test_a_broken_network_file_tells_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x_net.tntp"
    path.write_text(
        "<NUMBER OF ZONES> 2\n<NUMBER OF NODES> 2\n<FIRST THRU NODE> 1\n<NUMBER OF LINKS> 5\n"
        "<END OF METADATA>\n~ comment\n1 2 100 1 1 .15 4 0 0 1 ;\n1 9 0 1 1 .15 4 0 0 1 ;\n"
        "2 2 1 1 x .15 4 0 0 1 ;\n1 2 3 ;\n"
    )
    with pytest.raises(ValueError, match="x_net") as caught:
        tntp.read_network(path)
    found = str(caught.value).splitlines()
    assert [line.split(": ", 1)[0] for line in found] == [
        "x_net.tntp, line 8",
        "x_net.tntp, line 8",
        "x_net.tntp, line 9",
        "x_net.tntp, line 9",
        "x_net.tntp, line 10",
        "x_net.tntp",
    ]
    assert "term_node 9; expected a whole number from 1 to 2" in found[0]
    assert "free_flow_time 'x'; expected a number" in found[2]


def test_a_broken_trip_table_tells_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x_trips.tntp"
    path.write_text(
        "<NUMBER OF ZONES> 2\n<TOTAL OD FLOW> 90\n<END OF METADATA>\n 1 : 5;\nOrigin 1\n"
        "1 : 5; 2 : 7; 2 : 8; 3 : 1; 4;\nOrigin 5\n1 : -2;\n"
    )
    with pytest.raises(ValueError, match="x_trips") as caught:
        tntp.read_trips(path)
    text = str(caught.value)
    for problem in (
        "line 4: trips before any line 'Origin n'",
        "line 6: trips from 1 to 2 are given twice",
        "line 6: destination 3; expected a whole number from 1 to 2",
        "line 6: '4'; expected 'destination : trips'",
        "line 7: origin 5",
        "line 8: -2 trips",
        "13 trips; <TOTAL OD FLOW> says 90",
    ):
        assert problem in text


def test_a_file_without_metadata_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x_net.tntp"
    path.write_text("1 2 100 1 1 .15 4 0 0 1 ;\n")
    with pytest.raises(ValueError, match="no line <END OF METADATA>"):
        tntp.read_network(path)
    path.write_text("node x y ;\n1 0 0 ;\n3 1 1 ;\n")
    with pytest.raises(ValueError, match="nodes 2 have no coordinates"):
        tntp.read_nodes(path)
