"""The slow loop around a feedback rule: feedback on the feedback (MODEL sections 3, 6: `gov_gain`).

Every few steps each row, agent and pair reviews its own errors of the time since the last review
and moves the scale of its own gains, 1 at the start and 0.1 to 10 times what was designed.
Nothing but the errors is read: no reward, no parameter, and no word of a regime change.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from torch import Tensor

from agents.schema import Between, Fraction, OneOf

#: Bounds of the scale of gains (MODEL section 6, meta lever `gov_gain`).
LEAST, MOST = 0.1, 10.0


@dataclass(frozen=True)
class Window:
    """What happened since the last review, a number for each row, agent and pair.

    total, square, change: sums of errors, of their squares, and of the squares of what they changed
    by from step to step; steps: how many; last: the latest error; before: mean square of the
    window before, not a number at the first; way: +1 or -1, where the scale moved last.
    """

    total: Tensor
    square: Tensor
    change: Tensor
    last: Tensor
    before: Tensor
    way: Tensor
    steps: int = 0

    def add(self, error: Tensor) -> Window:
        """One step later."""
        return replace(
            self,
            total=self.total + error,
            square=self.square + error.square(),
            change=self.change + (error - self.last).square(),
            last=error,
            steps=self.steps + 1,
        )


def persistence(window: Window) -> Tensor:
    """Near 1 where errors stay (sluggish feedback), near -1 where they swing (too strong).

    ``(m - 4 d) / (m + 4 d)``, m the square of the mean error and d the mean square of its changes
    from step to step: an index of idleness in the spirit of Haegglund 1999, Control Engineering
    Practice 7(12). Swings count fourfold, since feedback that is too strong does more harm than
    feedback that is too weak (assumed).
    """
    lasting = (window.total / window.steps).square()
    swinging = 4 * window.change / window.steps
    return (lasting - swinging) / (lasting + swinging + 1e-12)


def climb(window: Window) -> Tensor:
    """On where errors have become smaller since the review before, back where larger.

    Extremum seeking by perturbing and observing; the first move is up.
    """
    worse = window.square / window.steps > window.before
    return torch.where(worse, -window.way, window.way)


#: How a review judges: +1 asks for stronger, -1 for weaker feedback.
METHODS: dict[str, Callable[[Window], Tensor]] = {"persistence": persistence, "climb": climb}


@dataclass(frozen=True)
class MetaSettings:
    """How gains follow their own success (`configs/agent/adaptive_pi.yaml`).

    every: steps between reviews; method: key of `METHODS`; rate: largest move of a review, in
    logs of the scale; notable: root mean square error from which on a review counts in full;
    forget: share of the way back to the gains as designed, at every review.
    """

    every: Annotated[int, Between(2, 1000)]
    method: Annotated[str, OneOf(tuple(METHODS))]
    rate: Annotated[float, Between(0.0, 3.0)]
    notable: Annotated[float, Between(1e-6, 1000.0)]
    forget: Fraction


class GainLoop:
    """Scales of the gains of one group, with their memory."""

    def __init__(self, settings: MetaSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Back to the gains as they were designed."""
        self.scale: Tensor | None = None
        self.window: Window | None = None

    def __call__(self, error: Tensor) -> Tensor:
        """The scale to answer an error `[B, n, P]` with, `[B, n, P]`."""
        error = error.detach()
        none = torch.zeros_like(error)
        if self.scale is None or self.window is None:
            self.scale = torch.ones_like(error)
            unknown = torch.full_like(error, math.nan)
            self.window = Window(none, none, none, error, unknown, torch.ones_like(error))
        window = self.window.add(error)
        if window.steps >= self.settings.every:
            verdict = METHODS[self.settings.method](window)
            self.scale = self._moved(self.scale, window, verdict)
            way = torch.where(verdict < 0, -torch.ones_like(error), torch.ones_like(error))
            window = Window(none, none, none, error, window.square / window.steps, way)
        self.window = window
        return self.scale

    def _moved(self, scale: Tensor, window: Window, verdict: Tensor) -> Tensor:
        """Scales after a review: moved by what counts of its verdict, and back towards 1."""
        s = self.settings
        size = (window.square / window.steps).sqrt() / s.notable
        log = (1 - s.forget) * scale.log() + s.rate * verdict * size.clamp(max=1.0)
        return log.exp().clamp(LEAST, MOST)
