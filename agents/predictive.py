"""Model-predictive control: a policy that carries a city of its own to plan on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

import envs
from agents.planning.model import Estimator, Model, Tracked, figures
from agents.planning.receding import RecedingHorizon
from agents.planning.settings import HorizonSettings, ModelSettings
from agents.policy import BasePolicy, GroupLike, Space, Tensors
from agents.schema import Between

#: Options of the scenario that a model never shares with the world: nobody knows which parameters
#: were drawn (what studies tell of them goes unused) or how chance will fall; stocks left count as
#: they build up, without a tail run; and credit leaves the welfare of the whole alone.
MODEL_OPTIONS: dict[str, Any] = {
    "uncertainty": 0.0,
    "studies": {},
    "chance": 0.0,
    "terminal": "costates",
    "credit": "shared",
}


class ModelPredictive(BasePolicy):
    """Plans for the next months on an estimated model, anew every few steps.

    The model is a city as it is known beforehand: the package at its own parameters where the
    world draws others, training draws of a twin, or training cities of a preset where others are
    governed. It starts at its first year and follows the real city by the actions taken and by the
    weather that the estimator tells from what is observed (`agents.planning.model.Tracked`); the
    true state, parameters and future are not seen. The model is built at the first action and
    anew when the number of rows changes.

    Weights: `gain` [W, 2 O] and `bound` [W] of the estimator (W levels of shocks, O figures
    observed by all agents, without what studies tell).
    """

    kind = "mpc"

    @dataclass(frozen=True)
    class Settings:
        """model: the city planned on; horizon: of plans; agents: number by group; levels: W."""

        model: ModelSettings
        horizon: HorizonSettings
        agents: dict[str, Annotated[int, Between(1, 100_000)]]
        levels: Annotated[int, Between(1, 100_000)]

    def __init__(
        self, spaces: Sequence[GroupLike], settings: Settings, weights: Mapping[str, Tensor]
    ) -> None:
        super().__init__(spaces, settings, weights)
        self.sizes = settings.agents
        self._planner: RecedingHorizon | None = None
        self._taken: dict[str, Tensor] | None = None

    @classmethod
    def weight_shapes(
        cls, spaces: Sequence[Space], settings: Settings
    ) -> dict[str, tuple[int, ...]]:
        seen = sum(settings.agents.get(s.name, 0) * figures(s.observation_names) for s in spaces)
        return {"gain": (settings.levels, 2 * seen), "bound": (settings.levels,)}

    def reset(self, num_envs: int) -> None:
        self._taken = None

    @torch.no_grad()
    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, Tensor]:
        planner = self._ready(next(iter(observations.values())))
        if self._taken is None or planner.clock == planner.tracked.model.steps_per_episode:
            planner.tracked.begin()
            planner.begin()
        else:
            planner.tracked.follow(self._taken, observations)
        self._taken = planner.act()
        return dict(self._taken)

    def _ready(self, like: Tensor) -> RecedingHorizon:
        """A planner for rows, device and number format of what is observed."""
        planner, rows = self._planner, like.shape[0]
        if planner is None or planner.tracked.rows != rows:
            chosen, estimator = self.options.model, Estimator(**self.tensors)

            def make(number: int) -> Model:
                world: Model = build(chosen, number, like.device, like.dtype)
                return world

            tracked = Tracked(make, rows, chosen.cities, estimator)
            self._planner = planner = RecedingHorizon(tracked, self.options.horizon)
            self._taken = None
        return planner


def build(
    settings: ModelSettings,
    rows: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Any:
    """The environment of a model.

    Raises:
        ValueError: a scenario that cannot look ahead, or options out of range.
        TypeError: unknown options.
    """
    options = settings.options | MODEL_OPTIONS
    if settings.districts is not None:
        options["districts"] = settings.districts
    world: Any = envs.make(
        settings.scenario,
        city=settings.city,
        num_envs=rows,
        device=device,
        dtype=dtype,
        cities=settings.cities,
        **options,
    )
    if not isinstance(world, Model):
        raise ValueError(f"scenario {settings.scenario!r} cannot look ahead: nothing to plan on")
    return world


def policy_settings(
    model: ModelSettings, horizon: HorizonSettings, groups: Sequence[Any], levels: int
) -> ModelPredictive.Settings:
    """Settings of a policy for the groups of an environment."""
    return ModelPredictive.Settings(model, horizon, {g.name: g.size for g in groups}, levels)


def weights(estimator: Estimator) -> dict[str, Tensor]:
    """An estimator as the weights of a policy."""
    return {"gain": estimator.gain, "bound": estimator.bound}
