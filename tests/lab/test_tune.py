"""Tuning: on cities of its own, the same trials after a stop, bad spaces refused as a whole."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import agents
import configs
from experiments import cli, config
from experiments.errors import InputError
from experiments.learning import LEARNERS, Interrupted
from experiments.settings import SEED_BLOCK, TUNING_RUNS, TUNING_SEED
from experiments.tune import Study, Trial, read_space, report, study, tune
from experiments.tune.study import best

Quick = Callable[..., list[str]]
SPACE = """
agent.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
agent.hidden: {choices: [[4], [8, 8]]}
"""


@pytest.fixture
def question(quick: Quick, tmp_path: Path) -> Callable[..., Study]:
    """A study of trials of a second, in a folder of its own."""
    (tmp_path / "space.yaml").write_text(SPACE)

    def make(name: str = "one", storage: str = "study.db", **changes: Any) -> Study:
        words = tuple(quick("agent.env_steps=40"))
        folder = tmp_path / name
        settings = {
            "space": read_space(tmp_path / "space.yaml", "ppo", words),
            "seeds": 1,
            "cities": 2,
            "seed": 0,
        }
        return Study(overrides=words, folder=folder, storage=folder / storage, **settings | changes)

    return make


def values(trials: list[Trial]) -> list[tuple[str, float | None]]:
    return [(json.dumps(trial.values), trial.score) for trial in trials]


@pytest.mark.parametrize("storage", ["study.db", "study.log"])
def test_a_stopped_study_asks_and_finds_what_it_would_have(
    question: Callable[..., Study], monkeypatch: pytest.MonkeyPatch, storage: str
) -> None:
    straight = tune(question("straight", storage), 3, None, [], lambda trial: None)
    assert len({json.dumps(trial.values) for trial in straight}) == 3
    assert {trial.ended for trial in straight} == {"complete"}
    from agents.ppo import PPOLearner

    work, calls = PPOLearner.train, []

    def stop(self: PPOLearner, segment: int, tick: Any) -> Iterator[dict[str, float]]:
        calls.append(segment)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return work(self, segment, tick)

    monkeypatch.setattr(PPOLearner, "train", stop)
    with pytest.raises(Interrupted):
        tune(question("again", storage), 3, None, [], lambda trial: None)
    told: list[Trial] = []
    again = tune(question("again", storage), 3, None, [], told.append)
    assert values(again) == values(straight)
    assert [trial.number for trial in told] == [1, 2]
    assert calls == [0, 1, 0, 1, 1, 0, 1]  # the second trial went on at its checkpoint
    assert tune(question("again", storage), 3, None, [], told.append) == again


def test_trials_meet_tuning_cities_and_seeds_only(
    question: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    firsts: list[int] = []
    work = study.evaluate

    def spy(env: Any, policies: Any, first: int, tick: Any) -> Any:
        firsts.append(first)
        return work(env, policies, first, tick)

    monkeypatch.setattr(study, "evaluate", spy)
    asked = question(seeds=2)
    tune(asked, 1, None, [], lambda trial: None)
    assert firsts == [TUNING_SEED] * 2
    for part in range(2):
        run = asked.folder / "trials" / "0000" / f"seed-{part}"
        manifest = json.loads((run / "manifest.json").read_text())
        assert manifest["evaluation_seeds"] == [TUNING_SEED, TUNING_SEED + 1]
        assert manifest["seed"] == TUNING_RUNS + part
    with pytest.raises(InputError, match="kept for tuning"):
        config.load([f"experiment.evaluation.first_seed={TUNING_SEED + SEED_BLOCK - 1}"])


def test_a_poor_trial_stops_early_and_a_broken_one_does_not_end_the_study(
    question: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.ppo import PPOLearner

    work, rewards = PPOLearner.train, iter([5.0] * 10 + [1.0])
    trained: list[float] = []

    def graded(self: PPOLearner, segment: int, tick: Any) -> Iterator[dict[str, float]]:
        for row in work(self, segment, tick):
            reward = next(rewards, None)
            if reward is None:
                raise ValueError("diverged")
            trained.append(reward)
            yield row | {"reward": reward, "env_steps": 20.0 * (segment + 1)}

    monkeypatch.setattr(PPOLearner, "train", graded)
    found = tune(question(), 7, None, [], lambda trial: None)
    assert [trial.ended for trial in found] == ["complete"] * 5 + ["pruned", "failed"]
    assert len(trained) == 11
    assert "diverged" in found[-1].error
    winner = best(found)
    assert winner is not None
    assert winner.score == max(trial.score for trial in found if trial.score is not None)
    assert report.history(found, "title").startswith(b"\x89PNG")
    assert "5 trials complete, 1 stopped early, 1 failed" in report.sheet(found).notes[0]


def test_the_command_writes_the_best_as_a_command_that_trains(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "space.yaml").write_text(SPACE)
    base = ["tune", *quick("agent.env_steps=20"), "--space", str(tmp_path / "space.yaml")]
    words = ["polislab", *base, "--trials", "2", "--name", "x", "--json", str(tmp_path / "o.json")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    shown = capsys.readouterr().out
    assert f"Tuning on cities {TUNING_SEED} to" in shown
    folder = tmp_path / "runs" / "tune" / "x"
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")
    kept = yaml.safe_load((folder / "best.yaml").read_text())
    content = json.loads((tmp_path / "o.json").read_text())
    scores = [trial["score"] for trial in content["trials"]]
    assert kept == content["trials"][scores.index(max(scores))]["values"]
    command = shlex.split(content["command"])
    assert command[:2] == ["polislab", "train"]
    assert config.load(command[2:]).resolved["agent"]["hidden"] == kept["agent.hidden"]
    monkeypatch.setattr(sys, "argv", [*words, "agent.epochs=3"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "study of another configuration" in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(LEARNERS))
def test_every_learner_has_a_space_that_is_valid_at_its_corners(kind: str) -> None:
    assert read_space(None, kind, [f"agent={kind}"])
    text = (configs.root() / "tune" / f"{kind}.yaml").read_text()
    assert all("#" in line for line in text.splitlines())


def test_every_shipped_space_is_of_a_learner_that_is_shipped() -> None:
    spaces, kinds = (
        {file.stem for file in (configs.root() / group).glob("*.yaml")}
        for group in ("tune", "agent")
    )
    assert spaces == set(LEARNERS) == kinds - set(agents.RULES)


def test_faults_of_a_space_are_listed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "agent.epochs: {low: 5, high: 2}\nagent.entropy: 3\nagent.hidden: {choices: []}\n"
        "agent.clip_range: {low: 0, high: 1, log: true}\nagent.log_std: {low: a, high: 1}\n"
        "agent.batch_size: {low: 1, top: 2}\n"
    )
    with pytest.raises(InputError) as error:
        read_space(file, "ppo", [])
    assert len(error.value.problems) == 6
    file.write_text("agent.epoch: {low: 1, high: 2}\nagent.clip_range: {low: 0.1, high: 9}\n")
    with pytest.raises(InputError) as error:
        read_space(file, "ppo", [])
    text = "\n".join(error.value.problems)
    assert "did you mean 'agent.epochs'" in text
    assert "agent.clip_range: 9.0 is outside" in text
    with pytest.raises(InputError, match="no such search space"):
        read_space(None, "pi", ["agent=pi"])
