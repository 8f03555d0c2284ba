"""Native PPO beside Stable-Baselines3's: the same loss, the same gradient, the same learning."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from agents.learners.advantages import advantages
from agents.learners.ppo import Batch, losses
from envs.adapters.sb3 import GovernanceVecEnv
from tests.lab.native import finish, learner
from tests.toys import Regulator

STEPS = 16


class Alone(gymnasium.Env[Any, Any]):
    """The regulator of `tests.toys` as a Gymnasium environment of its own, in numpy."""

    observation_space = gymnasium.spaces.Box(-10.0, 10.0, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.x, self.clock = self.np_random.standard_normal(), 0
        return self.seen(), {}

    def step(self, action: Any) -> Any:
        u = 2 * float(action[0])
        reward = -(self.x**2 + 0.1 * u**2)
        self.x = 0.9 * self.x + 0.5 * u + 0.1 * self.np_random.standard_normal()
        self.clock += 1
        return self.seen(), reward, False, self.clock == STEPS, {}

    def seen(self) -> Any:
        return np.array([self.x, self.clock / STEPS], np.float32)


def sb3(env: Any, seed: int = 0, **changes: Any) -> PPO:
    options: dict[str, Any] = {
        "n_steps": STEPS,
        "batch_size": 64,
        "n_epochs": 4,
        "gamma": 0.95,
        "gae_lambda": 0.9,
        "learning_rate": 3e-3,
        "policy_kwargs": {"net_arch": [16], "log_std_init": -0.5},
    }
    model = PPO("MlpPolicy", env, seed=seed, device="cpu", **options | changes)
    model.set_logger(Logger(None, []))
    return model


def native(seed: int = 0, rollouts: int = 1, **changes: Any) -> Any:
    options = {
        "monthly_discount": 0.95,
        "gae_lambda": 0.9,
        "learning_rate": 3e-3,
        "learning_rate_end": 3e-3,
        "log_std": -0.5,
        "standardise": False,
        "batch_size": 64,
        "rollouts_per_segment": rollouts,
    }
    return learner("ippo", Regulator(16, STEPS), rollouts, seed, **options | changes)


def copy_weights(model: PPO, trained: Any) -> None:
    """Give our networks the weights of Stable-Baselines3's."""
    state = model.policy.state_dict()
    (actor,), (critic,) = trained.actors, trained.critics
    for bank, hidden, head in (
        (actor.bank, "policy_net", "action_net"),
        (critic.bank, "value_net", "value_net"),
    ):
        for layer, name in enumerate((f"mlp_extractor.{hidden}.0", head)):
            bank.weights[layer].data.copy_(state[f"{name}.weight"][None])
            bank.biases[layer].data.copy_(state[f"{name}.bias"][None])
    actor.log_std.data.copy_(state["log_std"][None])


def test_loss_and_gradient_are_those_of_stable_baselines3() -> None:
    """One full batch after the policy has moved, so that ratios differ from one and are clipped."""
    model = sb3(
        GovernanceVecEnv(Regulator(16, STEPS)),
        batch_size=16 * STEPS,
        n_epochs=1,
        ent_coef=0.01,
        max_grad_norm=1e9,
    )
    _, callback = model._setup_learn(16 * STEPS)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, STEPS)
    with torch.no_grad():
        moved = torch.Generator().manual_seed(1)
        for parameter in model.policy.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=moved)
    trained = native(entropy=0.01)
    copy_weights(model, trained)
    buffer = model.rollout_buffer

    def rows(x: Any) -> torch.Tensor:
        return torch.as_tensor(x).reshape(STEPS * 16, 1, -1)

    batch = Batch(
        rows=rows(buffer.observations),
        actions=rows(buffer.actions),
        log_prob=rows(buffer.log_probs).squeeze(-1),
        advantages=rows(buffer.advantages).squeeze(-1),
        returns=rows(buffer.returns),
    )
    model.train()
    (actor,), (critic,) = trained.actors, trained.critics
    found = losses(actor, critic, batch, torch.zeros(len(batch.rows), 0), clip=0.2)
    total = found.total(trained.settings)
    total.backward()
    logged = model.logger.name_to_value
    assert 0.05 < logged["train/clip_fraction"] == pytest.approx(found.clipped.item(), abs=1e-6)
    assert found.policy.item() == pytest.approx(logged["train/policy_gradient_loss"], abs=1e-6)
    assert found.value.item() == pytest.approx(logged["train/value_loss"], rel=1e-6)
    assert total.item() == pytest.approx(logged["train/loss"], rel=1e-6, abs=1e-6)
    policy = model.policy
    for mine, theirs in (
        (actor.log_std, policy.log_std),
        (actor.bank.weights[0], policy.mlp_extractor.policy_net[0].weight),
        (actor.bank.biases[1], policy.action_net.bias),
        (critic.bank.weights[0], policy.mlp_extractor.value_net[0].weight),
        (critic.bank.weights[1], policy.value_net.weight),
    ):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(mine.grad[0], theirs.grad, rtol=1e-5, atol=1e-6)


def test_advantages_are_those_of_stable_baselines3() -> None:
    """Episodes are cut at the end of the rollout: the value of the last state counts."""
    model = sb3(GovernanceVecEnv(Regulator(16, STEPS)))
    _, callback = model._setup_learn(16 * STEPS)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, STEPS)
    buffer = model.rollout_buffer
    rewards, values = torch.as_tensor(buffer.rewards), torch.as_tensor(buffer.values)
    found = advantages(rewards, values, torch.zeros(16), 0.95, 0.9)  # theirs is in the reward
    assert np.allclose(found.numpy(), buffer.advantages, atol=1e-5)


def earned(act: Any) -> float:
    """Mean reward of a policy on held-out rows."""
    core = Regulator(256, STEPS)
    seen, _ = core.reset(seed=500)
    total = 0.0
    for _ in range(STEPS):
        result = core.step({"board": act(seen["board"])})
        seen, total = result.observations, total + float(result.rewards["board"].mean())
    return total / STEPS


def riccati() -> float:
    """The best feedback gain of the endless discounted problem, on the lever (u / 2)."""
    a, b, r, discount, p = 0.9, 0.5, 0.1, 0.95, 1.0
    for _ in range(500):
        gain = discount * a * b * p / (r + discount * b * b * p)
        p = 1 + discount * a * a * p - discount * a * b * p * gain
    return gain / 2


def test_native_ppo_learns_as_stable_baselines3_does_on_the_same_task() -> None:
    """Same hyper-parameters; theirs on Gymnasium environments one by one, ours on the batch."""
    gain = riccati()
    best = earned(lambda seen: (-gain * seen[..., :1]).clamp(-1, 1))
    idle = earned(lambda seen: torch.zeros_like(seen[..., :1]))
    ours, theirs = [], []
    for seed in (0, 1):
        trained = native(seed, rollouts=25)
        finish(trained)
        policy = trained.policy()
        ours.append(earned(lambda seen, policy=policy: policy.act({"board": seen})["board"]))
        model = sb3(DummyVecEnv([Alone for _ in range(16)]), seed)
        model.learn(25 * 16 * STEPS)

        def predict(seen: torch.Tensor, model: PPO = model) -> torch.Tensor:
            found, _ = model.predict(seen[:, 0].numpy(), deterministic=True)
            return torch.as_tensor(found).unsqueeze(1)

        theirs.append(earned(predict))
    shares = [[(x - idle) / (best - idle) for x in some] for some in (ours, theirs)]
    assert all(0.9 < share < 1.001 for some in shares for share in some), shares
    assert abs(np.mean(ours) - np.mean(theirs)) < 0.05 * (best - idle), shares
