"""Native learners from the command line: run folders, a killed process, the real city."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import agents
import envs
from agents.learners import NATIVE
from agents.segments import read_checkpoint
from experiments import config
from experiments.runs import Run, run_of
from experiments.train import train
from tests.lab.native import learner, same
from tests.toys import Pigou

TINY = [
    "agent=mappo_lagrangian",
    "scenario.horizon=6",
    "scenario.dynamics=trend",
    "districts=3",
    "cities=1",
    "agent.num_envs=2",
    "agent.env_steps=40",
    "agent.rollouts_per_segment=1",
    "agent.hidden=[8]",
    "experiment=quick",
    "experiment.evaluation.cities=2",
]


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(load_file(run.policy / "weights.safetensors"))


def test_a_killed_process_is_resumed_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL in the middle of a run on the city model; the same command goes on.

    The comparison with rules, which is the slow part and comes after learning, is left out.
    """
    monkeypatch.setattr("experiments.train.held_out", lambda _: None)
    monkeypatch.setattr("experiments.train.compare", lambda *_: {"table": []})
    overrides = [*TINY, f"runs={tmp_path / 'killed'}"]
    command = [sys.executable, "-m", "experiments.cli", "train", *overrides]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | _path()
    )
    killed = run_of(config.load(overrides))
    while process.poll() is None and (read_checkpoint(killed.checkpoint) or (0,))[0] < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    found = read_checkpoint(killed.checkpoint)
    assert found is not None
    assert 2 <= found[0] < 10
    assert not killed.policy.exists()
    resumed, _ = train(config.load(overrides), [])
    straight, _ = train(config.load([*TINY, f"runs={tmp_path / 'straight'}"]), [])
    assert same(weights(straight), weights(resumed))
    metrics = [(run.folder / "metrics.csv").read_bytes() for run in (straight, resumed)]
    assert metrics[0] == metrics[1]
    rows = list(csv.DictReader((resumed.folder / "metrics.csv").open()))
    assert len(rows) == 10
    assert {"cost/industry/deficit", "multiplier/industry/deficit"} <= rows[0].keys()


def _path() -> dict[str, str]:
    """The subprocess finds the packages that this process runs."""
    return {"PYTHONPATH": str(Path(agents.__file__).resolve().parents[1])}


@pytest.mark.parametrize("kind", NATIVE)
def test_every_learner_fills_a_run_folder(
    kind: str, fake_world: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, num_envs: int, seed: int, **_: Any) -> Pigou:
        return Pigou(num_envs, 5, seed)

    monkeypatch.setattr(envs, "make", make, raising=False)
    monkeypatch.setattr("experiments.train.compare", lambda *_: {"table": []})
    sized = ["agent.num_envs=4", "agent.env_steps=40", "agent.rollouts_per_segment=1"]
    overrides = [f"agent={kind}", "scenario.id=fake_v0", "experiment=quick", *sized]
    run, worked = train(config.load([*overrides, f"runs={tmp_path}"]), [])
    assert worked
    assert run.finished
    rows = list(csv.DictReader((run.folder / "metrics.csv").open()))
    assert [row["env_steps"] for row in rows] == ["20.0", "40.0"]
    assert list((run.folder / "tensorboard").iterdir())
    assert agents.load(run.policy).kind in ("network", "networks", "feedback")


def test_the_gradient_of_the_city_improves_on_today_and_moves_every_lever(
    quick_city: Callable[[], Any],
) -> None:
    changes = {"learning_rate": 2e-2, "window": 2, "rollouts_per_segment": 6}
    trained = learner("feedback", quick_city(), 6, **changes)
    rows = list(trained.train(0, lambda: None))
    assert rows[-1]["reward"] > rows[0]["reward"] + 0.05
    plans = {k: x for k, x in trained.policy().weights().items() if k.endswith(".plan")}
    assert len(plans) == 4
    assert all(bool((plan != 0).all()) for plan in plans.values())


def test_networks_learn_from_the_gradient_of_the_city(quick_city: Callable[[], Any]) -> None:
    """Biases of the last layer start at zero; one episode moves all of them."""
    trained = learner("actor_critic", quick_city(), 1, window=2, rollouts_per_segment=1)
    (row,) = trained.train(0, lambda: None)
    assert row["train/gradient"] > 0
    assert row["train/value_loss"] > 0
    biases = {k: x for k, x in trained.policy().weights().items() if k.endswith("layers.1.bias")}
    assert len(biases) == 4
    assert all(bool((bias != 0).all()) for bias in biases.values())


@pytest.fixture
def quick_city() -> Callable[[], Any]:
    """A small city with four decisions."""
    return lambda: envs.make(
        "city_v0", districts=3, cities=1, num_envs=2, horizon=12, dynamics="trend"
    )


def test_a_cut_graph_ends_where_it_was_cut(quick_city: Callable[[], Any]) -> None:
    env = quick_city()
    levers = {g.name: torch.zeros(2, g.size, len(g.action_names)) for g in env.groups}
    early = {name: x.clone().requires_grad_() for name, x in levers.items()}
    env.reset(seed=0)
    env.step(early)
    kept = env.step(levers).rewards["planning"].sum()
    assert kept.requires_grad
    env.reset(seed=0)
    env.step(early)
    env.detach()
    cut = env.step(levers).rewards["planning"].sum()
    assert not cut.requires_grad
    assert torch.equal(kept.detach(), cut)
