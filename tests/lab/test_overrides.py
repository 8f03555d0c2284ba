"""Bad overrides: each gets its own message, all at once, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import config
from experiments.errors import InputError

Quick = Callable[..., list[str]]

BROKEN = {
    "seeed=0": "seeed: unknown key; did you mean 'seed'?",
    "seed=abc": "seed: expected a whole number, found 'abc'",
    "seed=1.5": "seed: expected a whole number, found 1.5",
    "seed=-1": "seed: -1 is outside 0 to 9999999",
    "seed=10000000": "seed: 10000000 is outside 0 to 9999999",
    "seed=1,2": "seed=1,2: several values need -m",
    "agent=pppo": "agent: unknown choice 'pppo'; did you mean 'ppo'?",
    "scenario=town": "scenario: unknown choice 'town'",
    "scenario.id=town_v0": "scenario.id: unknown choice 'town_v0'",
    "scenario.dynamics=calm": "scenario.dynamics='calm': expected one of steady",
    "scenario.horizon=16": "scenario.horizon=16: expected a positive multiple of months_per_step=3",
    "scenario.local_weight=2": "scenario.local_weight=2.0: expected 0 to 1",
    "scenario=3": "scenario: unknown choice 3",
    "env_steps=5": "env_steps: unknown key; did you mean 'agent.env_steps'?",
    "agent.learning_rate=fast": "agent.learning_rate: expected a number, found 'fast'",
    "agent.learning_rate=nan": "agent.learning_rate: expected a finite number",
    "agent.hidden=64": "agent.hidden: expected a list, found 64",
    "agent.hidden=[64,wide]": "agent.hidden[1]: expected a whole number, found 'wide'",
    "agent.standardise=1": "agent.standardise: expected true or false, found 1",
    "agent.kind=pppo": "agent.kind: unknown choice 'pppo'",
    "agent=null": "agent: unknown choice None",
    "+agent.colour=red": "agent.colour: unknown key",
    "seed.deep=1": "seed.deep: unknown key",
    "~seed": "~seed: keys cannot be deleted",
    "seed": "seed: not of the form KEY=VALUE",
    "a=[1": "a=[1: not of the form KEY=VALUE",
    "city=atlantis": "'atlantis'; expected one of london",
    "city=3": "city: expected a word, found 3",
    "device=tpu": "device: unknown choice 'tpu'",
    "experiment.name=../up": "experiment.name: '../up' must be letters",
    "experiment.evaluation.rivals=[pii]": "experiment.evaluation.rivals[0]: unknown choice 'pii'",
    "experiment.evaluation.first_seed=5": "experiment.evaluation.first_seed: 5 is outside",
    "experiment.evaluation={}": "experiment.evaluation.cities: missing",
}


@pytest.mark.parametrize(("override", "words"), BROKEN.items())
def test_a_bad_override_has_one_clear_message(quick: Quick, override: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        config.load(quick(override))
    (problem,) = [text for text in error.value.problems if words in text]
    assert "\n" not in problem
    assert "Error" not in problem


def test_all_bad_overrides_are_listed_at_once_and_nothing_is_written(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    several = ["seeed=0", "agent=pppo", "seed=abc", "scenario.local_weight=2", "city=atlantis", "x"]
    with pytest.raises(InputError) as error:
        config.load(quick(*several))
    assert len(error.value.problems) == len(several)
    assert list(tmp_path.iterdir()) == []


def test_good_overrides_reach_the_typed_settings(quick: Quick) -> None:
    loaded = config.load(quick("seed=3", "agent.learning_rate=1e-3", "scenario.dynamics=trend"))
    assert loaded.settings.seed == 3
    assert loaded.agent.learning_rate == 1e-3
    assert loaded.settings.scenario["dynamics"] == "trend"
    assert loaded.resolved["agent"]["learning_rate"] == 1e-3


@pytest.mark.parametrize("group", config.GROUPS)
def test_every_shipped_choice_is_valid(group: str, fake_world: None) -> None:
    for name in config.choices(group):
        assert config.load([f"{group}={name}"]).resolved[group]


def test_every_setting_is_explained_in_its_file() -> None:
    import configs

    for path in [configs.root() / "train.yaml", *configs.root().glob("agent/ppo.yaml")]:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not line.strip() or "#" in line or line.endswith(("kind: ppo", "_self_", ":"))


def test_a_product_of_values_gives_one_configuration_each(quick: Quick) -> None:
    jobs = config.sweep([*quick()[:3], "agent=ppo,pi", "seed=range(0,3)"])
    assert [(job.kind, job.settings.seed) for job in jobs] == [
        (kind, seed) for kind in ("ppo", "pi") for seed in range(3)
    ]


def test_faults_of_a_product_are_listed_once(quick: Quick) -> None:
    with pytest.raises(InputError) as error:
        config.sweep([*quick(), "seed=0,1,x", "scenario.dynamics=calm,trend", "city=atlantis"])
    assert len(error.value.problems) == 3
