"""Learners of Stable-Baselines3 and sb3-contrib: they learn, resume, and hand over what they are.

Every claim is tested with shared parameters and with one governor for all.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

import agents
import configs
from agents import sb3
from agents.ppo_settings import SB3Settings
from agents.sb3.settings import SB3
from agents.schema import read
from experiments import config
from experiments.errors import InputError
from experiments.train import train
from tests.fakes import FakeCore
from tests.lab.native import finish, same, weights
from tests.toys import Toy

#: Small networks and runs; every other value is the shipped one.
SMALL: dict[str, Any] = {
    "num_envs": 4,
    "rollouts_per_segment": 2,
    "hidden": [8],
    "memory": 8,
    "batch_size": 32,
    "epochs": 2,
    "warm_up": 10,
    "replay": 200,
    "monthly_discount": 0.9,
    "quantiles": 5,
    "dropped_share": 0.2,
}
EVERY = [(kind, control) for kind in SB3 for control in ("shared", "central")]


def learner(kind: str, world: Any, rollouts: int, seed: int = 0, **changes: Any) -> Any:
    """A learner of `rollouts` episodes of every row: shipped settings, made small, changed."""
    path = configs.root() / "agent" / f"{kind}.yaml"
    shipped = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert shipped.pop("kind") == kind
    small = {key: value for key, value in SMALL.items() if key in shipped}
    steps = rollouts * world.num_envs * world.steps_per_episode
    sized = {"num_envs": world.num_envs, "env_steps": steps}
    return sb3.make(read(SB3[kind], shipped | small | sized | changes, kind), world, seed)


def small(kind: str, control: str, seed: int = 0) -> Any:
    """Two segments of two episodes in the fake world, whose groups are unequal."""
    return learner(kind, FakeCore(num_envs=4, horizon=15), 4, seed, control=control)


def predicted(trained: Any, num_envs: int, steps: int, seed: int) -> list[np.ndarray]:
    """What Stable-Baselines3's own model does in an episode, row by row."""
    env, model = sb3.view(FakeCore(num_envs=num_envs, horizon=15), trained.settings), trained.model
    env.seed(seed)
    rows, state, begins = env.reset(), None, np.ones(env.num_envs, dtype=bool)
    actions = []
    for _ in range(steps):
        seen = rows if trained.moments is None else trained.moments.normalize_obs(rows)
        action, state = model.predict(seen, state, begins, deterministic=True)
        rows, _, begins, _ = env.step(action)
        actions.append(action)
    return actions


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_the_policy_file_acts_as_the_model_predicts(
    kind: str, control: str, tmp_path: Path
) -> None:
    trained = small(kind, control)
    finish(trained)
    agents.save(trained.policy(), tmp_path)
    policy = agents.load(tmp_path)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".json", ".safetensors"]
    for num_envs in (3, 5):
        core = FakeCore(num_envs=num_envs, horizon=15)
        seen, _ = core.reset(seed=11)
        policy.reset(num_envs)
        for wanted in predicted(trained, num_envs, 4, seed=11):
            levers = policy.act(seen)
            if control == "central":
                both = torch.cat([levers["planning"].flatten(1), levers["boards"].flatten(1)], 1)
                assert both.numpy() == pytest.approx(wanted, abs=1e-5)
            else:
                rows = wanted.reshape(num_envs, 4, 2)
                assert levers["planning"].numpy() == pytest.approx(rows[:, :1], abs=1e-5)
                assert levers["boards"].numpy() == pytest.approx(rows[:, 1:, :1], abs=1e-5)
            assert np.abs(wanted).max() > 1e-3
            seen = dict(core.step(levers).observations)
    assert agents.mismatches(policy, core.groups) == []


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_a_resumed_run_ends_with_the_same_bits_and_metrics(
    kind: str, control: str, tmp_path: Path
) -> None:
    straight, stopped, resumed = (small(kind, control) for _ in range(3))
    whole = finish(straight)
    assert len(whole) == 4
    list(stopped.train(0, lambda: None))
    stopped.save(tmp_path, 1)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".json", ".safetensors"]
    assert resumed.restore(tmp_path) == 1
    assert finish(resumed, 1) == whole[2:]
    assert same(weights(straight), weights(resumed))
    assert not same(weights(stopped), weights(resumed))


@pytest.mark.parametrize("kind", SB3)
def test_a_seed_gives_the_same_numbers_and_another_seed_others(kind: str) -> None:
    one, again, other = small(kind, "shared"), small(kind, "shared"), small(kind, "shared", 1)
    assert finish(one) == finish(again)
    finish(other)
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))


def test_a_full_replay_buffer_resumes_where_it_would_have_written(tmp_path: Path) -> None:
    """20 transitions of each row are lived through before the stop, 15 are kept."""
    changes = {"replay": 60, "rollouts_per_segment": 4, "control": "central", "updates": 1}
    straight, stopped, resumed = (
        learner("sac", FakeCore(num_envs=4, horizon=15), 8, **changes) for _ in range(3)
    )
    finish(straight)
    list(stopped.train(0, lambda: None))
    assert stopped.model.replay_buffer.full
    assert stopped.model.replay_buffer.pos == 5
    stopped.save(tmp_path, 1)
    resumed.restore(tmp_path)
    finish(resumed, 1)
    assert same(weights(straight), weights(resumed))


def earned(policy: Any, world: Any) -> float:
    """Mean reward of an episode on held-out rows."""
    seen, _ = world.reset(seed=500)
    policy.reset(world.num_envs)
    total = 0.0
    for _ in range(world.steps_per_episode):
        result = world.step(policy.act(seen))
        seen = result.observations
        total += float(torch.cat([*result.rewards.values()], 1).mean())
    return total / world.steps_per_episode


LESSONS: dict[str, dict[str, Any]] = {
    "ppo": {"learning_rate": 1e-2, "epochs": 5, "log_std": -1.0},
    "recurrent_ppo": {"learning_rate": 2e-2, "epochs": 4, "log_std": -1.0, "batch_size": 160},
    "sac": {"learning_rate": 1e-2, "updates": 4, "replay": 10_000},
    "tqc": {"learning_rate": 1e-2, "updates": 4, "replay": 10_000},
}


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_every_learner_repeats_the_signal(kind: str, control: str) -> None:
    """Today's setting earns 1/6, repeating the signal 1/2; they close most of the gap."""
    rows = 8 if control == "shared" else 16
    changes = {"hidden": [32], "batch_size": 64, "control": control} | LESSONS[kind]
    trained = learner(kind, FakeCore(num_envs=rows, horizon=15), 16, **changes)
    finish(trained)
    gained = earned(trained.policy(), FakeCore(num_envs=256, horizon=15))
    assert gained > 0.4


class Recall(Toy):
    """The target is seen in the first step alone; every step rewards a lever that repeats it."""

    def first(self) -> Tensor:
        return torch.tanh(self.noise[:, -1])

    def observe(self) -> dict[str, Tensor]:
        seen = self.x if self.clock == 0 else torch.zeros_like(self.x)
        rest = torch.full_like(self.x, self.elapsed())
        return {"board": torch.stack([seen, rest], -1).unsqueeze(1)}

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        miss = (actions["board"][:, 0, 0] - self.x).square()
        return {"board": -miss.unsqueeze(-1)}, self.nothing()


def test_a_memory_recalls_what_no_other_policy_can_know() -> None:
    """Without a memory the best levers after the first step are those of today."""
    world = Recall(256, 3)
    blind = -2 / 3 * float(world.x.square().mean())
    changes = {"learning_rate": 2e-2, "epochs": 5, "log_std": -1.0, "batch_size": 96}
    trained = learner("recurrent_ppo", Recall(32, 3), 25, hidden=[16], **changes)
    finish(trained)
    gained = earned(trained.policy(), world)
    assert gained > 0.5 * blind


def test_settings_of_no_learner_are_refused() -> None:
    with pytest.raises(TypeError, match="expected settings of ppo, sac, tqc, recurrent_ppo"):
        sb3.make(SB3Settings.__new__(SB3Settings), FakeCore(), 0)


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_every_learner_fills_a_run_folder(
    kind: str, control: str, fake_world: None, tmp_path: Path
) -> None:
    chosen = [f"agent={kind}", f"agent.control={control}", "experiment=quick"]
    world = ["scenario.id=fake_v0", "scenario.horizon=15", f"runs={tmp_path}"]
    sized = ["agent.num_envs=4", "agent.env_steps=40", "agent.rollouts_per_segment=1"]
    more = ["agent.warm_up=10"] if kind in ("sac", "tqc") else ["agent.epochs=1"]
    run, worked = train(config.load([*chosen, *world, *sized, *more]), [])
    assert worked
    assert run.finished
    rows = list(csv.DictReader((run.folder / "metrics.csv").open()))
    assert [row["env_steps"] for row in rows] == ["20.0", "40.0"]
    assert all(float(row["reward"]) < 0.5 for row in rows)
    assert float(rows[-1]["train/learning_rate"]) < 1e-3
    assert list((run.folder / "tensorboard").iterdir())
    kinds = {"ppo": "network", "recurrent_ppo": "recurrent"}
    inner = kinds.get(kind, "squashed")
    assert agents.load(run.policy).kind == ("central" if control == "central" else inner)


def test_a_wrong_control_is_refused_with_the_choices(fake_world: None) -> None:
    with pytest.raises(InputError, match=r"agent.control: unknown choice 'centre'; .*'central'"):
        config.load(["agent=sac", "agent.control=centre"])
