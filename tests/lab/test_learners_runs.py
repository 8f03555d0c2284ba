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
from experiments.errors import InputError
from experiments.runs import Run, run_of
from experiments.train import train
from tests.lab.native import finish, learner, same
from tests.toys import Pigou

TINY = [
    "agent=actor_critic",
    "scenario.id=fake_v0",
    "agent.num_envs=4",
    "agent.env_steps=1600",
    "agent.rollouts_per_segment=1",
    "agent.window=4",
    "experiment=quick",
]
#: `polislab` in a process of its own, in which the scenario `fake_v0` is a toy.
PROGRAM = """
import sys
import envs
from envs import registry
from envs.scenarios.city_v0 import CityV0
from tests.toys import Pigou
offered = registry.scenarios() | {"fake_v0": CityV0}
registry.scenarios = lambda: offered
envs.make = lambda name, num_envs, seed, **_: Pigou(num_envs, 10, seed)
from experiments.cli import main
main()
"""


@pytest.fixture
def toy_world(fake_world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scenario in this process; the comparison after learning is left out."""

    def make(name: str, num_envs: int, seed: int, **_: Any) -> Pigou:
        return Pigou(num_envs, 10, seed)

    monkeypatch.setattr(envs, "make", make, raising=False)
    monkeypatch.setattr("experiments.train.compare", lambda *_: {"table": []})


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(load_file(run.policy / "weights.safetensors"))


def test_a_killed_process_is_resumed_to_the_same_bits(toy_world: None, tmp_path: Path) -> None:
    """SIGKILL in the middle of `polislab train`; the same configuration goes on."""
    overrides = [*TINY, f"runs={tmp_path / 'killed'}"]
    command = [sys.executable, "-c", PROGRAM, "train", *overrides]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | _path()
    )
    killed = run_of(config.load(overrides))
    while process.poll() is None and (read_checkpoint(killed.checkpoint) or (0,))[0] < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    found = read_checkpoint(killed.checkpoint)
    assert found is not None
    assert 3 <= found[0] < 40
    assert not killed.policy.exists()
    resumed, _ = train(config.load(overrides), [])
    straight, _ = train(config.load([*TINY, f"runs={tmp_path / 'straight'}"]), [])
    assert same(weights(straight), weights(resumed))
    metrics = [(run.folder / "metrics.csv").read_bytes() for run in (straight, resumed)]
    assert metrics[0] == metrics[1]
    assert len(metrics[0].splitlines()) == 41


def _path() -> dict[str, str]:
    """The subprocess finds the packages and tests that this process runs."""
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_a_run_of_before_a_setting_came_is_read_with_the_shipped_value() -> None:
    now = config.load(["agent=feedback"])
    old = {k: v for k, v in now.resolved["agent"].items() if k != "start"}
    assert config.load([], base=now.resolved | {"agent": old}) == now


def test_a_run_is_named_alike_wherever_the_runs_are() -> None:
    here, there = (
        config.load(["agent=feedback", f"runs={place}", f"agent.start={place}/plans/ab/seed-0"])
        for place in ("runs", "/far/away")
    )
    assert run_of(here).folder.relative_to("runs") == run_of(there).folder.relative_to("/far/away")


@pytest.mark.parametrize("kind", NATIVE)
def test_every_learner_fills_a_run_folder(kind: str, toy_world: None, tmp_path: Path) -> None:
    sized = ["agent.num_envs=4", "agent.env_steps=80", "agent.rollouts_per_segment=1"]
    overrides = [f"agent={kind}", "scenario.id=fake_v0", "experiment=quick", *sized]
    run, worked = train(config.load([*overrides, f"runs={tmp_path}"]), [])
    assert worked
    assert run.finished
    rows = list(csv.DictReader((run.folder / "metrics.csv").open()))
    assert [row["env_steps"] for row in rows] == ["40.0", "80.0"]
    assert list((run.folder / "tensorboard").iterdir())
    laws = ("feedback", "context_feedback", "adaptive_feedback")
    assert agents.load(run.policy).kind in ("network", "networks", "context", *laws)


def test_a_law_starts_from_the_plan_of_another_run(toy_world: None, tmp_path: Path) -> None:
    """Five settings become two, by their means; with no steps to take the law is that plan."""
    toy = Pigou(1, 10)
    levers = torch.linspace(-0.5, 0.5, 10).unsqueeze(-1)
    (group,) = toy.groups
    plan = agents.Plan(toy.groups, agents.Plan.Settings(10), {f"levers.{group.name}": levers})
    folder = agents.save(plan, tmp_path / "plan")
    sized = ["agent.num_envs=4", "agent.env_steps=80", "agent.rollouts_per_segment=1"]
    other = tmp_path / "seeds" / "seed-3"
    rates = ["agent.learning_rate=0.0", "agent.gain_learning_rate=0.0", "agent.periods=2"]
    words = ["agent=feedback", "scenario.id=fake_v0", "experiment=quick", *sized, *rates]
    words += [f"agent.start={folder}", f"runs={tmp_path}"]
    run, _ = train(config.load(words), [])
    learnt: Any = agents.load(run.policy)
    expected = torch.cat([levers[half].mean(0).expand(5, 1) for half in (slice(5), slice(5, 10))])
    torch.testing.assert_close(learnt.course(10)[group.name], expected)
    again, _ = train(config.load([*words, f"agent.start={run.folder}"]), [])
    assert same(agents.load(again.policy).weights(), learnt.weights())
    each = [*words, f"agent.start={tmp_path / 'seeds'}"]
    mirrored = {f"levers.{group.name}": -levers}
    agents.save(agents.Plan(toy.groups, agents.Plan.Settings(10), mirrored), other)
    own, _ = train(config.load([*each, "seed=3"]), [])
    torch.testing.assert_close(agents.load(own.policy).course(10)[group.name], -expected)
    with pytest.raises(InputError, match=r"seeds/seed-4: .*no such file"):
        train(config.load([*each, "seed=4"]), [])


def test_a_plan_of_more_periods_than_steps_is_taken_as_far_as_it_goes() -> None:
    core = Pigou(2, 4)
    trained = learner("feedback", core, 1, periods=10)
    (group,) = core.groups
    levers = torch.tensor([[0.1], [0.2], [0.3], [0.4]])
    trained.begin({group.name: levers})
    torch.testing.assert_close(trained.policy().course(4)[group.name], levers)
    assert bool(trained.policy().weights()[f"{group.name}.plan"].isfinite().all())


def test_a_start_that_is_no_plan_for_these_levers_is_refused_before_anything_is_written(
    toy_world: None, tmp_path: Path
) -> None:
    words = ["agent=feedback", "scenario.id=fake_v0", "experiment=quick", f"runs={tmp_path}/runs"]
    other = Pigou(1, 10).groups[0]
    spaces = [agents.Space(other.name, other.observation_names, ("tax",))]
    plan = agents.Plan(spaces, agents.Plan.Settings(1), {f"levers.{other.name}": torch.zeros(1, 1)})
    rule = agents.rule("pi", [agents.Space("board", ("x",), ("y",))])
    for policy, said in ((plan, "a plan of .*: tax; expected"), (rule, "a pi has no plan")):
        folder = agents.save(policy, tmp_path / policy.kind)
        with pytest.raises(InputError, match=said):
            train(config.load([*words, f"agent.start={folder}"]), [])
    with pytest.raises(InputError, match="no such file"):
        train(config.load([*words, f"agent.start={tmp_path}/nowhere"]), [])
    toy = Pigou(1, 10)
    own = agents.Plan(
        toy.groups, agents.Plan.Settings(1), {f"levers.{other.name}": torch.zeros(1, 1)}
    )
    made = {"config": {"scenario": {"months_per_step": 6, "reach": 1.0}}}
    folder = agents.save(own, tmp_path / "slow", made)
    with pytest.raises(InputError, match=r"made with scenario.months_per_step=6; expected 3"):
        train(config.load([*words, f"agent.start={folder}"]), [])
    assert not (tmp_path / "runs").exists()


def test_the_gradient_of_the_city_improves_on_today_and_moves_every_lever(
    quick_city: Callable[[], Any],
) -> None:
    changes = {"learning_rate": 2e-2, "periods": 1, "window": 2, "rollouts_per_segment": 6}
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


@pytest.mark.parametrize("kind", ["mappo_lagrangian", "feedback"])
def test_learning_on_the_city_resumes_to_the_same_bits(
    kind: str, quick_city: Callable[[], Any], tmp_path: Path
) -> None:
    changes = {"rollouts_per_segment": 1, "rollouts": 2}
    straight, stopped, resumed = (learner(kind, quick_city(), **changes) for _ in range(3))
    whole = finish(straight)
    list(stopped.train(0, lambda: None))
    stopped.save(tmp_path, 1)
    assert resumed.restore(tmp_path) == 1
    assert finish(resumed, 1) == whole[1:]
    assert same(straight.policy().weights(), resumed.policy().weights())


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
