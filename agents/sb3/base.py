"""What the learners of Stable-Baselines3 and sb3-contrib share.

Training is a chain of segments (`agents.segments`), each with the switches of realism that a
curriculum sets. Stable-Baselines3's own zip files hold pickles and are neither written nor read.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch import Tensor

from agents.central import CentralPolicy
from agents.network import RowPolicy
from agents.policy import BasePolicy
from agents.ppo_settings import SB3Settings
from agents.segments import (
    Segments,
    optimiser_tensors,
    part,
    read_checkpoint,
    restore_optimiser,
    with_prefix,
    write_checkpoint,
)
from envs.groups import Group

MODULES = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
OBSERVATION_BOUND = 10.0
MOMENTS = ("mean", "var", "count")


class World(Protocol):
    """The part of a batched environment that training needs to know."""

    @property
    def groups(self) -> Sequence[Group]: ...

    @property
    def months_per_step(self) -> int: ...

    @property
    def steps_per_episode(self) -> int: ...


class Watch(BaseCallback):
    """Reports every step to a progress display; keeps rewards and the welfare of ended episodes."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self.tick = tick
        self.rewards: list[float] = []
        self.welfare: list[float] = []

    def _on_step(self) -> bool:
        self.tick()
        self.rewards.append(float(self.locals["rewards"].mean()))
        for row in np.flatnonzero(self.locals["dones"]):
            ended = self.locals["infos"][row].get("welfare", {})
            if "overall" in ended:
                self.welfare.append(ended["overall"])
        return True

    def means(self) -> dict[str, float]:
        """Mean reward of the steps, and welfare of the episodes, since the last call."""
        kept = {"reward": self.rewards, "welfare": self.welfare}
        means = {k: float(np.mean(v)) if v else math.nan for k, v in kept.items()}
        self.rewards.clear()
        self.welfare.clear()
        return means


class SB3Learner(ABC):
    """Trains networks on a vector environment and hands them over as a policy.

    Args:
        settings: of the algorithm.
        env: `envs.sb3_vec_env(...)`: rows = environment x agent, or with control="central"
            rows = environment.
        world: the batched environment behind `env`: its groups, months per step, episode.
        seed: of the run; every segment derives its own.
        device: torch device of the networks.
    """

    kind: ClassVar[type[RowPolicy]]
    model: BaseAlgorithm

    def __init__(
        self, settings: Any, env: VecEnv, world: World, seed: int, device: str = "cpu"
    ) -> None:
        shared: SB3Settings = settings
        self.settings, self.world, self.groups = settings, world, tuple(world.groups)
        self.segments = Segments.of(shared, world.steps_per_episode, seed)
        self.rollout_steps = self.segments.rollout_steps
        self.discount = shared.monthly_discount**world.months_per_step
        self.central = shared.control == "central"
        self.moments: VecNormalize | None = None
        if shared.standardise:
            self.moments = VecNormalize(
                env, norm_reward=False, clip_obs=OBSERVATION_BOUND, gamma=self.discount
            )
        start, end = shared.learning_rate, shared.learning_rate_end
        self.model = self._model(
            self.moments or env,
            learning_rate=lambda remaining: end + (start - end) * remaining,
            gamma=self.discount,
            seed=self.segments.seed_of(0),
            device=device,
        )
        self.model.set_logger(Logger(None, []))

    @abstractmethod
    def _model(self, env: VecEnv, **shared: Any) -> BaseAlgorithm:
        """The algorithm; `shared` holds keywords that all of them take."""

    @abstractmethod
    def _rollout(self, rollout: int, env: VecEnv, callback: BaseCallback) -> None:
        """Live through a rollout and learn from it."""

    @abstractmethod
    def _weights(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The policy's weights but for the moments, from those of Stable-Baselines3's."""

    @abstractmethod
    def _optimisers(self) -> dict[str, torch.optim.Optimizer]: ...

    def _forget(self) -> None:  # noqa: B027
        """Clear what was remembered of running episodes, before a segment."""

    def _more(self) -> dict[str, Tensor]:
        """What a checkpoint holds besides weights, optimisers and moments."""
        return {}

    def _restore_more(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027
        """Take back what `_more` gave."""

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """See `agents.segments.Learner`."""
        model, env = self.model, self.model.get_env()
        assert env is not None
        rollouts = self.segments.rollouts_of(segment)
        steps = self.rollout_steps * env.num_envs
        met = self.segments.meet(self.world, segment)
        model.set_random_seed(self.segments.seed_of(segment))
        model.num_timesteps = rollouts.start * steps
        model._last_obs = None  # so that `_setup_learn` resets the environments
        self._forget()
        watch = Watch(tick)
        left = self.segments.rollouts * steps - model.num_timesteps
        _, callback = model._setup_learn(left, watch, reset_num_timesteps=False)
        for rollout in rollouts:
            model.logger.name_to_value.clear()
            self._rollout(rollout, env, callback)
            yield self._metrics(rollout + 1) | watch.means() | met

    def _metrics(self, rollout: int) -> dict[str, float]:
        logged = {
            name: float(value)
            for name, value in sorted(self.model.logger.name_to_value.items())
            if name.startswith("train/")
        }
        counts = {
            "rollout": float(rollout),
            "env_steps": float(rollout * self.rollout_steps * self.settings.num_envs),
        }
        return counts | logged

    def policy(self) -> BasePolicy:
        """The network as a policy that needs no learner."""
        state = {
            name: value.detach().cpu().clone()
            for name, value in self.model.policy.state_dict().items()
        }
        weights = self._weights(state)
        if self.moments is not None:
            weights["observation.mean"] = torch.tensor(self._moments().mean)
            weights["observation.variance"] = torch.tensor(self._moments().var)
        options = self.kind.Settings(**self._row_settings())
        if not self.central:
            return self.kind(self.groups, options, weights)
        sizes = {group.name: group.size for group in self.groups}
        inner = {"kind": self.kind.kind, **dataclasses.asdict(options)}
        return CentralPolicy(self.groups, CentralPolicy.Settings(sizes, inner), weights)

    def _row_settings(self) -> dict[str, Any]:
        observation, action = self.model.observation_space, self.model.action_space
        assert observation.shape is not None
        assert action.shape is not None
        identified = len(self.groups) > 1 and not self.central
        return {
            "hidden": self.settings.hidden,
            "activation": self.settings.activation,
            "observation_size": observation.shape[0] - (len(self.groups) if identified else 0),
            "action_size": action.shape[0],
            "identified": identified,
            "standardised": self.moments is not None,
            "clip": OBSERVATION_BOUND,
        }

    def _moments(self) -> RunningMeanStd:
        """Running moments of observations; only where they are standardised."""
        assert self.moments is not None
        assert isinstance(self.moments.obs_rms, RunningMeanStd)
        return self.moments.obs_rms

    def save(self, folder: Path, segment: int) -> None:
        """Write the checkpoint before `segment`: weights, optimisers, moments, and what more."""
        tensors = with_prefix("policy.", self.model.policy.state_dict())
        for name, optimiser in self._optimisers().items():
            tensors |= with_prefix(f"{name}.", optimiser_tensors(optimiser))
        tensors["updates"] = torch.tensor(self.model._n_updates)
        if self.moments is not None:
            moments = self._moments()
            tensors |= {
                f"moments.{name}": torch.as_tensor(getattr(moments, name), dtype=torch.float64)
                for name in MOMENTS
            }
        write_checkpoint(folder, segment, tensors | with_prefix("more.", self._more()))

    def restore(self, folder: Path) -> int:
        """Continue from a checkpoint; returns the next segment, 0 where there is no checkpoint."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        self.model.policy.load_state_dict(part(tensors, "policy."))
        self._restore_more(part(tensors, "more."))
        for name, optimiser in self._optimisers().items():
            restore_optimiser(optimiser, part(tensors, f"{name}."))
        self.model._n_updates = int(tensors["updates"])
        if self.moments is not None:
            moments = part(tensors, "moments.")
            self._moments().mean = moments["mean"].numpy()
            self._moments().var = moments["var"].numpy()
            self._moments().count = float(moments["count"])
        return segment


def renamed(
    state: Mapping[str, Tensor], modules: Sequence[str], name: str = "layers."
) -> dict[str, Tensor]:
    """Weights and biases of linear modules as those of the layers of a perceptron."""
    return {
        f"{name}{layer}.{what}": state[f"{module}.{what}"]
        for layer, module in enumerate(modules)
        for what in ("weight", "bias")
    }
