"""Recurrent PPO: sb3-contrib on the native vector environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from agents.ppo import PPOLearner
from agents.recurrent import RecurrentPolicy

PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class RecurrentPPOLearner(PPOLearner):
    """PPO whose policy and value each remember by an LSTM; see `SB3Learner`."""

    kind = RecurrentPolicy
    model: RecurrentPPO

    def _model(self, env: VecEnv, **shared: Any) -> RecurrentPPO:
        options = self._options(env)
        options["policy_kwargs"] |= {"lstm_hidden_size": self.settings.memory}
        return RecurrentPPO("MlpLstmPolicy", env, **options, **shared)

    def _forget(self) -> None:
        model: Any = self.model
        last = model._last_lstm_states
        blank = [tuple(torch.zeros_like(x) for x in pair) for pair in (last.pi, last.vf)]
        model._last_lstm_states = RNNStates(*blank)

    def _weights(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        memory = {f"memory.{name}": state[f"lstm_actor.{name}_l0"] for name in PARTS}
        return super()._weights(state) | memory

    def _row_settings(self) -> dict[str, Any]:
        return super()._row_settings() | {"memory": self.settings.memory}
