"""The code of docs/researchers-hour.md is a package that installs, and its scenario works."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from envs import registry
from envs.scenario import Scenario
from experiments import checks, config, scenarios
from experiments.checks import ours

PAGE = Path(__file__).resolve().parents[2] / "docs" / "researchers-hour.md"
TINY = {"districts": 4, "cities": 1, "horizon": 6, "dynamics": "steady"}


def blocks(language: str) -> list[str]:
    """Code blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def commute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The page's module, as its file says it."""
    file = tmp_path_factory.mktemp("commute") / "commute.py"
    (text,) = blocks("python")
    file.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("commute", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["commute"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["commute"]


@pytest.fixture
def offered(commute: ModuleType, monkeypatch: pytest.MonkeyPatch) -> type[Scenario]:
    """The scenario under the name and from the object that the page's entry point gives."""
    (text,) = blocks("toml")
    points = tomllib.loads(text)["project"]["entry-points"]["polislab.scenarios"]
    assert points == {"commute_v0": "commute:CommuteV0"}
    kind: type[Scenario] = commute.CommuteV0
    known = registry.scenarios() | {"commute_v0": kind}
    monkeypatch.setattr(registry, "scenarios", lambda: known)
    monkeypatch.setattr(scenarios, "scenarios", lambda: known)
    return kind


def test_its_goal_is_what_the_page_says(offered: type[Scenario]) -> None:
    """More service, for nothing, brings jobs nearer to the poor; today's settings bring 0."""
    env = registry.make("commute_v0", num_envs=2, access_weight=1.0, local_weight=1.0, **TINY)
    assert env.groups[0].action_names == ("transit", "fare", "toll")
    cheaper = torch.tensor([[[0.0, 0.0, 0.0]], [[0.0, -1.0, 0.0]]])
    with torch.no_grad():
        env.step({"transport": cheaper})
        rewards = env.step({"transport": cheaper}).rewards["transport"]
    assert abs(float(rewards[0, 0])) < 1e-4
    assert float(rewards[1, 0]) > 0.01


def test_it_keeps_what_every_scenario_promises(offered: type[Scenario]) -> None:
    subject = scenarios.subject("commute_v0", "synthetic", ["terminal=tail"])
    looks = (ours.gradients, ours.unknown_options)
    records = checks.run(subject, [check for check in checks.CHECKS if check.look in looks])
    assert [(r["what"], r["detail"]) for r in records if r["result"] != "pass"] == []
    assert len(records) == len(looks)


def test_its_options_and_its_table_are_checked(offered: type[Scenario]) -> None:
    with pytest.raises(ValueError, match="access_weight=2"):
        registry.make("commute_v0", access_weight=2.0)
    office = type(offered().offices[0])
    wrong = office("transport", goals=("comute_time",), levers=("tol",), costs=("noise",))
    kind = type("Wrong", (offered,), {"offices": (wrong,)})
    found = kind().problems()
    assert [problem.split(" is unknown")[0] for problem in found] == [
        "office 'transport': levers: 'tol'",
        "office 'transport': goals: 'comute_time'",
        "office 'transport': costs: 'noise'",
    ]


def test_its_trainings_are_sweeps_of_five_seeds(offered: type[Scenario]) -> None:
    text = "".join(blocks("sh")).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    trainings = [words[3:] for words in lines if words[:3] == ["polislab", "train", "-m"]]
    assert len(trainings) == 2
    for words in trainings:
        jobs = config.sweep(words)
        assert [job.settings.seed for job in jobs] == [0, 1, 2, 3, 4]
        assert {job.scenario for job in jobs} == {"commute_v0"}
