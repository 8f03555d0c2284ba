"""SAC and TQC: off-policy learners of Stable-Baselines3 and sb3-contrib.

What they have lived through is part of what they are: the replay buffer is kept in every
checkpoint (as tensors), so that a resumed run computes the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sb3_contrib import TQC
from stable_baselines3 import SAC
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.sb3.base import MODULES, SB3Learner, renamed
from agents.squashed import SquashedPolicy

REPLAYED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


class SACLearner(SB3Learner):
    """Soft actor-critic (Haarnoja et al. 2018) with a learnt temperature; see `SB3Learner`."""

    kind = SquashedPolicy
    model: SAC | TQC

    def _model(self, env: VecEnv, **shared: Any) -> SAC | TQC:
        return SAC("MlpPolicy", env, **self._options(env), **shared)

    def _options(self, env: VecEnv) -> dict[str, Any]:
        s = self.settings
        assert env.action_space.shape is not None
        return {
            "buffer_size": s.replay,
            "learning_starts": s.warm_up * (env.num_envs // s.num_envs),
            "batch_size": s.batch_size,
            "tau": s.target_rate,
            "ent_coef": f"auto_{s.temperature}",
            "target_entropy": s.entropy_of_a_lever * env.action_space.shape[0],
            "policy_kwargs": {
                "net_arch": list(s.hidden),
                "activation_fn": MODULES[s.activation],
            },
        }

    def _rollout(self, rollout: int, env: VecEnv, callback: BaseCallback) -> None:
        model, every = self.model, self.settings.steps_per_update
        for start in range(0, self.rollout_steps, every):
            steps = min(every, self.rollout_steps - start)
            model.collect_rollouts(
                env,
                callback,
                TrainFreq(steps, TrainFrequencyUnit.STEP),
                self._replay(),
                learning_starts=model.learning_starts,
            )
            if model.num_timesteps > model.learning_starts:
                model.train(self.settings.updates, self.settings.batch_size)

    def _replay(self) -> ReplayBuffer:
        assert self.model.replay_buffer is not None
        return self.model.replay_buffer

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        model = self.model
        assert model.ent_coef_optimizer is not None
        return {
            "actor": model.actor.optimizer,
            "critic": model.critic.optimizer,
            "temperature": model.ent_coef_optimizer,
        }

    def _more(self) -> dict[str, Tensor]:
        assert self.model.log_ent_coef is not None
        replay = self._replay()
        filled = replay.size()
        tensors = {
            f"replay.{name}": torch.as_tensor(getattr(replay, name)[:filled]) for name in REPLAYED
        }
        return tensors | {
            "log_temperature": self.model.log_ent_coef,
            "place": torch.tensor([replay.pos, int(replay.full)]),
        }

    def _restore_more(self, tensors: Mapping[str, Tensor]) -> None:
        assert self.model.log_ent_coef is not None
        self.model.log_ent_coef.data.copy_(tensors["log_temperature"])
        replay = self._replay()
        replay.pos, replay.full = int(tensors["place"][0]), bool(tensors["place"][1])
        for name in REPLAYED:
            getattr(replay, name)[: replay.size()] = tensors[f"replay.{name}"].numpy()

    def _weights(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        depth = len(self.settings.hidden)
        modules = [f"actor.latent_pi.{2 * layer}" for layer in range(depth)]
        spread = {f"log_std.{what}": state[f"actor.log_std.{what}"] for what in ("weight", "bias")}
        return spread | renamed(state, [*modules, "actor.mu"])


class TQCLearner(SACLearner):
    """Truncated quantile critics (Kuznetsov et al. 2020); see `SB3Learner`."""

    def _model(self, env: VecEnv, **shared: Any) -> SAC | TQC:
        s, options = self.settings, self._options(env)
        options["policy_kwargs"] |= {"n_quantiles": s.quantiles, "n_critics": s.critics}
        dropped = round(s.dropped_share * s.quantiles)
        return TQC("MlpPolicy", env, top_quantiles_to_drop_per_net=dropped, **options, **shared)
