"""Measures of the eight concepts, each against something that this project did not write."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from envs.city import infrastructure, ports, tree
from envs.city.measures import disturbance
from envs.city.measures.beliefs import BELIEFS, error
from envs.city.measures.concepts import CONCEPTS, MEASURES, measure
from envs.city.measures.diversity import diversity, entropy, mutual_information, tag_strength
from envs.city.measures.flows import communities, modularity, percolation, tie_strength
from envs.city.measures.month import Month
from envs.city.measures.scaling import scaling_exponent
from envs.city.measures.segregation import dissimilarity, dissimilarity_many, theil
from envs.city.measures.spatial import moran, spatial_weights
from envs.city.model import City, Flows
from envs.city.shocks import no_shocks
from envs.city.wiring import BLOCKS, WRITERS, Held, ports_of
from tests.model.runs import months, policy


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def uneven(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.as_tensor(np.exp(rng.normal(0, 1, shape)))


@pytest.fixture(scope="module")
def month(london: City) -> Month:
    """London two years after a change of several levers."""
    levers = {"far": 1.3, "audit": 0.1, "staff": 1.2, "transit": 1.5, "business_tax": 0.2}
    *_, (before, after, flows) = months(london, policy(london, levers), 24, "pooled")
    return Month(london, before, flows, after)


def test_moran_has_the_mean_and_the_spread_of_all_ways_to_place_the_values(
    rng: np.random.Generator,
) -> None:
    """720 permutations of six values give the exact moments."""
    weights = spatial_weights(uneven(rng, 1, 6, 2))
    values = uneven(rng, 6)
    order = list(itertools.permutations(range(6)))
    every = moran(values[torch.tensor(order)], weights)
    found = moran(values[None], weights)
    assert float(every.index.mean()) == pytest.approx(-1 / 5, abs=1e-12)
    assert float(found.expected) == pytest.approx(-1 / 5)
    z = (found.index - every.index.mean()) / every.index.std(correction=0)
    assert float(found.z) == pytest.approx(float(z), rel=1e-9)


def test_moran_of_a_chessboard_and_of_two_halves() -> None:
    """Rook contiguity on a 4 x 4 board: every neighbour differs, or nearly every one agrees."""
    grid = np.array(list(itertools.product(range(4), range(4))))
    near = (np.abs(grid[:, None] - grid[None]).sum(-1) == 1).astype(float)
    weights = torch.as_tensor(near / near.sum(1, keepdims=True))[None]
    board = torch.as_tensor((grid.sum(1) % 2).astype(float))[None]
    halves = torch.as_tensor((grid[:, 0] < 2).astype(float))[None]
    assert float(moran(board, weights).index) == pytest.approx(-1)
    # Share of neighbours alike minus unlike: outer cells 1, border cells 1/3 (ends) and 1/2.
    expected = np.mean([1] * 8 + [1 / 3] * 4 + [1 / 2] * 4)
    assert float(moran(halves, weights).index) == pytest.approx(expected)


def test_moran_wants_four_places() -> None:
    with pytest.raises(ValueError, match="at least four"):
        moran(torch.ones(1, 3), torch.ones(1, 3, 3))


def test_dissimilarity_counts_who_would_have_to_move() -> None:
    apart = torch.tensor([[8.0, 0.0, 2.0]]), torch.tensor([[0.0, 5.0, 0.0]])
    half = torch.tensor([[6.0, 2.0]]), torch.tensor([[10.0, 10.0]])
    assert float(dissimilarity(*apart)) == 1
    assert float(dissimilarity(*half)) == pytest.approx(0.25)  # two of eight must cross


def test_dissimilarity_of_many_groups_is_that_of_two_for_two(rng: np.random.Generator) -> None:
    people = uneven(rng, 3, 7, 2)
    two = dissimilarity(people[..., 0], people[..., 1])
    torch.testing.assert_close(dissimilarity_many(people), two)
    ghettos = torch.diag(torch.tensor([3.0, 1.0, 2.0]))[None]
    assert float(dissimilarity_many(ghettos)) == pytest.approx(1)


def test_theil_is_the_divergence_of_incomes_from_heads(rng: np.random.Generator) -> None:
    income, people = uneven(rng, 1, 5, 3), uneven(rng, 1, 5, 3)
    found = theil(income, people)
    money = (income * people)[0].numpy()
    heads = people[0].numpy()
    assert float(found.total) == pytest.approx(stats.entropy(money.ravel(), heads.ravel()))
    assert float(found.between) == pytest.approx(stats.entropy(money.sum(1), heads.sum(1)))
    within = sum(money[i].sum() / money.sum() * stats.entropy(money[i], heads[i]) for i in range(5))
    assert float(found.within) == pytest.approx(within)


def test_entropies_and_shared_information_against_scipy(rng: np.random.Generator) -> None:
    table = uneven(rng, 1, 4, 6)
    shares = table[0].numpy()
    assert float(entropy(table[0, 0])) == pytest.approx(stats.entropy(shares[0]))
    assert float(entropy(torch.tensor([1.0, 0.0]))) == 0
    g = stats.chi2_contingency(shares, correction=False, lambda_="log-likelihood").statistic
    assert float(mutual_information(table)) == pytest.approx(g / (2 * shares.sum()))
    assert float(diversity(table).between) == pytest.approx(g / (2 * shares.sum()))


def test_a_tag_is_worth_nothing_without_a_match_and_all_with_a_perfect_one() -> None:
    blind = torch.outer(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 1.0]))[None]
    perfect = torch.diag(torch.tensor([1.0, 2.0, 3.0]))[None]
    assert float(tag_strength(blind)) == pytest.approx(0, abs=1e-6)
    assert float(tag_strength(perfect)) == pytest.approx(1)


def test_communities_find_planted_towns_and_score_them_as_networkx_does(
    rng: np.random.Generator,
) -> None:
    town = np.array([0, 1, 2, 0, 1, 2, 0, 1, 0])
    flow = rng.uniform(0.5, 1, (9, 9)) + 10 * (town[:, None] == town[None])
    found = communities(flow)
    assert found.labels.tolist() == town.tolist(), "the largest town first"
    # Every trip is one edge; networkx counts a loop twice in the strength of its place.
    graph = networkx.Graph()
    for i, j in itertools.product(range(9), range(9)):
        old = graph.get_edge_data(i, j, {"weight": 0.0})["weight"]
        graph.add_edge(i, j, weight=old + flow[i, j])
    groups = [set(np.flatnonzero(town == k).tolist()) for k in range(3)]
    assert found.modularity == pytest.approx(networkx.community.modularity(graph, groups))
    assert found.kept == pytest.approx(flow[town[:, None] == town[None]].sum() / flow.sum())


def partitions(places: int) -> Iterator[list[int]]:
    """Every way to split places into groups, as labels in order of appearance."""

    def longer(labels: list[int]) -> Iterator[list[int]]:
        if len(labels) == places:
            yield labels
            return
        for label in range(max(labels, default=-1) + 2):
            yield from longer([*labels, label])

    return longer([])


def test_communities_of_a_small_city_are_the_best_of_all_partitions(
    rng: np.random.Generator,
) -> None:
    """Half of the trips stay at home: a loop that counted twice would split the towns."""
    for _ in range(5):
        flow = rng.lognormal(0, 1, (6, 6))
        flow += np.diag(flow.sum(1) / 2)
        best = max(modularity(flow, np.array(labels)) for labels in partitions(6))
        assert communities(flow).modularity == pytest.approx(best)


def test_the_karate_club_splits_as_well_as_the_literature_says() -> None:
    """The best partition known has modularity 0.4198 (Brandes et al. 2008), unweighted."""
    club = networkx.to_numpy_array(networkx.karate_club_graph(), weight=None)
    flow = np.triu(club)
    assert 0.41 < communities(flow).modularity <= 0.4199
    one = np.zeros(34, dtype=np.int64)
    assert modularity(flow, one) == pytest.approx(0)


def test_percolation_agrees_with_scipy_at_every_threshold(rng: np.random.Generator) -> None:
    flow = rng.lognormal(0, 2, (14, 14))
    found, tie = percolation(flow), tie_strength(flow)
    assert found.thresholds.size == 13
    for threshold, largest, second in zip(
        found.thresholds, found.largest, found.second, strict=True
    ):
        _, labels = connected_components(tie >= threshold, directed=False)
        sizes = sorted([*np.bincount(labels), 0])
        assert (sizes[-1] / 14, sizes[-2] / 14) == pytest.approx((largest, second))
    weakest = minimum_spanning_tree(np.where(tie > 0, 2 - tie, 0)).toarray().max()
    assert found.connected == pytest.approx(2 - weakest)
    count, labels = connected_components(tie >= found.critical, directed=False)
    assert len(set(found.labels)) == count
    assert len(set(zip(found.labels.tolist(), labels.tolist(), strict=True))) == count


def test_two_towns_percolate_at_the_tie_between_them() -> None:
    flow = np.kron(np.eye(2), np.ones((3, 3))) + 0.01
    flow[0, 3] = 0.5
    found = percolation(flow)
    assert sorted(np.bincount(found.labels)) == [3, 3]
    assert found.connected == pytest.approx(0.5 / flow[0].sum())


def test_exponents_recover_a_power_law_and_their_error_is_that_of_numpy(
    rng: np.random.Generator,
) -> None:
    size = np.exp(rng.normal(10, 1, 40))
    assert scaling_exponent(size, 3 * size**1.15).exponent == pytest.approx(1.15)
    noisy = 3 * size**0.85 * np.exp(rng.normal(0, 0.2, 40))
    found = scaling_exponent(size, noisy)
    slopes, covariance = np.polyfit(np.log(size), np.log(noisy), 1, cov=True)
    assert found.exponent == pytest.approx(slopes[0])
    assert found.error == pytest.approx(float(np.sqrt(covariance[0, 0])), rel=1e-6)
    covered = 0
    for _ in range(400):
        noisy = 3 * size**0.85 * np.exp(rng.normal(0, 0.2, 40))
        found = scaling_exponent(size, noisy)
        covered += found.low < 0.85 < found.high
    assert 0.92 < covered / 400 < 0.98
    with pytest.raises(ValueError, match="three"):
        scaling_exponent([1, 2], [1, 2])
    with pytest.raises(ValueError, match="above zero"):
        scaling_exponent([1, 2, 3], [1, 0, 2])


def test_errors_of_beliefs_are_what_the_ports_brought_minus_what_was_believed(
    month: Month,
) -> None:
    p, f, now = month.city.parameters, month.flows, month.before
    demand = p.bd.housing_share * (month.people * f.income.disposable).sum(-1)
    pressure = demand / f.residents.home_floor / f.residents.home_rent
    road = now.infrastructure
    realised = {
        "utility": f.value.utility,
        "rent_growth": 12 * p.bd.eta_r * torch.log(pressure),
        "returns": f.market.profit / f.market.capital * f.fiscal.keep_business.unsqueeze(1)
        + f.fiscal.subsidy,
        "job_finding": f.market.rate,
        "pace": infrastructure.congested_pace(
            month.city.geography.roads, p, road.condition, f.traffic.link_load
        ),
        "quality": f.services.access,
        "audit": f.fiscal.policy["audit"],
    }
    assert set(realised) == {belief.name for belief in BELIEFS}
    believed = dict(tree.leaves(now))
    for belief in BELIEFS:
        found = error(belief, p, now, month.after)
        wanted = realised[belief.name] - believed[belief.state]
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-6)
        assert bool(found.abs().max() > 1e-6), f"{belief.name}: the levers moved it"


def test_trips_and_matches_are_the_commuters_and_workers_of_the_ports(month: Month) -> None:
    trips, f = month.trips, month.flows
    torch.testing.assert_close(trips[:, :, 0], f.commute.car)
    torch.testing.assert_close(trips[:, :, 1], f.commute.transit)
    torch.testing.assert_close(trips.sum((1, 2)), f.commute.workers.sum(-1))
    units = f.commute.workers * month.city.parameters.bdk.efficiency
    by_sector = (month.matches * month.city.parameters.bd.efficiency.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(by_sector, f.offers.supply(units).sum(1))


@pytest.mark.parametrize("source", ["industry", "infrastructure"])
def test_port_coupling_is_the_derivative_through_the_ports(nine: City, source: str) -> None:
    """Against forward-mode differentiation of the same disturbance."""
    start, quiet = nine.initial(), no_shocks(1, 9, nine.start.planning.home_rent)
    found = disturbance.port_coupling(nine, start, months=2, draws=1, seed=0)
    record: list[Flows] = []
    state = start
    for _ in range(2):
        state, flows = nine.step(state, {}, quiet)
        record.append(flows)
    index = BLOCKS.index(source)
    signs = {
        name: disturbance.random_signs(getattr(record[0], name), 1, index)
        for name in ports_of((source,))
    }

    def services_after(size: torch.Tensor) -> torch.Tensor:
        now = start
        for flows in record:
            held: dict[str, Any] = {
                name: Held(disturbance.shifted(getattr(flows, name), sign, name, size))
                for name, sign in signs.items()
            }
            now, _ = nine.step(now, {}, quiet, held=held)
        return torch.cat([torch.log(x).flatten() for _, x in tree.leaves(now.services)])

    zero, one = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    _, slope = torch.autograd.functional.jvp(services_after, (zero,), (one,))
    sizes = [x.numel() for _, x in tree.leaves(start.services)]
    squares = torch.stack([(part**2).mean() for part in slope.split(sizes)])
    wanted = squares.mean().sqrt()
    assert float(found[index, BLOCKS.index("services")]) == pytest.approx(float(wanted), rel=1e-4)
    assert float(wanted) > 1e-3


def test_a_disturbance_scales_amounts_and_shifts_logs() -> None:
    like = torch.full((1, 3), 2.0)
    port = ports.Shopping(revenue=like, price_index=like)
    up = tree.tree_map(torch.ones_like, port)
    moved = disturbance.shifted(port, up, "shopping", 0.01)
    torch.testing.assert_close(moved.revenue, 1.01 * like)
    torch.testing.assert_close(moved.price_index, like + 0.01)


def test_a_block_alone_does_not_couple_to_itself(nine: City) -> None:
    found = disturbance.port_coupling(nine, nine.initial(), months=3, draws=2)
    assert torch.isnan(found.diagonal()).all()
    others = found[~torch.eye(len(BLOCKS), dtype=torch.bool)]
    assert bool((others >= 0).all())
    assert bool((others.reshape(len(BLOCKS), -1).sum(1) > 0).all()), "every block reaches others"


def test_the_eight_concepts_have_a_state_an_equation_and_measures(month: Month) -> None:
    assert [concept.chinese for concept in CONCEPTS] == [
        "主体", "聚集", "要素流", "非线性", "多样性", "标识", "内部模型", "积木块",
    ]  # fmt: skip
    known = {name for name, _ in tree.leaves(month.after)} | {
        name for name, _ in tree.leaves(month.flows)
    }
    for concept in CONCEPTS:
        assert concept.measures, concept.name
        paths = [w for w in concept.state.replace(",", " ").split() if "." in w and "(" not in w]
        assert all(path in known for path in paths), concept.state
        named = {w for w in concept.state.replace(",", " ").split() if w in WRITERS}
        assert paths or named or "every port" in concept.state
    assert len(MEASURES) == sum(len(concept.measures) for concept in CONCEPTS)


def test_every_measure_is_a_number_a_row_and_moves_with_the_city(month: Month) -> None:
    found = measure(month)
    for name, value in found.items():
        assert value.shape == (1,), name
        assert bool(torch.isfinite(value).all()), name
    assert 0 < float(found["residents_moved"]) < 0.1
    assert float(found["theil"]) == pytest.approx(
        float(found["theil_between"] + found["theil_within"])
    )
    assert 1 < float(found["types"]) < 6
    first = month.city.initial()
    quiet = no_shocks(1, month.city.districts, first.planning.home_rent)
    after, flows = month.city.step(first, {}, quiet)
    start = measure(Month(month.city, first, flows, after))
    for name in ("residents_moved", "capital_moved", "commuters_moved"):
        assert float(start[name]) == pytest.approx(0, abs=1e-9)
    assert all(float(start[f"error_{b.name}"]) < 1e-9 for b in BELIEFS)


#: Amounts of either sign, which a disturbance scales like any other.
BALANCES = frozenset(
    {
        "fiscal.dividend",
        "land.lost",
        "market.surplus",
        "value.profit_surplus",
        "value.land_surplus",
        "settlement.dividend",
        "settlement.debt",
        "settlement.lines.dividend",
        "settlement.lines.interest",
        "settlement.lines.land_sales",
    }
)


def test_numbers_of_either_sign_are_logs_or_balances(month: Month) -> None:
    signed = {name for name, x in tree.leaves(month.flows) if bool((x < 0).any())}
    unknown = {n for n in signed - disturbance.LOGS - BALANCES if not n.startswith("fiscal.pol")}
    assert not unknown, "a log belongs into LOGS, a balance here"


def test_log_ports_exist() -> None:
    """Every path that is shifted rather than scaled names a number of a port."""
    kinds = {name: getattr(ports, kind) for name, kind in Flows.__annotations__.items()}
    for path in disturbance.LOGS:
        port, field = path.split(".")
        assert field in kinds[port].__annotations__, path
