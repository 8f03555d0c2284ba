"""Shared pieces of scenarios: observations from indicators, actions from levers, goals."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from envs.city.indicators import INDICATORS, change
from envs.city.levers import LEVERS
from envs.scenario import Scene
from envs.view import View

_REVISED = "revised_"


def revised(names: Sequence[str]) -> tuple[str, ...]:
    """Names of observations that are a year old and revised."""
    return tuple(f"{_REVISED}{name}" for name in names)


def figure_columns(view: View, viewer: str, names: Sequence[str], place: str = "") -> list[Tensor]:
    """Normalised changes of published figures since the first year ``[B]`` or ``[B, D]`` each.

    Args:
        names: of indicators, or of ``revised`` ones; place: ``DISTRICT`` or nothing.
    """
    return [
        view.change(place + name.removeprefix(_REVISED), viewer, name.startswith(_REVISED))
        for name in names
    ]


def lever_columns(view: View, names: Sequence[str]) -> list[Tensor]:
    """Mean setting in force of levers ``[B]`` each, 0 at today's, 1 at the upper bound."""
    columns = []
    for name in names:
        lever = LEVERS[name]
        value = view.policy[name]
        mean = value.reshape(value.shape[0], -1).mean(-1)
        columns.append((mean - lever.default) / (lever.high - lever.low))
    return columns


def per_group(columns: Tensor, agents: int) -> Tensor:
    """Give every agent of a group the same columns: ``[B, C]`` to ``[B, agents, C]``."""
    return columns.unsqueeze(1).expand(-1, agents, -1)


def against_twin(scene: Scene, name: str, district: bool = False) -> Tensor:
    """An indicator against the twin, in notable changes, signed so that more is better."""
    row = INDICATORS[name]
    formula = row.district if district else row.city
    if formula is None:
        raise ValueError(f"indicator {name!r} has no district values")
    value = formula(scene.city, scene.state, scene.flows) if district else scene.value(name)
    twin = formula(scene.city, scene.twin_state, scene.twin_flows)
    return row.better * change(row, value, twin)


def spread(value: Tensor, like: Tensor) -> Tensor:
    """Broadcast a city-wide setting ``[B]`` over the shape of a lever ``[B, ...]``."""
    return value.reshape(-1, *(1,) * (like.dim() - 1)).expand_as(like)
