"""Run folders: complete, skipped when finished, resumed to the same bits when stopped."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import agents
from agents.policy import BasePolicy, Tensors
from agents.ppo import PPOLearner
from envs.groups import StepResult
from experiments import config
from experiments.cities import content_hash
from experiments.evaluate import evaluate, summary
from experiments.learning import Interrupted
from experiments.runs import Run, find_runs, run_of
from experiments.train import train
from tests.fakes import FakeCore

Quick = Callable[..., list[str]]


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(load_file(run.policy / "weights.safetensors"))


def same(one: Run, other: Run) -> bool:
    ours, theirs = weights(one), weights(other)
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_run_folder_holds_everything_and_no_pickle(quick: Quick, tmp_path: Path) -> None:
    loaded = config.load(quick("seed=4"))
    run, worked = train(loaded, ["polislab", "train"])
    assert worked
    assert run.folder.parent.parent == tmp_path / "runs" / "quick"
    assert run.folder.name == "seed-4"
    files = {str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()}
    board = {name for name in files if name.startswith("tensorboard/events")}
    assert len(board) == 1
    assert files - board == {
        "config.yaml",
        "manifest.json",
        "metrics.csv",
        "evaluation.json",
        "policy/policy.json",
        "policy/weights.safetensors",
        "checkpoint/checkpoint.json",
        "checkpoint/segment-000003.safetensors",
    }
    assert yaml.safe_load((run.folder / "config.yaml").read_text()) == loaded.resolved
    manifest = run.manifest
    assert manifest["status"] == "finished"
    assert manifest["seed"] == 4
    assert manifest["hash"] == run.folder.parent.name
    assert manifest["versions"]["torch"] == torch.__version__
    assert manifest["data"] == {"synthetic": content_hash("synthetic")}
    rows = list(csv.DictReader((run.folder / "metrics.csv").open()))
    assert [row["env_steps"] for row in rows] == ["20.0", "40.0", "60.0"]
    assert agents.provenance(run.policy)["config"] == loaded.resolved
    assert list(find_runs(tmp_path / "runs")) == [run]


def test_a_finished_run_is_skipped(quick: Quick) -> None:
    loaded = config.load(quick())
    run, _ = train(loaded, [])
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}
    _, worked = train(loaded, [])
    assert not worked
    assert before == {path: path.stat().st_mtime_ns for path in run.folder.rglob("*")}


def test_what_decides_the_numbers_decides_the_folder(quick: Quick) -> None:
    base = run_of(config.load(quick()))
    assert run_of(config.load(quick("seed=1"))).folder.parent == base.folder.parent
    for change in ("agent.epochs=3", "scenario.local_weight=0.5", "districts=12"):
        assert run_of(config.load(quick(change))).folder.parent != base.folder.parent


def test_same_configuration_and_seed_give_the_same_bits(quick: Quick, tmp_path: Path) -> None:
    one, _ = train(config.load(quick()), [])
    other, _ = train(config.load(quick(f"runs={tmp_path / 'again'}")), [])
    assert same(one, other)
    assert one.evaluation.read_bytes() == other.evaluation.read_bytes()


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_stopped_run_says_so_and_resumes_to_the_same_bits(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    straight, _ = train(config.load(quick(f"runs={tmp_path / 'straight'}")), [])
    work = PPOLearner.train

    def interrupted(self: PPOLearner, segment: int, tick: Any) -> Iterator[dict[str, float]]:
        yield from work(self, segment, tick)
        if segment == stop:
            raise KeyboardInterrupt

    loaded = config.load(quick())
    monkeypatch.setattr(PPOLearner, "train", interrupted)
    with pytest.raises(Interrupted, match="resumes") as stopped:
        train(loaded, [])
    trained: list[int] = []

    def counted(self: PPOLearner, segment: int, tick: Any) -> Iterator[dict[str, float]]:
        trained.append(segment)
        return work(self, segment, tick)

    monkeypatch.setattr(PPOLearner, "train", counted)
    assert stopped.value.run.manifest["status"] == "interrupted"
    assert not stopped.value.run.evaluation.exists()
    resumed, worked = train(loaded, [])
    assert worked
    assert trained == list(range(stop, 3))
    assert same(straight, resumed)
    assert (straight.folder / "metrics.csv").read_text() == (
        resumed.folder / "metrics.csv"
    ).read_text()


def test_a_run_stopped_while_it_is_evaluated_keeps_what_it_learned(
    quick: Quick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    loaded = config.load(quick())
    with monkeypatch.context() as patch:
        patch.setattr("experiments.train.compare", stop)
        with pytest.raises(Interrupted):
            train(loaded, [])
    assert run_of(loaded).manifest["status"] == "interrupted"
    monkeypatch.setattr(PPOLearner, "train", stop)
    run, _ = train(loaded, [])
    assert run.finished


def test_a_rule_needs_no_learning(quick: Quick) -> None:
    run, _ = train(config.load([*quick()[:3], quick()[-1], "agent=random"]), [])
    assert agents.load(run.policy).kind == "random"
    assert json.loads(run.evaluation.read_text())["policies"] == ["policy", "status_quo"]


class Follow(BasePolicy):
    """The best policy of the fake world: repeat the signal."""

    kind = "follow"

    def act(self, observations: Tensors, deterministic: bool = True) -> dict[str, torch.Tensor]:
        return {
            space.name: observations[space.name][..., :1].expand(-1, -1, len(space.action_names))
            for space in self.spaces
        }


def test_evaluation_gives_all_policies_the_same_cities_and_ranks_the_best_first() -> None:
    env = FakeCore(num_envs=6, horizon=30)
    quo = agents.rule("status_quo", env.groups)
    policies = {"follow": Follow(env.groups, None), "quo": quo, "again": quo}
    steps: list[int] = []
    result = evaluate(env, policies, 10_000_000, lambda: steps.append(1))
    assert len(steps) == 3 * env.steps_per_episode
    assert result.returns[0] == pytest.approx(np.full(6, 0.5), abs=1e-6)
    assert (result.returns[0] > result.returns[1]).all()
    assert (result.returns[1] == result.returns[2]).all()
    assert (result.welfare["overall"][1] == result.welfare["overall"][2]).all()
    records = {row["minus"]: row for row in result.against("quo")}
    assert records["again"]["low"] == records["again"]["mean"] == 0.0
    assert result.content()["seeds"] == list(range(10_000_000, 10_000_006))


def test_welfare_is_the_discounted_mean_of_its_flow() -> None:
    """The fake world's level rises by 0.1 x the action, and welfare is a hundredth of it.

    "overall" is a sum over the months of a step, other components are means.
    """
    env = FakeCore(num_envs=2, horizon=9)
    steady = agents.rule("uniform", env.groups, {"levers": {"*": 0.5}})
    result = evaluate(env, {"steady": steady}, 0, lambda: None)
    flows = 0.01 * np.array([0.05, 0.10, 0.15])
    month = np.exp(-0.03 / 12)
    share = month ** np.array([0, 3, 6])
    mean = (flows * share).sum() / share.sum()
    assert result.welfare["rawls"][0] == pytest.approx([mean / 2] * 2, rel=1e-6)
    monthly = mean / (1 + month + month**2)
    assert result.welfare["overall"][0] == pytest.approx([monthly] * 2, rel=1e-6)


def test_the_stocks_left_at_the_end_count_once() -> None:
    class Heir(FakeCore):
        """Leaves 3 months of income behind at the end of every episode."""

        def step(self, actions: Any) -> StepResult:
            result = super().step(actions)
            left = 3.0 * result.terminated.to(self.dtype)
            welfare = {"overall": torch.zeros_like(left), "terminal": left}
            return replace(result, info={**result.info, "welfare": welfare})

    env = Heir(num_envs=2, horizon=6)
    result = evaluate(env, {"quo": agents.rule("status_quo", env.groups)}, 0, lambda: None)
    month = np.exp(-0.03 / 12)
    wanted = 3.0 * month**3 / sum(month**m for m in range(6))
    assert result.welfare["overall"][0] == pytest.approx([wanted] * 2, rel=1e-6)
    assert result.welfare["terminal"][0] == pytest.approx([wanted] * 2, rel=1e-6)


def test_the_interval_covers_the_mean_of_a_known_sample() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        found = summary(rng.normal(1.0, 2.0, size=20))
        hits += found["low"] <= 1.0 <= found["high"]
    assert 85 <= hits <= 99
    known = summary(np.array([0.0, 1.0, 2.0, 100.0]))
    assert known["mean"] == 25.75
    assert known["iqm"] == 1.5
