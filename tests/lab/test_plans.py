"""Plans by gradient: their levers, futures, values, gradients and what feedback sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from agents.plans import (
    Futures,
    Layout,
    Outlook,
    Pace,
    PlanSet,
    Search,
    Seat,
    World,
    best_copies,
    climb,
    draw_futures,
)
from agents.plans.layout import live_range, settings
from agents.plans.senses import Perfect, Published
from agents.plans.sweep import backward, forward
from agents.plans.world import DECISION
from envs import stocks
from envs.city.levers import LEVERS, baseline_policy
from envs.city.model import City
from envs.city.shocks import SHOCKS
from envs.registry import synthetic
from envs.scenarios.city_v0 import CityV0
from experiments import neutral

DISTRICTS = 3
LAYOUT = Layout.of(synthetic(0, 1, DISTRICTS))
SEEDS = range(10, 13)


@pytest.fixture(scope="module")
def city() -> City:
    torch.set_num_threads(1)
    return synthetic(0, 1, DISTRICTS)


@pytest.fixture(scope="module")
def stormy(city: City) -> World:
    """Three futures with crises; a year of plan and a year after it."""
    return World(city, draw_futures(city, "crisis", SEEDS, 12), tail=1)


def raw(seed: int, rows: int = 1, layout: Layout = LAYOUT) -> Tensor:
    """Random settings within the live range ``[rows, C]``."""
    drawn = torch.rand((rows, len(layout.names)), generator=torch.Generator().manual_seed(seed))
    return layout.low + drawn * (layout.high - layout.low)


def everywhere(plans: PlanSet, futures: int) -> Seat:
    """One row a future, all under the first copy."""
    draws = torch.arange(futures)
    return Seat(plans, torch.zeros_like(draws), draws)


def test_one_setting_a_lever_is_what_the_governors_of_city_v0_hold(city: City) -> None:
    groups = CityV0().groups(city)
    assert list(LAYOUT.names) == [name for group in groups for name in group.action_names]
    drawn = raw(1, 4)
    ours = settings(LAYOUT.cells(drawn), DISTRICTS, LAYOUT.moved())
    parts = torch.split(drawn, [len(group.action_names) for group in groups], 1)
    actions = {g.name: part.unsqueeze(1) for g, part in zip(groups, parts, strict=True)}
    theirs = CityV0().request(actions, baseline_policy(4, DISTRICTS, torch.float32))
    assert set(ours) == set(theirs) - {"budget_split", "coproduction"}
    for name in set(ours) - {"targeting"}:
        assert torch.allclose(ours[name], theirs[name]), name
    ranks, theirs_too = ours["targeting"].argsort(1), theirs["targeting"].argsort(1)
    assert torch.equal(ranks, theirs_too), "the same types gain and lose"


def test_a_finer_layout_takes_over_every_cell_and_moves_districts_apart(city: City) -> None:
    fine = Layout.of(city, ("D", "K"))
    coarse = raw(2, 3)
    assert torch.allclose(fine.cells(fine.adopt(LAYOUT, coarse)), LAYOUT.cells(coarse))
    column = fine.names.index("staff[district 2,health]")
    alone = settings(
        fine.cells(torch.eye(len(fine.names))[column : column + 1]), DISTRICTS, {"staff"}
    )["staff"][0]
    assert alone[1, 1] == LEVERS["staff"].high
    assert (alone != 1).sum() == 1


def test_a_lever_at_its_bound_today_has_one_live_side() -> None:
    assert live_range(LEVERS["toll"]) == (0.0, 1.0)
    assert live_range(LEVERS["staff"]) == (-1.0, 1.0)
    plans = PlanSet(LAYOUT, torch.full((1, 1, len(LAYOUT.names)), -3.0))
    plans.project()
    assert torch.equal(plans.plan[0, 0], LAYOUT.low)


def test_after_the_last_month_levels_stay_and_events_have_passed() -> None:
    shocks = {name: torch.ones(2, 3, *shock.size(DISTRICTS)) for name, shock in SHOCKS.items()}
    after = Futures(shocks, 2, 3).month(2, torch.tensor([0, 2]))
    for name, shock in SHOCKS.items():
        assert bool((after[name] == float(shock.kind == "level")).all()), name


def test_futures_belong_to_their_seeds_and_certainty_needs_one(city: City) -> None:
    few = draw_futures(city, "shocks", [7, 8], 12)
    more = draw_futures(city, "shocks", [5, 7], 12)
    assert torch.equal(few.shocks["productivity"][:, 0], more.shocks["productivity"][:, 1])
    assert not torch.equal(few.shocks["productivity"][:, 0], few.shocks["productivity"][:, 1])
    assert draw_futures(city, "steady", SEEDS, 12).draws == 1


def test_segments_give_the_gradient_of_the_whole() -> None:
    rate = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)

    def segment(number: int, carry: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        level = rate * carry["level"] + torch.sin(carry["level"]) * number
        return {"level": level, "month": carry["month"] + 1}, level.sum(-1) ** 2

    start = {"level": torch.tensor([[1.0, 2.0]], dtype=torch.float64), "month": torch.tensor([0])}
    value, kept = forward(segment, start, range(5))
    pull = backward(segment, kept, range(5), None)
    mine = rate.grad
    first = start["level"].clone().requires_grad_()
    carry, total = {**start, "level": first}, torch.zeros(1, dtype=torch.float64)
    for number in range(5):
        carry, part = segment(number, carry)
        total = total + part
    rates, levels = torch.autograd.grad(total.sum(), [rate, first])
    assert torch.allclose(value, total.detach())
    assert mine is not None
    assert torch.allclose(mine, rates)
    assert torch.allclose(pull["level"], levels)
    assert int(kept[-1]["month"]) == 5


def test_a_plan_is_worth_what_the_environment_says(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same constant plan through the governance environment with its tail run."""
    monkeypatch.setattr(stocks, "TAIL_MONTHS", 12)
    drawn = 0.4 * raw(3)
    drawn[:, LAYOUT.names.index("targeting")] = 0
    world = World(city, draw_futures(city, "steady", [0], 24), tail=1)
    (found,) = world.score([everywhere(PlanSet(LAYOUT, drawn[None]), 1)])
    (expected,) = neutral.gains(city, drawn, 24, lambda: None)
    assert abs(expected) > 0.01
    assert float(found[0, 0]) == pytest.approx(expected, rel=2e-3)


def test_doing_nothing_gains_nothing_by_either_measure(stormy: World) -> None:
    (found,) = stormy.score([everywhere(PlanSet(LAYOUT, torch.zeros(1, 1, len(LAYOUT.names))), 3)])
    assert torch.equal(found, torch.zeros(3, 2))


@pytest.mark.parametrize("measure", [0, 1])
def test_the_gradient_is_the_slope_of_the_score(stormy: World, measure: int) -> None:
    """Also from a stale pull, which is exact where nothing has moved since."""
    plans = PlanSet(LAYOUT, torch.full((1, 2, len(LAYOUT.names)), 0.05) * LAYOUT.high)
    seat = Seat(plans, torch.zeros(3, dtype=torch.long), torch.arange(3), measure)
    pull = stormy.ascend([seat], None)
    assert plans.plan.grad is not None
    slope = plans.plan.grad.clone()
    plans.plan.grad = None
    stormy.ascend([seat], pull)
    assert torch.allclose(plans.plan.grad, slope, rtol=1e-4, atol=1e-6 * float(slope.abs().max()))
    step = 0.02 * slope / slope.norm()
    moved = [PlanSet(LAYOUT, plans.plan + sign * step) for sign in (1, -1)]
    up, down = stormy.score([Seat(p, seat.copies, seat.draws) for p in moved])
    rise = (up - down)[:, measure].sum() / (2 * stormy.percent)
    assert float(rise) == pytest.approx(float((slope * step).sum()), rel=0.05)


def test_rows_know_nothing_of_each_other(stormy: World) -> None:
    plans = PlanSet(LAYOUT, 0.3 * raw(4, 2).unsqueeze(1))
    both = Seat(plans, torch.tensor([0, 1, 1]), torch.tensor([2, 0, 2]))
    alone = Seat(plans, torch.tensor([1]), torch.tensor([0]))
    together, single = stormy.score([both, alone])
    assert torch.allclose(together[1:2], single, atol=1e-4)
    assert not torch.allclose(together[0], together[2], atol=1e-3)


def test_a_clairvoyant_beats_the_plan_on_its_own_futures(stormy: World) -> None:
    zero = torch.zeros(1, 1, len(LAYOUT.names))
    ahead = Search(PlanSet(LAYOUT, zero), [0, 1, 2], 3)
    each = Search(PlanSet(LAYOUT, zero.expand(3, -1, -1)), [0, 1, 2], None)
    climb(stormy, [ahead, each], Pace(6, 0.1, 0.01, 3), 0, lambda: None)
    plan, known = stormy.score([ahead.meet([0, 1, 2]), each.draw(torch.Generator())])
    assert float(plan[:, 0].mean()) > 0
    assert float((known - plan)[:, 0].mean()) > 0


def test_the_same_seed_finds_the_same_plan(stormy: World) -> None:
    def search() -> Tensor:
        plans = PlanSet(LAYOUT, torch.zeros(1, 1, len(LAYOUT.names)))
        climb(stormy, [Search(plans, [0, 1, 2], 1)], Pace(2, 0.1, 0.01, 1), 1, lambda: None)
        return plans.plan.detach()

    assert torch.equal(search(), search())


class Bowl:
    """Worth of a plan: closeness of its mean setting to 0.5, whatever the future."""

    def score(self, seats: Sequence[Seat]) -> list[Tensor]:
        return [self._worth(seat).detach().unsqueeze(-1).expand(-1, 2) for seat in seats]

    def ascend(self, seats: Sequence[Seat], pull: None) -> None:
        torch.cat([self._worth(seat) for seat in seats]).sum().backward()

    def _worth(self, seat: Seat) -> Tensor:
        return -((seat.plans.plan[seat.copies].mean((1, 2)) - 0.5) ** 2)


def test_the_best_start_is_kept() -> None:
    plans = PlanSet(LAYOUT, torch.tensor([0.0, 0.45, 0.9]).reshape(3, 1, 1) * LAYOUT.high)
    (best,) = best_copies(Bowl(), [Search(plans, [0, 1], 1)], [0, 1])
    assert torch.equal(best.plan[0], plans.plan[1])
    assert best.copies == 1


def test_without_gains_or_surprise_feedback_is_the_plan(stormy: World) -> None:
    plan = 0.3 * raw(5).unsqueeze(1)
    senses = Perfect(stormy.city, DECISION)
    blind = PlanSet(LAYOUT, plan)
    outlook = stormy.outlook(blind, senses, torch.tensor([1]))
    assert outlook.mean.shape == (12 // DECISION, 4, len(senses.names))
    assert not bool(outlook.spread.any()), "one future holds no surprise"
    everyone = stormy.outlook(blind, senses, torch.tensor([0, 1, 2]))
    plans = PlanSet(LAYOUT, plan, outlook=replace(outlook, spread=everyone.spread))
    seat = everywhere(plans, 3)
    still, alone = stormy.score([seat, everywhere(blind, 3)])
    assert torch.allclose(still, alone, atol=1e-5)
    assert plans.gains is not None
    plans.gains.data.fill_(0.01)
    answer, alone = stormy.score([seat, everywhere(blind, 3)])
    assert torch.allclose(answer[1], alone[1], atol=1e-4), "what it expected came true"
    assert not torch.allclose(answer, alone, atol=1e-3)


def test_gains_have_the_slope_of_the_score_through_late_figures(stormy: World) -> None:
    senses = Published(stormy.city, [1, 2, 3], 12, 0.0)
    inside = 0.4 * LAYOUT.high.reshape(1, 1, -1)
    outlook = stormy.outlook(PlanSet(LAYOUT, inside), senses, torch.tensor([0, 1, 2]))
    plans = PlanSet(LAYOUT, inside, outlook=outlook)
    assert plans.gains is not None
    plans.gains.data.fill_(0.002)
    seat = everywhere(plans, 3)
    stormy.ascend([seat], None)
    slope = plans.gains.grad
    assert slope is not None
    step = 0.01 * slope / slope.norm()
    scores = []
    for sign in (1, -1):
        plans.gains.data.add_(sign * step)
        scores.append(stormy.score([seat])[0])
        plans.gains.data.sub_(sign * step)
    rise = float((scores[0] - scores[1])[:, 0].sum()) / (2 * stormy.percent)
    assert rise == pytest.approx(float((slope * step).sum()), rel=0.05)


def test_full_information_is_the_truth_and_a_silo_is_not(stormy: World) -> None:
    blind = PlanSet(LAYOUT, 0.3 * raw(6).unsqueeze(1))
    draws = torch.tensor([0, 1, 2])
    perfect = Perfect(stormy.city, DECISION)
    truth = stormy.outlook(blind, perfect, draws)
    full, silo = (
        stormy.outlook(blind, Published(stormy.city, [1, 2, 3], 12, level), draws)
        for level in (1.0, 0.0)
    )
    assert torch.allclose(full.mean[1:], truth.mean[1:], atol=1e-4)
    assert float((silo.mean - truth.mean).abs().max()) > 0.1
    traffic = silo.spread[:, perfect.names.index("traffic")]
    assert float(traffic[0]) < 1e-5, "planning does not hear of the roads"
    assert float(traffic[3]) > 0.01, "infrastructure does"


def test_surprise_is_in_notable_changes_or_in_larger_deviations(stormy: World) -> None:
    mean = torch.zeros(2, 4, 3)
    outlook = Outlook(Perfect(stormy.city, DECISION), mean, torch.tensor([0.1, 1.0, 5.0]))
    assert outlook.surprise(1, mean[:1] + 1)[0, 0].tolist() == pytest.approx([1.0, 1.0, 0.2])


def test_months_are_whole_years(city: City) -> None:
    with pytest.raises(ValueError, match="months=11"):
        World(city, draw_futures(city, "shocks", [1], 11))
