"""Plans that are searched side by side, and the rows of a batch that they govern."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.plans.layout import Layout
from agents.plans.senses import Senses
from envs.city.levers import GOVERNORS


class PlanSet:
    """Copies of a plan: raw settings by period, and optionally gains on what is observed.

    A copy is one search (another start, another known future). With gains the settings are
    ``plan + gains (seen - expected)``: zero gains, or nothing unexpected, leave the plan.

    Attributes:
        layout: of the columns.
        plan: ``[copies, periods, C]`` raw settings; the last period's hold ever after.
        gains: ``[copies, C, F]``, or None.
        senses, expected: what plans with gains see, and ``[decisions, V, F]`` what governors
            V see on average; None without gains.
        free: ``[C]`` 1 where a column may move.
    """

    def __init__(
        self,
        layout: Layout,
        plan: Tensor,
        free: Tensor | None = None,
        senses: Senses | None = None,
        expected: Tensor | None = None,
    ) -> None:
        self.layout = layout
        self.plan = plan.detach().clone().requires_grad_()
        self.free = torch.ones(plan.shape[-1]) if free is None else free
        self.senses = senses
        self.expected = expected
        self.gains: Tensor | None = None
        self._viewers = torch.tensor([GOVERNORS.index(name) for name in layout.governors])
        if expected is not None:
            shape = (plan.shape[0], plan.shape[-1], expected.shape[-1])
            self.gains = plan.new_zeros(shape).requires_grad_()

    @property
    def copies(self) -> int:
        """Number of searches side by side."""
        return self.plan.shape[0]

    def cells(self, copies: Tensor, period: int, decision: int, seen: Tensor | None) -> Tensor:
        """Raw settings of every cell ``[R, N]``.

        Args:
            copies: ``[R]`` the copy that governs each row.
            period, decision: numbers of the plan's period and of the decision.
            seen: ``[R, V, F]`` observations, for plans with gains.
        """
        raw = self.plan[copies, min(period, self.plan.shape[1] - 1)]
        if self.gains is not None and self.expected is not None and seen is not None:
            surprise = (seen - self.expected[decision])[:, self._viewers]
            raw = raw + (self.gains[copies] * surprise).sum(-1)
        return self.layout.cells(raw)

    def project(self) -> None:
        """Put settings back within their live range and fixed columns back to today's."""
        with torch.no_grad():
            self.plan.copy_(torch.clamp(self.plan, self.layout.low, self.layout.high) * self.free)
            if self.gains is not None:
                self.gains.mul_(self.free.unsqueeze(-1))

    def pick(self, copy: int) -> PlanSet:
        """One copy on its own, detached."""
        plan = self.plan.detach()[copy : copy + 1]
        chosen = PlanSet(self.layout, plan, self.free, self.senses, self.expected)
        if self.gains is not None and chosen.gains is not None:
            chosen.gains.data.copy_(self.gains.detach()[copy : copy + 1])
        return chosen


@dataclass(frozen=True)
class Seat:
    """Rows of a batch that one plan set governs.

    copies, draws: ``[R]`` which copy and which future each row has; measure: column of the
    world's measures that the rows are judged by.
    """

    plans: PlanSet
    copies: Tensor
    draws: Tensor
    measure: int = 0

    @property
    def rows(self) -> int:
        """Number of rows R."""
        return len(self.copies)
