"""A city as plans meet it: many rows, each with a plan and a future, scored against today's policy.

The value of a row is the discounted flow of welfare of the months that the plan governs and of
years of today's policy after it, so that what a plan builds up or runs down counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from agents.plans.futures import Futures
from agents.plans.layout import settings
from agents.plans.plan_set import Outlook, PlanSet, Seat
from agents.plans.senses import Senses
from agents.plans.sweep import backward, forward
from envs.city import tree, welfare
from envs.city.levers import GOVERNORS, Policy, baseline_policy
from envs.city.model import City, CityState, Flows
from envs.city.valuation import discount_factor, graph_bytes

#: What a month is judged by: the welfare that rewards are made of, and equally distributed
#: equivalent income over the first year's residents (driving the poor out is no gain).
MEASURES = ("total", "atkinson")
#: Months between decisions; every segment is a multiple.
DECISION = 3
YEAR = 12
#: Bytes that a segment's graph may take.
GRAPH = 3e9
#: Rows that are scored at once.
ROWS = 512


@dataclass(frozen=True)
class Carry:
    """What passes from segment to segment: the city, and what each seat with senses remembers."""

    state: CityState
    memory: dict[str, Any]


class World:
    """One city under given futures."""

    def __init__(
        self,
        city: City,
        futures: Futures,
        aversion: float = 2.0,
        tail: int = 20,
    ) -> None:
        """Args: city: one row; aversion: to inequality, of the measure "atkinson"; tail: years of
        today's policy after the plan, the last of which stands for all that follow.

        Raises:
            ValueError: months that are not whole years.
        """
        if futures.months < YEAR or futures.months % YEAR:
            raise ValueError(f"months={futures.months}: expected whole years")
        self.city = city.to(torch.float32)
        self.futures = Futures(
            {name: x.to(torch.float32) for name, x in futures.shocks.items()},
            futures.months,
            futures.draws,
        )
        self.months, self.tail, self.aversion = futures.months, tail, aversion
        self._today = baseline_policy(1, city.districts, torch.float32)
        with torch.no_grad():
            self._reference = welfare.reference(self.city)
            self._beta = float(discount_factor(self.city))
        everyone = torch.arange(futures.draws)
        self._status_quo = self._values([], everyone)

    @property
    def percent(self) -> float:
        """Percent of income for ever that a present value of one month of income is worth."""
        return 100 * (1 - self._beta)

    def score(self, seats: Sequence[Seat]) -> list[Tensor]:
        """Gain over today's policy of every row of each seat, by measure ``[R, M]``.

        In percent of income for ever.
        """
        found: list[Tensor] = []
        for group in _packed(seats):
            draws = torch.cat([seat.draws for seat in group])
            gains = self.percent * (self._values(group, draws) - self._status_quo[draws])
            found += torch.split(gains, [seat.rows for seat in group])  # type: ignore[no-untyped-call]
        return found

    def ascend(self, seats: Sequence[Seat], pull: Carry | None) -> Carry:
        """Add the gradients of the rows' present values, months of income, to the plans.

        Args:
            pull: what the end of the plan is worth at the margin, from an earlier call with the
                same rows; None works it out by running the tail.

        Returns:
            The pull that was used.
        """
        draws = torch.cat([seat.draws for seat in seats])
        column = torch.cat([seat.draws.new_full((seat.rows,), seat.measure) for seat in seats])
        index = column.unsqueeze(-1)
        length = self._segment_months(len(draws))
        governed = range(self.months // length)

        def judge(flows: Flows) -> Tensor:
            return self._judge(flows).gather(1, index).squeeze(1)

        def plan(number: int, carry: Carry) -> tuple[Carry, Tensor]:
            return self._governed(seats, draws, number * length, length, judge, carry)

        def after(number: int, carry: Carry) -> tuple[Carry, Tensor]:
            return self._ungoverned(draws, number, judge, carry)

        start = self._start(seats, len(draws))
        kept = [start, start]  # all that is needed where one graph holds the whole plan
        if pull is None or len(governed) > 1:
            _, kept = forward(plan, start, governed)
        if pull is None:
            years = range(self.tail)
            _, later = forward(after, kept[-1], years)
            pull = backward(after, later, years, None)
        backward(plan, kept, governed, pull)
        return pull

    def outlook(self, plans: PlanSet, senses: Senses, draws: Tensor) -> Outlook:
        """What ``senses`` see in futures ``draws`` while the plan is followed whatever they see."""
        nothing = torch.zeros(self.months // DECISION, len(GOVERNORS), len(senses.names))
        followed = PlanSet(
            plans.layout, plans.plan, plans.free, Outlook(senses, nothing, nothing[0])
        )
        seat = Seat(followed, torch.zeros_like(draws), draws)
        carry = self._start([seat], len(draws))
        seen = []
        with torch.no_grad():
            for month in range(0, self.months, DECISION):
                seen.append(senses.read(carry.memory["0"]))
                carry, _ = self._governed([seat], draws, month, DECISION, self._judge, carry)
        found = torch.stack(seen)
        mean = found.mean(1)
        spread = (found - mean.unsqueeze(1)).square().mean((0, 1)).sqrt()
        return Outlook(senses, mean, spread)

    def _values(self, seats: Sequence[Seat], draws: Tensor) -> Tensor:
        """Present values ``[R, M]``, months of income."""
        with torch.no_grad():
            carry = self._start(seats, len(draws))
            carry, value = self._governed(seats, draws, 0, self.months, self._judge, carry)
            for year in range(self.tail):
                carry, more = self._ungoverned(draws, year, self._judge, carry)
                value = value + more
        return value

    def _start(self, seats: Sequence[Seat], rows: int) -> Carry:
        remembered = {
            str(number): seat.plans.senses.start(seat.draws)
            for number, seat in enumerate(seats)
            if seat.plans.senses is not None
        }
        return Carry(self.city.initial(rows), remembered)

    def _governed(
        self,
        seats: Sequence[Seat],
        draws: Tensor,
        first: int,
        length: int,
        judge: Callable[[Flows], Tensor],
        carry: Carry,
    ) -> tuple[Carry, Tensor]:
        """``length`` months from month ``first`` on under the plans."""
        state, memory = carry.state, carry.memory
        values = []
        requested: Policy = {}
        for month in range(first, first + length):
            if month % DECISION == 0 and seats:
                requested = self._request(seats, month, memory)
            state, flows = self.city.step(state, requested, self.futures.month(month, draws))
            values.append(self._beta**month * judge(flows))
            memory = _remember(seats, month, memory, state, flows)
        return Carry(state, memory), torch.stack(values).sum(0)

    def _ungoverned(
        self, draws: Tensor, year: int, judge: Callable[[Flows], Tensor], carry: Carry
    ) -> tuple[Carry, Tensor]:
        """A year of today's policy after the plan; the last one stands for all that follow."""
        state, rows = carry.state, len(draws)
        today = {name: x.expand(rows, *x.shape[1:]) for name, x in self._today.items()}
        shocks = self.futures.month(self.months, draws)
        first = self.months + YEAR * year
        last = year == self.tail - 1
        forever = self._beta ** (first + YEAR) / (1 - self._beta) / YEAR if last else 0.0
        values = []
        for month in range(first, first + YEAR):
            state, flows = self.city.step(state, today, shocks)
            values.append((self._beta**month + forever) * judge(flows))
        return replace(carry, state=state), torch.stack(values).sum(0)

    def _request(self, seats: Sequence[Seat], month: int, memory: dict[str, Any]) -> Policy:
        """Settings of every lever that some plan moves."""
        cells, moved = [], frozenset[str]()
        for number, seat in enumerate(seats):
            plans = seat.plans
            seen = None if plans.senses is None else plans.senses.read(memory[str(number)])
            period = month * plans.plan.shape[1] // self.months
            cells.append(plans.cells(seat.copies, period, month // DECISION, seen))
            moved |= plans.layout.moved()
        return settings(torch.cat(cells), self.city.districts, moved)

    def _judge(self, flows: Flows) -> Tensor:
        """Welfare of a month by measure ``[R, M]``, share of the first year's income."""
        ref = self._reference
        now = welfare.evaluate(self.city, ref, flows)
        level = welfare.settled_equivalent(now, ref, self.aversion)
        first = welfare.equally_distributed(
            ref.income.unsqueeze(1), ref.people.unsqueeze(1), self.aversion
        )
        mean = ref.total / ref.people.sum(-1)
        return torch.stack([now.total, (level - first) / mean], -1)

    def _segment_months(self, rows: int) -> int:
        """Months of a segment whose graph fits into memory."""
        each = graph_bytes(1, rows, self.city.districts)
        fits = [months for months in (self.months, YEAR, 6) if each * months <= GRAPH]
        return fits[0] if fits else DECISION


def _remember(
    seats: Sequence[Seat], month: int, memory: dict[str, Any], state: CityState, flows: Flows
) -> dict[str, Any]:
    """What each seat with senses knows after a month."""
    if not memory:
        return memory
    total = sum(seat.rows for seat in seats)
    after, first = {}, 0
    for number, seat in enumerate(seats):
        senses, rows = seat.plans.senses, slice(first, first + seat.rows)
        first += seat.rows
        if senses is None:
            continue

        def own(x: Tensor, rows: slice = rows) -> Tensor:
            return x[rows] if x.shape[0] == total else x

        after[str(number)] = senses.month(
            month, memory[str(number)], tree.tree_map(own, state), tree.tree_map(own, flows)
        )
    return after


def _packed(seats: Sequence[Seat]) -> Iterator[list[Seat]]:
    """Seats in order, in batches of at most ``ROWS`` rows, or of one seat."""
    group: list[Seat] = []
    for seat in seats:
        if group and sum(other.rows for other in group) + seat.rows > ROWS:
            yield group
            group = []
        group.append(seat)
    if group:
        yield group
