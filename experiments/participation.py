"""What a city learns from panels that complaints do not tell it: rules for staff, compared.

Shapes: B worlds, D districts, H services.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.indicators import INDICATORS
from envs.governance import GovernanceEnv
from envs.registry import CityLike, make
from envs.scenarios.participation_v0 import CITY, FULL_VOICE, PANELS, truthful

#: Raw staff per unit of a voice that stands out (assumed; between .25 and 1 welfare still gains).
GAIN = 0.5
#: Chance of a complaint per log point of utility: the slope of the sigmoid at no change.
_SLOPE = 0.25
#: A notable change of complaints (``HOTLINE``).
_NOTABLE = 0.01

#: Observations of the city ``[B, C]`` and their names -> raw staff ``[B, D, H]``.
Rule = Callable[[Tensor, tuple[str, ...], "Shape"], Tensor]


@dataclass(frozen=True)
class Shape:
    """districts D, services H; worth: utility of a log point of all services together."""

    districts: int
    services: int
    worth: float


def as_today(seen: Tensor, names: tuple[str, ...], shape: Shape) -> Tensor:
    """Staff stays where it is."""
    return seen.new_zeros(len(seen), shape.districts, shape.services)


def follow_voices(seen: Tensor, names: tuple[str, ...], shape: Shape) -> Tensor:
    """Staff goes to services that panels call short, more than elsewhere."""
    return GAIN * _standing_out(seen, names, shape, "voice_")


def follow_complaints(seen: Tensor, names: tuple[str, ...], shape: Shape) -> Tensor:
    """Staff goes where more people complain, as if each complaint were about all services."""
    voices = _NOTABLE / _SLOPE / shape.worth / FULL_VOICE
    louder = _standing_out(seen, names, shape, "complaints_")
    return GAIN * voices * louder.expand(-1, -1, shape.services)


RULES: Mapping[str, Rule] = {
    "as today": as_today,
    "complaints": follow_complaints,
    "voices": follow_voices,
}


def _standing_out(seen: Tensor, names: tuple[str, ...], shape: Shape, prefix: str) -> Tensor:
    """Observations by district ``[B, D, n]`` beyond their mean over districts."""
    chosen = [i for i, name in enumerate(names) if name.startswith(prefix)]
    found = seen[:, chosen].reshape(len(seen), shape.districts, -1)
    return found - found.mean(1, keepdim=True)


def play(env: GovernanceEnv, rule: Rule, steps: int, exaggeration: float = 0.0) -> dict[str, float]:
    """Means over worlds and steps of the scenario's measures, and of welfare ("overall").

    Args:
        exaggeration: what every panel adds to the truth; 1 drowns it.
    """
    group, panels = env.groups
    model = env.city.parameters.bd.om_service
    cells = env.city.start.services.staff[0].numel()
    shape = Shape(panels.size, cells // panels.size, float(model.sum(-1).mean()))
    seen, _ = env.reset(0)
    total: dict[str, float] = {}
    with torch.no_grad():
        for _ in range(steps):
            lived = seen[PANELS][..., : shape.services] * INDICATORS["quality_health"].scale
            voice = truthful(-lived) + exaggeration
            actions = {g.name: _nothing(env, g.size, len(g.action_names)) for g in env.groups}
            actions[PANELS][..., : shape.services] = voice
            staff = rule(seen[CITY][:, 0], group.observation_names, shape)
            actions[CITY][:, 0, :cells] = staff.flatten(1)
            result = env.step(actions)
            seen = dict(result.observations)
            found = {**result.info["measures"], "overall": result.info["welfare"]["overall"]}
            for name, value in found.items():
                total[name] = total.get(name, 0.0) + float(value.mean()) / steps
    return total


def _nothing(env: GovernanceEnv, agents: int, actions: int) -> Tensor:
    return torch.zeros(env.num_envs, agents, actions, dtype=env.dtype)


def compare(
    city: CityLike,
    worlds: int,
    months: int,
    exaggeration: float = 0.0,
    seed: int = 0,
    districts: int | None = None,
) -> dict[str, dict[str, float]]:
    """Every rule of ``RULES`` on the same worlds: rule -> measure -> mean."""
    steps = months // 3
    env = make(
        "participation_v0",
        city=city,
        num_envs=worlds,
        seed=seed,
        districts=districts,
        cities=min(worlds, 16),
        terminal="tail",
        horizon=3 * (steps + 1),
    )
    assert isinstance(env, GovernanceEnv)
    return {name: play(env, rule, steps, exaggeration) for name, rule in RULES.items()}
