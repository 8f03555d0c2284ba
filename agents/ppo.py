"""PPO: Stable-Baselines3 on the native vector environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.network import NetworkPolicy, RowPolicy
from agents.sb3.base import MODULES, SB3Learner, renamed


class PPOLearner(SB3Learner):
    """Proximal policy optimisation (Schulman et al. 2017); see `SB3Learner`."""

    kind: ClassVar[type[RowPolicy]] = NetworkPolicy
    model: OnPolicyAlgorithm

    def _model(self, env: VecEnv, **shared: Any) -> OnPolicyAlgorithm:
        return PPO("MlpPolicy", env, **self._options(env), **shared)

    def _options(self, env: VecEnv) -> dict[str, Any]:
        s = self.settings
        rows = self.rollout_steps * env.num_envs
        return {
            "n_steps": self.rollout_steps,
            "batch_size": math.ceil(rows / math.ceil(rows / s.batch_size)),  # batches of one size
            "n_epochs": s.epochs,
            "gae_lambda": s.gae_lambda,
            "clip_range": s.clip_range,
            "ent_coef": s.entropy,
            "vf_coef": s.value_weight,
            "max_grad_norm": s.max_gradient,
            "policy_kwargs": {
                "net_arch": {"pi": list(s.hidden), "vf": list(s.hidden)},
                "activation_fn": MODULES[s.activation],
                "log_std_init": s.log_std,
            },
        }

    def _rollout(self, rollout: int, env: VecEnv, callback: BaseCallback) -> None:
        model = self.model
        model._update_current_progress_remaining(rollout, self.segments.rollouts)
        model.collect_rollouts(env, callback, model.rollout_buffer, self.rollout_steps)
        model.train()

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimiser": self.model.policy.optimizer}

    def _weights(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        depth = len(self.settings.hidden)
        modules = [f"mlp_extractor.policy_net.{2 * layer}" for layer in range(depth)]
        return {"log_std": state["log_std"]} | renamed(state, [*modules, "action_net"])
