"""Tags: what they explain today, what a talent policy makes of them, and who feels at home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from envs.city import tags
from envs.city.cities import synthetic_cities, with_parameters
from envs.city.model import City, Flows
from envs.city.parameters import Parameters
from envs.city.sizes import KNOWLEDGE, LOCAL, MANUFACTURING, PRIVATE, TAG_NAMES
from envs.city.steady import drift
from envs.priors import SYNTHETIC, read
from tests.model.runs import last, months, policy


def centred(matrix: Tensor) -> Tensor:
    """A matrix ``[n, m]`` less the means of its rows and columns."""
    return matrix - matrix.mean(0) - matrix.mean(1, keepdim=True) + matrix.mean()


def test_tags_tell_which_sectors_a_type_takes_to() -> None:
    """The match of tags explains the calibrated affinity; what it leaves is the residual."""
    p = Parameters.default()
    match = (tags.of_types(p) @ tags.of_sectors(p).transpose(1, 2))[0]
    seen = torch.log(tags.first_affinity(p)[0])
    both = torch.stack([centred(match).flatten(), centred(seen).flatten()])
    assert float(torch.corrcoef(both)[0, 1]) > 0.95


def test_affinity_is_the_softmax_of_the_match_and_a_residual() -> None:
    p = Parameters.default()
    types, sectors, first = tags.of_types(p), tags.of_sectors(p), tags.first_affinity(p)
    moved = torch.tensor([[0.3, -0.2, 0.1, 0.05]], dtype=torch.float64)
    residual = torch.log(first) - types @ sectors.transpose(1, 2)
    expected = torch.softmax((types + moved.unsqueeze(1)) @ sectors.transpose(1, 2) + residual, -1)
    found = tags.affinity(first, tags.match(sectors, moved))
    torch.testing.assert_close(found, expected)
    still = tags.affinity(first, tags.match(sectors, 0 * moved))
    torch.testing.assert_close(still, first, rtol=1e-15, atol=0)


def test_only_ones_own_kind_counts_unless_kinship_is_asked_for() -> None:
    own = tags.kinship(Parameters.default())
    assert torch.equal(own[0], torch.eye(6, dtype=torch.float64))
    near = tags.kinship(Parameters.default({"kin_focus": 5.0}))[0]
    torch.testing.assert_close(near.sum(-1), torch.ones(6, dtype=torch.float64))
    assert torch.equal(near.argmax(-1), torch.arange(6))
    for kind in range(6):
        away = near[kind, kind:]
        assert bool((away.diff() < 0).all()), "kinship falls with the distance of tags"
    same = tags.kinship(Parameters.default({"kin_focus": 0.0}))[0]
    torch.testing.assert_close(same, torch.full_like(same, 1 / 6))


def neighbours(overrides: Mapping[str, float]) -> Tensor:
    """Change of utility by type ``[K]`` where upper-middle people move in next door."""
    city = with_parameters(synthetic_cities([3], 9, overrides), read(SYNTHETIC))
    assert max(drift(city, last(city, {}, 6)[0]).values()) < 1e-7
    people = city.start.planning.people.clone()
    people[:, 0, 3] *= 1.1
    crowded = replace(city.start, planning=replace(city.start.planning, people=people))
    (_, _, before), *_ = months(city, {}, 1)
    (_, _, after), *_ = months(city, {}, 1, state=crowded)
    change: Tensor = (after.value.utility - before.value.utility)[0, 0]
    return change


def test_kin_are_welcome_neighbours() -> None:
    nobody = neighbours({})
    own = neighbours({"homophily": 0.2}) - nobody
    kin = neighbours({"homophily": 0.2, "kin_focus": 20.0}) - nobody
    assert float(own[3]) > 0
    assert bool((own[[0, 1, 2, 4, 5]] < 0).all())
    assert 0 < float(kin[3]) < float(own[3])
    assert float(kin[4]) > float(own[4]), "the next of kin mind less, or gain"
    assert float(kin[0]) < float(kin[4])


@pytest.fixture(scope="module")
def courted(nine: City) -> tuple[Flows, Tensor]:
    """Twenty years of talent policy at today's, thrice, none and twice the spending."""
    city = nine.to(torch.float32)
    with torch.no_grad():
        state, flows = last(city, policy(city, {"talent": [1.0, 3.0, 0.0, 2.0]}, 4), 240)
    return flows, state.industry.tags


def test_talent_policy_brings_knowledge_work_and_those_who_do_it(
    courted: tuple[Flows, Tensor],
) -> None:
    flows, moved = courted
    employed = flows.market.employed.sum(1)[:, :PRIVATE]
    share = employed[:, KNOWLEDGE] / employed.sum(-1)
    assert float(share[2]) < float(share[0]) < float(share[3]) < float(share[1])
    assert float(share[1] - share[3]) < float(share[3] - share[0]), "returns diminish"
    kinds = flows.residents.people.sum(1)
    kinds = kinds / kinds.sum(-1, keepdim=True)
    change = (kinds[1] - kinds[0]).sign()
    assert change.tolist() == [-1, -1, -1, 1, 1, 1], "courted types crowd out the others"
    schooling = TAG_NAMES.index("schooling")
    assert float(moved[2, schooling]) < 0 < float(moved[3, schooling]) < float(moved[1, schooling])
    assert float(moved[:, 1:].abs().max()) == 0


def test_other_sectors_lose_hands_to_a_talent_policy(courted: tuple[Flows, Tensor]) -> None:
    flows, _ = courted
    employed = flows.market.employed.sum(1)[:, :PRIVATE]
    share = employed / employed.sum(-1, keepdim=True)
    assert bool((share[1, [MANUFACTURING, LOCAL]] < share[0, [MANUFACTURING, LOCAL]]).all())
    assert float(employed[1, MANUFACTURING]) < float(employed[0, MANUFACTURING])


def test_recruiting_draws_the_mean_resident_neither_here_nor_there(nine: City) -> None:
    f, p = nine.fundamentals.industry, nine.parameters
    moved = torch.tensor([[0.3, -0.2, 0.1, 0.05]], dtype=torch.float64)
    drawn = tags.pull(p, f.type_tags, moved)
    people = nine.start.planning.people.sum(1)
    assert float((people * drawn).sum() / people.sum()) == pytest.approx(0, abs=1e-15)
    assert bool((drawn[0].diff() > 0).all())


def test_the_tags_of_a_place_are_those_of_its_residents(nine: City) -> None:
    p = nine.parameters
    people = nine.start.planning.people
    found = tags.of_places(people, tags.of_types(p))
    schooling = (people * tags.of_types(p)[..., 0].unsqueeze(1)).sum(-1) / people.sum(-1)
    torch.testing.assert_close(found[..., 0], schooling)
    rich = torch.zeros_like(people)
    rich[..., 5] = 1
    torch.testing.assert_close(tags.of_places(rich, tags.of_types(p))[0, 0], tags.of_types(p)[0, 5])


def test_tags_that_pay_spread_where_they_mutate(nine: City) -> None:
    """Replicator: tags drift towards the sector whose pay is above the others'."""
    city = with_parameters(nine, {"mutation": 0.5})
    assert max(drift(city, last(city, {}, 12)[0]).values()) < 1e-7, "equal pay moves no tag"
    paid = city.start.industry.wage.clone()
    paid[..., KNOWLEDGE] *= 1.2
    better = replace(city.start, industry=replace(city.start.industry, wage=paid))
    state, _ = last(city, {}, 6, state=better)
    assert float(state.industry.tags[0, 0]) > 1e-4
    assert bool((state.industry.tags[0, 1:] < 0).all())
    fixed, _ = last(nine, {}, 6, state=better)
    assert float(fixed.industry.tags.abs().max()) == 0
