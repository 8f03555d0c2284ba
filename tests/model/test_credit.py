"""Credit: splits of a gain that agree with published games and with runs of the city."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from envs.city import credit, tree
from envs.city.credit import by_governor, dividends, policy_game, shapley
from envs.city.dynamics import Dynamics
from envs.city.levers import GOVERNORS, LEVERS, Policy, baseline_policy
from envs.city.model import City
from envs.city.shocks import Shocks, no_shocks
from envs.city.welfare import evaluate, reference
from tests.model.runs import last, policy, random_policy

MONTHS = 12
LIKE = torch.zeros((), dtype=torch.float64)


def game(players: int, value: object) -> Tensor:
    """Values ``[C]`` of a game from a function of the set of its members."""
    rows = [[g for g in range(players) if c >> g & 1] for c in range(2**players)]
    return torch.tensor([float(value(set(row))) for row in rows], dtype=torch.float64)  # type: ignore[operator]


def test_glove_game() -> None:
    """One holds a left glove, two hold a right one; a pair is worth 1."""
    values = game(3, lambda s: min(len(s & {0}), len(s & {1, 2})))
    assert shapley(values).tolist() == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_airport_game() -> None:
    """Littlechild & Owen 1973: each part of the runway is shared by those who need it."""
    needs = [1.0, 3.0, 6.0, 10.0]
    values = game(4, lambda s: max((needs[g] for g in s), default=0.0))
    shares = [1 / 4, 1 / 4 + 2 / 3, 1 / 4 + 2 / 3 + 3 / 2, 1 / 4 + 2 / 3 + 3 / 2 + 4]
    assert shapley(values).tolist() == pytest.approx(shares)


def test_security_council() -> None:
    """Shapley & Shubik 1954, council of 1965: 421/2145 for each permanent member, 4/2145 else."""
    values = game(15, lambda s: s >= {0, 1, 2, 3, 4} and len(s) >= 9)
    found = shapley(values)
    assert found[:5].tolist() == pytest.approx([421 / 2145] * 5)
    assert found[5:].tolist() == pytest.approx([4 / 2145] * 10)


def test_shapley_is_the_mean_over_orders_of_what_each_player_adds() -> None:
    """Any game, any extra axis: the dividends' formula against the definition."""
    from itertools import permutations

    values = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.zeros(4, 3, dtype=torch.float64)
    for order in permutations(range(4)):
        coalition = 0
        for player in order:
            joined = coalition | 1 << player
            expected[player] += (values[joined] - values[coalition]) / 24
            coalition = joined
    assert torch.allclose(shapley(values), expected, atol=1e-14)
    assert torch.allclose(dividends(values).sum(0), values[-1])
    assert torch.allclose(
        credit.difference_rewards(values)[2], values[0b1111] - values[0b1011], atol=0
    )
    assert torch.allclose(credit.alone(values)[3], values[0b1000] - values[0], atol=0)


def test_the_diagonal_of_the_multilinear_extension_gives_shapley() -> None:
    """Owen 1972: Aumann-Shapley of ``sum_S d(S) prod_g m_g`` is the Shapley value of the game."""
    values = torch.randn(16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    members, share = credit.coalitions(4), dividends(values)

    def extension(degree: Tensor) -> Tensor:
        taking_part = torch.where(members.bool(), degree.unsqueeze(1), 1.0)
        return taking_part.prod(-1) @ share

    found = credit.split(extension, ("a", "b", "c", "d"), LIKE)
    assert torch.allclose(found.aumann_shapley[:, 0], shapley(values), atol=1e-12)
    assert float(found.gap.abs()) < 1e-12
    assert float(found.interaction) == pytest.approx(
        float(share.sum() - share[[0, 1, 2, 4, 8]].sum())
    )


def test_aumann_shapley_by_hand_and_refined_until_it_sums() -> None:
    """``m1 m2^2`` splits 1/3 to 2/3; a steep worth needs more points and gets them."""
    found = credit.aumann_shapley(lambda m: m[:, 0] * m[:, 1] ** 2, 2, 4, LIKE)
    assert found[:, 0].tolist() == pytest.approx([1 / 3, 2 / 3])

    def steep(degree: Tensor) -> Tensor:
        return torch.sigmoid(60 * (degree.sum(-1) / 2 - 0.3))

    found = credit.split(steep, ("a", "b"), LIKE)
    assert found.points > credit.POINTS[0]
    assert float(found.gap.abs() / found.gain.abs()) < credit.TOLERANCE
    assert found.aumann_shapley[:, 0].tolist() == pytest.approx([0.5, 0.5], abs=1e-3)


def test_too_many_players_are_refused() -> None:
    names = [str(i) for i in range(credit.MOST_PLAYERS + 1)]
    with pytest.raises(ValueError, match="13 players: expected at most 12"):
        credit.split(lambda m: m.sum(-1), names, LIKE)


def weather(city: City, months: int = MONTHS, worlds: int = 1) -> list[Shocks]:
    """Shocks of ``worlds`` rows; a quiet world where there is one."""
    like = city.start.planning.home_rent
    if worlds == 1:
        return [no_shocks(1, city.districts, like)] * months
    drawn = Dynamics("shocks", worlds, city.districts, months, like)
    drawn.reset(range(worlds))
    return [tree.tree_map(torch.clone, drawn.advance()) for _ in range(months)]


def split(city: City, joint: Policy, worlds: int = 1) -> credit.Credit:
    base = baseline_policy(1, city.districts, torch.float64)
    value = credit.flow_value(city, weather(city, worlds=worlds))
    worth = policy_game(joint, base, by_governor(), value)
    return credit.split(worth, GOVERNORS, LIKE, worlds)


SETTINGS = {
    "mild": {"toll": 0.001, "staff": 1.1, "far": 1.2, "business_tax": 0.09},
    "bounds": {"toll": 0.01, "staff": 2.0, "far": 2.0, "business_tax": 0.4, "audit": 0.3},
}


@pytest.mark.parametrize("size", SETTINGS)
def test_every_split_adds_up_and_differences_are_what_runs_say(nine: City, size: str) -> None:
    found = split(nine, policy(nine, SETTINGS[size]))
    gain = float(found.gain)
    assert float(found.shapley.sum()) == pytest.approx(gain, rel=1e-12)
    assert float(found.aumann_shapley.sum()) == pytest.approx(gain, rel=credit.TOLERANCE)
    for g, governor in enumerate(GOVERNORS):
        others = {k: x for k, x in SETTINGS[size].items() if LEVERS[k].governor != governor}
        gap = worth_by_hand(nine, SETTINGS[size]) - worth_by_hand(nine, others)
        assert float(found.difference[g]) == pytest.approx(gap, rel=1e-9)


def worth_by_hand(city: City, settings: dict[str, float]) -> float:
    """Discounted mean of monthly welfare, month by month."""
    ref, total, weights = reference(city), 0.0, 0.0
    requested, state = policy(city, settings), None
    for month in range(MONTHS):
        state, flows = last(city, requested, 1, "pooled", state)
        weight = float(torch.exp(-city.parameters.b.discount * month / 12))
        total += weight * float(evaluate(city, ref, flows).total)
        weights += weight
    return total / weights


def test_who_does_nothing_gets_nothing(nine: City) -> None:
    held = [name for name in LEVERS if LEVERS[name].governor in ("planning", "services")]
    joint = random_policy(nine, 0, levers=held)
    found = split(nine, joint)
    for values in (found.alone, found.difference, found.shapley, found.aumann_shapley):
        assert values[[1, 3]].abs().max() < 1e-15
        assert values[[0, 2]].abs().min() > 1e-5


def test_interaction_is_of_second_order(nine: City) -> None:
    """A tenth of the step leaves a hundredth of what the methods differ in."""

    def widest(step: float) -> float:
        settings = {"toll": 0.01 * step, "staff": 1 + step, "far": 1 + step, "audit": 0.05 + step}
        found = split(nine, policy(nine, settings))
        methods = (found.alone, found.difference, found.shapley)
        return float(torch.stack([x - found.aumann_shapley for x in methods]).abs().max())

    assert widest(0.002) / widest(0.02) == pytest.approx(0.01, rel=0.1)


def test_holders_may_be_any_partition_of_the_levers(nine: City) -> None:
    """Aumann-Shapley values do not depend on who holds the other levers together."""
    settings = SETTINGS["mild"]
    joint = {name: policy(nine, settings)[name] for name in settings}
    base = {name: x for name, x in baseline_policy(1, 9, torch.float64).items() if name in settings}
    value = credit.flow_value(nine, weather(nine))
    each = policy_game(joint, base, {name: (name,) for name in settings}, value)
    two = policy_game(joint, base, {"a": ("toll", "far"), "b": ("staff", "business_tax")}, value)
    by_lever = dict(
        zip(settings, credit.aumann_shapley(each, 4, 8, LIKE)[:, 0].tolist(), strict=True)
    )
    first, second = credit.aumann_shapley(two, 2, 8, LIKE)[:, 0].tolist()
    assert first == pytest.approx(by_lever["toll"] + by_lever["far"], rel=1e-9)
    assert second == pytest.approx(by_lever["staff"] + by_lever["business_tax"], rel=1e-9)
    bad = {"a": ("toll", "far"), "b": ("toll", "business_tax")}
    with pytest.raises(ValueError, match="'staff' has no holder; lever 'toll' has several"):
        policy_game(joint, base, bad, value)


def test_each_world_meets_the_same_shocks_in_every_coalition(nine: City) -> None:
    """A batch of worlds is its worlds one by one, and worlds differ."""
    joint = policy(nine, SETTINGS["mild"])
    base = baseline_policy(1, nine.districts, torch.float64)
    drawn = weather(nine, worlds=3)
    together = split(nine, joint, worlds=3)
    one = [tree.tree_map(lambda x: x[1:2], month) for month in drawn]
    worth = policy_game(joint, base, by_governor(), credit.flow_value(nine, one))
    single = credit.split(worth, GOVERNORS, LIKE)
    assert torch.allclose(together.shapley[:, 1:2], single.shapley, rtol=1e-9, atol=1e-15)
    assert torch.allclose(
        together.aumann_shapley[:, 1:2], single.aumann_shapley, rtol=1e-3, atol=1e-9
    )
    assert float(together.gain.std()) > 1e-6


def test_different_cities_are_split_row_by_row(many: City) -> None:
    """Present values of eight cities in one batch, each as if it were alone."""
    joint = policy(many, SETTINGS["mild"])
    base = baseline_policy(1, many.districts, torch.float64)

    def found(city: City) -> credit.Credit:
        worth = policy_game(joint, base, by_governor(), credit.present_value_of(city, MONTHS))
        return credit.split(worth, GOVERNORS, LIKE, city.rows)

    every, third = found(many), found(many.select(torch.tensor([2])))
    assert torch.allclose(every.shapley[:, 2], third.shapley[:, 0], rtol=1e-9, atol=1e-12)
    assert (every.gap.abs() <= credit.TOLERANCE * every.gain.abs()).all()
