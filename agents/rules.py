"""Rules: policies that a council could write on one page.

Rules read observations as distance from today's value, so 0 means "as today"; they work on every
scenario, because tables in their settings say which observation drives which lever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from agents.gain_loop import GainLoop, MetaSettings
from agents.pairs import Wiring, match, wire
from agents.policy import BasePolicy, Tensors, blank_actions
from agents.schema import Action, Between, Fraction, Gain
from agents.stochastic import Decision


class StatusQuo(BasePolicy):
    """Leaves every lever at today's setting."""

    kind = "status_quo"

    @dataclass(frozen=True)
    class Settings:
        """A status quo has nothing to set."""

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        return {space.name: blank_actions(space, observations) for space in self.spaces}


class Random(BasePolicy):
    """Draws every lever anew at each step, uniform around today's setting."""

    kind = "random"

    @dataclass(frozen=True)
    class Settings:
        """spread: largest distance from today's setting; seed: of the rule's own stream."""

        spread: Fraction
        seed: Annotated[int, Between(0, 2**31)]

    def __init__(self, spaces: Any, settings: Settings, weights: Any = None) -> None:
        super().__init__(spaces, settings, weights)
        self.generator = torch.Generator().manual_seed(settings.seed)

    def reset(self, num_envs: int) -> None:
        self.generator.manual_seed(self.options.seed)

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        return {space.name: self._draw(blank_actions(space, observations)) for space in self.spaces}

    @property
    def draws(self) -> bool:
        """False where the spread leaves nothing to chance."""
        return bool(self.options.spread > 0)

    def decide(self, observations: Tensors, generator: torch.Generator) -> dict[str, Decision]:
        """See `agents.stochastic.Stochastic`; draws from the caller's stream, not the rule's."""
        blanks = {space.name: blank_actions(space, observations) for space in self.spaces}
        drawn = {name: self._draw(blank, generator) for name, blank in blanks.items()}
        chances = self.log_probability(observations, drawn)
        return {name: Decision(levers, chances[name]) for name, levers in drawn.items()}

    def log_probability(self, observations: Tensors, drawn: Tensors) -> dict[str, Tensor]:
        """See `agents.stochastic.Stochastic`: the uniform density, nothing outside the spread."""
        spread = float(self.options.spread)
        return {
            name: torch.where(levers.double().abs() <= spread, -math.log(2 * spread), -math.inf)
            .double()
            .sum(-1)
            for name, levers in drawn.items()
        }

    def _draw(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        drawn = torch.rand(like.shape, generator=generator or self.generator, dtype=torch.float64)
        spread: float = self.options.spread
        return ((2.0 * drawn - 1.0) * spread).to(like)


class Uniform(BasePolicy):
    """One size fits all: the same constant setting for every district and at every step."""

    kind = "uniform"

    @dataclass(frozen=True)
    class Settings:
        """levers: setting by lever name or pattern with one `*`; the last match counts."""

        levers: dict[str, Action]

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        actions = {}
        for space in self.spaces:
            constant = torch.tensor([self._level(name) for name in space.action_names])
            blank = blank_actions(space, observations)
            actions[space.name] = blank + constant.to(blank)
        return actions

    def _level(self, lever: str) -> float:
        fitting = [v for key, v in self.options.levers.items() if match(key, lever) is not None]
        return float(fitting[-1]) if fitting else 0.0


class Proportional(BasePolicy):
    """Scales spending levers in proportion to observed need, with no memory."""

    kind = "proportional"

    @dataclass(frozen=True)
    class Pair:
        """A need that drives a lever; gain: lever per unit of observation."""

        observation: str
        lever: str
        gain: Gain

    @dataclass(frozen=True)
    class Settings:
        """pairs: the table of needs and levers."""

        pairs: tuple[Proportional.Pair, ...]

    def __init__(self, spaces: Any, settings: Settings, weights: Any = None) -> None:
        super().__init__(spaces, settings, weights)
        self.wirings = {space.name: wire(settings.pairs, space) for space in self.spaces}

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        actions = {}
        for space in self.spaces:
            wiring, blank = self.wirings[space.name], blank_actions(space, observations)
            gains = _column(wiring, [pair.gain for pair in self.options.pairs], blank)
            actions[space.name] = wiring.write(gains * wiring.read(observations[space.name]), blank)
        return actions


class ProportionalIntegral(BasePolicy):
    """PI feedback: each pair steers one indicator to a target by one lever.

    The integral is held in [-limit, limit] (no wind-up while a lever is at its bound).
    """

    kind = "pi"

    @dataclass(frozen=True)
    class Pair:
        """An indicator steered by a lever; gains are signed (negative: lever up when below)."""

        observation: str
        lever: str
        target: Gain
        proportional: Gain
        integral: Gain

    @dataclass(frozen=True)
    class Settings:
        """pairs: the table of indicators and levers; limit: bound of each pair's integral part."""

        pairs: tuple[ProportionalIntegral.Pair, ...]
        limit: Fraction

    def __init__(self, spaces: Any, settings: Settings, weights: Any = None) -> None:
        super().__init__(spaces, settings, weights)
        self.wirings = {space.name: wire(settings.pairs, space) for space in self.spaces}
        self.memory: dict[str, Tensor] = {}

    def reset(self, num_envs: int) -> None:
        self.memory = {}

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        actions, pairs, limit = {}, self.options.pairs, self.options.limit
        for space in self.spaces:
            wiring, blank = self.wirings[space.name], blank_actions(space, observations)
            error = wiring.read(observations[space.name]) - _column(
                wiring, [pair.target for pair in pairs], blank
            )
            answered = error * self._scale(space.name, error)
            held = self.memory.get(space.name, torch.zeros_like(error))
            held = held + _column(wiring, [pair.integral for pair in pairs], blank) * answered
            self.memory[space.name] = held = held.clamp(-limit, limit)
            gains = _column(wiring, [pair.proportional for pair in pairs], blank)
            actions[space.name] = wiring.write(gains * answered + held, blank)
        return actions

    def _scale(self, group: str, error: Tensor) -> Tensor | float:
        """What the gains of each match are multiplied by, for errors [B, n, P]."""
        return 1.0


class AdaptiveProportionalIntegral(ProportionalIntegral):
    """PI feedback whose gains follow their own success, slowly (`agents.gain_loop`)."""

    kind = "adaptive_pi"

    @dataclass(frozen=True)
    class Settings(ProportionalIntegral.Settings):
        """meta: the slow loop that scales both gains of each pair, of each agent on its own."""

        meta: MetaSettings

    def __init__(self, spaces: Any, settings: Settings, weights: Any = None) -> None:
        super().__init__(spaces, settings, weights)
        self.loops = {space.name: GainLoop(settings.meta) for space in self.spaces}

    def reset(self, num_envs: int) -> None:
        super().reset(num_envs)
        for loop in self.loops.values():
            loop.reset()

    def _scale(self, group: str, error: Tensor) -> Tensor:
        return self.loops[group](error)


RULES: dict[str, type[BasePolicy]] = {
    rule.kind: rule
    for rule in (
        StatusQuo,
        Random,
        Uniform,
        Proportional,
        ProportionalIntegral,
        AdaptiveProportionalIntegral,
    )
}


def _column(wiring: Wiring, values: list[float], like: Tensor) -> Tensor:
    """Values of the pair table laid out by match: [P]."""
    return torch.tensor([values[row] for row in wiring.rows], dtype=like.dtype, device=like.device)
