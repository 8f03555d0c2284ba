"""Plans that are searched side by side, and the rows of a batch that they govern."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agents.plans.layout import Layout
from agents.plans.senses import Senses
from envs.city.levers import GOVERNORS


@dataclass(frozen=True)
class Outlook:
    """What governors see, and what of it is no surprise.

    senses: give observations ``[R, V, F]`` of governors V. mean: ``[decisions, V, F]`` to be
    expected at each decision; spread: ``[V, F]`` standard deviation over futures.
    """

    senses: Senses
    mean: Tensor
    spread: Tensor

    def surprise(self, decision: int, seen: Tensor) -> Tensor:
        """Observations ``[R, V, F]`` beyond what was expected, in notable changes, or in standard
        deviations where those are larger.

        What hardly varies by itself, but answers to levers, is not blown up: feedback on it
        would chase its own tail.
        """
        return (seen - self.mean[decision]) / self.spread.clamp_min(1.0)


class PlanSet:
    """Copies of a plan: raw settings by period, and optionally gains on what is observed.

    A copy is one search (another start, another known future). With gains the settings are
    ``plan + gains surprise``: zero gains, or nothing unexpected, leave the plan.

    Attributes:
        layout: of the columns.
        plan: ``[copies, periods, C]`` raw settings; the last period's hold ever after.
        gains: ``[copies, C, F]`` raw settings per unit of surprise, or None.
        outlook: what plans with gains see; None without gains.
        free: ``[C]`` 1 where a column may move.
    """

    def __init__(
        self,
        layout: Layout,
        plan: Tensor,
        free: Tensor | None = None,
        outlook: Outlook | None = None,
    ) -> None:
        self.layout = layout
        self.plan = plan.detach().clone().requires_grad_()
        self.free = torch.ones(plan.shape[-1]) if free is None else free
        self.outlook = outlook
        self.gains: Tensor | None = None
        self._viewers = torch.tensor([GOVERNORS.index(name) for name in layout.governors])
        if outlook is not None:
            shape = (plan.shape[0], plan.shape[-1], outlook.mean.shape[-1])
            self.gains = plan.new_zeros(shape).requires_grad_()

    @property
    def copies(self) -> int:
        """Number of searches side by side."""
        return self.plan.shape[0]

    @property
    def senses(self) -> Senses | None:
        """What plans with gains see the city with."""
        return None if self.outlook is None else self.outlook.senses

    def cells(self, copies: Tensor, period: int, decision: int, seen: Tensor | None) -> Tensor:
        """Raw settings of every cell ``[R, N]``.

        Args:
            copies: ``[R]`` the copy that governs each row.
            period, decision: numbers of the plan's period and of the decision.
            seen: ``[R, V, F]`` observations, for plans with gains.
        """
        raw = self.plan[copies, min(period, self.plan.shape[1] - 1)]
        if self.gains is not None and self.outlook is not None and seen is not None:
            surprise = self.outlook.surprise(decision, seen)[:, self._viewers]
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
        chosen = PlanSet(self.layout, plan, self.free, self.outlook)
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
