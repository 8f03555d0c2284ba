"""`scenario check`: every check finds what it is there for, and the table tells."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from envs import registry
from envs.groups import StepResult
from experiments import checks, cli, scenarios
from experiments.checks import CHECKS, Check, Subject, official, ours
from experiments.errors import InputError
from tests.fakes import FakeCore

FAKE = Subject("fake_v0", {"months_per_step": 3, "horizon": 30})


class Good(FakeCore):
    """The fake core, refusing what it does not know."""

    def __init__(self, num_envs: int = 1, seed: int = 0, **options: Any) -> None:
        if unknown := set(options) - {"dtype", "horizon", "months_per_step"}:
            raise TypeError(f"unknown option {', '.join(unknown)}")
        super().__init__(num_envs, seed, **options)


class Spoilt(Good):
    """A core whose step results are changed by `spoil(core, result)`."""

    spoil: Callable[[Any, StepResult], StepResult]

    def step(self, actions: Any) -> StepResult:
        return type(self).spoil(self, super().step(actions))


def rewards(result: StepResult, change: Callable[[torch.Tensor], torch.Tensor]) -> StepResult:
    return replace(result, rewards={n: change(r) for n, r in result.rewards.items()})


SHARED = torch.Generator()


def shared_noise(core: Any, result: StepResult) -> StepResult:
    return rewards(result, lambda r: r + torch.rand(1, generator=SHARED))


def row_number(core: Any, result: StepResult) -> StepResult:
    return rewards(result, lambda r: r + torch.arange(core.num_envs)[:, None])


def not_a_number(core: Any, result: StepResult) -> StepResult:
    return rewards(result, lambda r: r * torch.nan)


def detached(core: Any, result: StepResult) -> StepResult:
    one = result.rewards["planning"].detach()
    return replace(result, rewards={**result.rewards, "planning": one})


def negative_cost(core: Any, result: StepResult) -> StepResult:
    return replace(result, costs={n: -c for n, c in result.costs.items()})


def far_sight(core: Any, result: StepResult) -> StepResult:
    return replace(result, observations={n: o * 1e6 for n, o in result.observations.items()})


def narrow(core: Any, result: StepResult) -> StepResult:
    return replace(result, observations={n: o[..., 1:] for n, o in result.observations.items()})


def patch(monkeypatch: pytest.MonkeyPatch, kind: type[FakeCore]) -> None:
    monkeypatch.setattr(registry, "make", lambda scenario, **options: kind(**options))


OURS = [check for check in CHECKS if check.checker == "polislab"]


def test_a_good_core_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch, Good)
    ticks: list[int] = []
    records = checks.run(FAKE, CHECKS, lambda: ticks.append(1))
    assert [(r["what"], r["detail"]) for r in records if r["result"] != "pass"] == []
    assert len(ticks) == len(records) == len(CHECKS)


@pytest.mark.parametrize(
    ("spoil", "look", "said"),
    [
        (shared_noise, ours.neighbours, "reward planning differs in step 1"),
        (shared_noise, ours.same_seed, "reward planning differs"),
        (row_number, ours.row_alone, "reward planning of row 37 differs in step 1"),
        (not_a_number, ours.bounds, "reward planning at action -1 in step 1 is not finite"),
        (not_a_number, ours.gradients, "are not finite"),
        (negative_cost, ours.bounds, "cost boards at action"),
        (far_sight, ours.bounds, "sees beyond bounds"),
        (narrow, ours.made, "observations of planning: (2, 1, 2), expected (2, 1, 3)"),
        (detached, ours.gradients, "do not depend on the actions of planning"),
        (not_a_number, official.sb3_vector, "nan"),
        (not_a_number, official.momaland_api, None),
    ],
)
def test_a_spoilt_core_is_found(
    spoil: Any, look: Any, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch(monkeypatch, type("Core", (Spoilt,), {"spoil": staticmethod(spoil)}))
    (record,) = checks.run(FAKE, [Check("", "", look)])
    if said is None:  # its costs and goals are sound: only the plain reward is spoilt
        assert record["result"] == "pass"
        return
    assert record["result"] == "fail"
    assert said in record["detail"]


def test_a_core_without_seeds_and_one_that_takes_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(Good):
        def reset(self, seed: Any = None, options: Any = None) -> Any:
            return super().reset([7] * self.num_envs)

    patch(monkeypatch, Deaf)
    assert checks.run(FAKE, [Check("", "", ours.same_seed)])[0]["result"] == "fail"
    patch(monkeypatch, FakeCore)
    (record,) = checks.run(FAKE, [Check("", "", ours.unknown_options)])
    assert record["detail"] == "AssertionError: an unknown option is accepted"


def test_a_missing_library_is_named_with_its_extra() -> None:
    def absent(subject: Subject) -> None:
        raise ModuleNotFoundError("No module named 'momaland.test'", name="momaland.test")

    (record,) = checks.run(FAKE, [Check("MOMAland", "api_test", absent)])
    assert record["result"] == "not installed"
    assert record["detail"] == "momaland is not installed: pip install polislab[momaland]"


@pytest.mark.parametrize("scenario", registry.scenario_ids())
def test_scenarios_keep_our_promises(scenario: str) -> None:
    subject = scenarios.subject(scenario, "synthetic", ["terminal=tail"])
    records = checks.run(subject, [check for check in OURS if check.look is not ours.bounds])
    assert [(r["what"], r["detail"]) for r in records if r["result"] != "pass"] == []


def test_options_are_checked_before_any_work() -> None:
    subject = scenarios.subject("city_v0", "synthetic", ["dynamics=steady", "months_per_step=2"])
    assert subject.options["horizon"] == 20
    assert subject.options["dynamics"] == "steady"
    with pytest.raises(InputError, match="did you mean 'city_v0'"):
        scenarios.subject("city_v1", "synthetic", [])
    with pytest.raises(InputError) as caught:
        scenarios.subject("city_v0", "nowhere", ["reach", "chance=-1"])
    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="unknown scenario option reech"):
        scenarios.subject("city_v0", "synthetic", ["reech=1"])


@pytest.mark.parametrize("broken", [False, True])
def test_the_command_tells_and_exits(
    broken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def look(subject: Subject) -> None:
        assert not broken, "too green"

    file = tmp_path / "checks.json"
    monkeypatch.setattr(checks, "CHECKS", (Check("mine", "colours", look),))
    words = ["polislab", "scenario", "check", "city_v0", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert (stop.value.code or 0) == int(broken)
    (record,) = json.loads(file.read_text())["checks"]
    assert record["result"] == ("fail" if broken else "pass")
    shown = capsys.readouterr()
    assert "colours" in shown.out
    assert ("too green" in shown.out) == broken
    assert ("1 of 1 checks failed" in shown.err) == broken
