"""PPO with parameters shared by all agents: Stable-Baselines3 on the native vector environment.

Training is a chain of segments (`agents.segments`), each with the switches of realism that a
curriculum sets. Stable-Baselines3's own zip files hold pickles and are neither written nor read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from agents.network import NetworkPolicy
from agents.policy import GroupLike
from agents.ppo_settings import PPOSettings
from agents.segments import (
    Segments,
    optimiser_tensors,
    part,
    read_checkpoint,
    restore_optimiser,
    with_prefix,
    write_checkpoint,
)

MODULES = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
OBSERVATION_BOUND = 10.0
MOMENTS = ("mean", "var", "count")


class World(Protocol):
    """The part of a batched environment that training needs to know."""

    @property
    def groups(self) -> Sequence[GroupLike]: ...

    @property
    def months_per_step(self) -> int: ...

    @property
    def steps_per_episode(self) -> int: ...


class _Watch(BaseCallback):
    """Reports every step to a progress display and keeps the welfare of ended episodes."""

    def __init__(self, tick: Callable[[], None]) -> None:
        super().__init__()
        self.tick = tick
        self.welfare: list[float] = []

    def _on_step(self) -> bool:
        self.tick()
        for row in np.flatnonzero(self.locals["dones"]):
            ended = self.locals["infos"][row].get("welfare", {})
            if "overall" in ended:
                self.welfare.append(ended["overall"])
        return True

    def mean_welfare(self) -> float:
        """Mean over the rows of the episodes that ended since the last call."""
        mean = float(np.mean(self.welfare)) if self.welfare else math.nan
        self.welfare.clear()
        return mean


class PPOLearner:
    """Trains one network on a vector environment and hands it over as a policy.

    Args:
        settings: of the algorithm.
        env: `envs.sb3_vec_env(...)`, rows = environment x agent.
        world: the batched environment behind `env`: its groups, months per step, episode.
        seed: of the run; every segment derives its own.
        device: torch device of the network.
    """

    def __init__(
        self,
        settings: PPOSettings,
        env: VecEnv,
        world: World,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.settings, self.groups = settings, tuple(world.groups)
        self.segments = Segments.of(settings, world.steps_per_episode, seed)
        self.rollout_steps = self.segments.rollout_steps
        self.discount = settings.monthly_discount**world.months_per_step
        self.world = world
        self.moments: VecNormalize | None = None
        if settings.standardise:
            self.moments = VecNormalize(
                env, norm_reward=False, clip_obs=OBSERVATION_BOUND, gamma=self.discount
            )
        self.model = self._model(self.moments or env, device)
        self.model.set_logger(Logger(None, []))

    def _model(self, env: VecEnv, device: str) -> PPO:
        s = self.settings
        start, end = s.learning_rate, s.learning_rate_end
        rows = self.rollout_steps * env.num_envs
        return PPO(
            "MlpPolicy",
            env,
            learning_rate=lambda remaining: end + (start - end) * remaining,
            n_steps=self.rollout_steps,
            batch_size=math.ceil(rows / math.ceil(rows / s.batch_size)),  # batches of one size
            n_epochs=s.epochs,
            gamma=self.discount,
            gae_lambda=s.gae_lambda,
            clip_range=s.clip_range,
            ent_coef=s.entropy,
            vf_coef=s.value_weight,
            max_grad_norm=s.max_gradient,
            policy_kwargs={
                "net_arch": {"pi": list(s.hidden), "vf": list(s.hidden)},
                "activation_fn": MODULES[s.activation],
                "log_std_init": s.log_std,
            },
            seed=self.segments.seed_of(0),
            device=device,
        )

    def train(self, segment: int, tick: Callable[[], None]) -> Iterator[dict[str, float]]:
        """Train one segment; yields the metrics of each rollout.

        Args:
            segment: its number, from 0; all earlier ones must have been trained or restored.
            tick: called after every step of all environments.
        """
        model, env = self.model, self.model.get_env()
        assert env is not None
        rollouts = self.segments.rollouts_of(segment)
        met = self.segments.meet(self.world, segment)
        set_random_seed(self.segments.seed_of(segment))
        env.seed(self.segments.seed_of(segment))
        model.num_timesteps = rollouts.start * self.rollout_steps * env.num_envs
        model._last_obs = None  # so that the next line resets the environments
        watch = _Watch(tick)
        _, callback = model._setup_learn(0, watch, reset_num_timesteps=False)
        for rollout in rollouts:
            model._update_current_progress_remaining(rollout, self.segments.rollouts)
            model.collect_rollouts(env, callback, model.rollout_buffer, self.rollout_steps)
            model.train()
            yield self._metrics(rollout + 1, watch.mean_welfare()) | met

    def _metrics(self, rollout: int, welfare: float) -> dict[str, float]:
        logged = self.model.logger.name_to_value
        metrics = {
            "rollout": float(rollout),
            "env_steps": float(rollout * self.rollout_steps * self.settings.num_envs),
            "reward": float(self.model.rollout_buffer.rewards.mean()),
            "welfare": welfare,
        }
        metrics |= {key: float(logged[key]) for key in sorted(logged) if key.startswith("train/")}
        return metrics

    def policy(self) -> NetworkPolicy:
        """The network as a policy that needs no learner."""
        state = {
            name: value.detach().cpu() for name, value in self.model.policy.state_dict().items()
        }
        depth = len(self.settings.hidden)
        modules = [f"mlp_extractor.policy_net.{2 * layer}" for layer in range(depth)]
        weights = {"log_std": state["log_std"].clone()}
        for layer, module in enumerate([*modules, "action_net"]):
            for what in ("weight", "bias"):
                weights[f"layers.{layer}.{what}"] = state[f"{module}.{what}"].clone()
        if self.moments is not None:
            weights["observation.mean"] = torch.tensor(self._moments().mean)
            weights["observation.variance"] = torch.tensor(self._moments().var)
        return NetworkPolicy(self.groups, self._network_settings(), weights)

    def _network_settings(self) -> NetworkPolicy.Settings:
        observation, action = self.model.observation_space, self.model.action_space
        assert observation.shape is not None
        assert action.shape is not None
        identified = len(self.groups) > 1
        return NetworkPolicy.Settings(
            hidden=self.settings.hidden,
            activation=self.settings.activation,
            observation_size=observation.shape[0] - (len(self.groups) if identified else 0),
            action_size=action.shape[0],
            identified=identified,
            standardised=self.moments is not None,
            clip=OBSERVATION_BOUND,
        )

    def _moments(self) -> RunningMeanStd:
        """Running moments of observations; only where they are standardised."""
        assert self.moments is not None
        assert isinstance(self.moments.obs_rms, RunningMeanStd)
        return self.moments.obs_rms

    def save(self, folder: Path, segment: int) -> None:
        """Write the checkpoint before `segment`: weights, optimiser, moments of observations."""
        policy = self.model.policy
        tensors = with_prefix("policy.", policy.state_dict())
        tensors |= with_prefix("optimiser.", optimiser_tensors(policy.optimizer))
        if self.moments is not None:
            moments = self._moments()
            tensors |= {
                f"moments.{name}": torch.as_tensor(getattr(moments, name), dtype=torch.float64)
                for name in MOMENTS
            }
        write_checkpoint(folder, segment, tensors)

    def restore(self, folder: Path) -> int:
        """Continue from a checkpoint; returns the next segment, 0 where there is no checkpoint."""
        found = read_checkpoint(folder)
        if found is None:
            return 0
        segment, tensors = found
        self.model.policy.load_state_dict(part(tensors, "policy."))
        restore_optimiser(self.model.policy.optimizer, part(tensors, "optimiser."))
        self.model._n_updates = segment * self.settings.rollouts_per_segment * self.settings.epochs
        if self.moments is not None:
            moments = part(tensors, "moments.")
            self._moments().mean = moments["mean"].numpy()
            self._moments().var = moments["var"].numpy()
            self._moments().count = float(moments["count"])
        return segment
