"""The clairvoyant knows each row's future, is no worse than its guide, bounds what is earned."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import envs
from agents.planning.clairvoyant import climb, welfare_of
from agents.planning.informed import EVERY, follow, steps_lived
from envs.groups import StepResult
from experiments import compare, config
from experiments.compare.comparison import (
    BEST_RULE,
    CLAIRVOYANT,
    INFORMED,
    RANDOM,
    STATUS_QUO,
    Comparison,
    Entry,
)
from experiments.compare.gap import content, gaps
from experiments.compare.report import readings, sheets
from experiments.errors import InputError
from experiments.train import train
from tests.toys import Toy


class Judged(Toy):
    """Agents are paid nothing; what counts is the welfare `earned` [B]."""

    earned: Tensor

    def step(self, actions: Mapping[str, Tensor]) -> StepResult:
        found = super().step(actions)
        left = torch.zeros_like(self.earned)
        found.info["welfare"] = {"overall": self.earned, "terminal": left}
        return found


class Foretold(Judged):
    """Welfare is highest where the lever meets the shock of the row and step, within bounds."""

    def first(self) -> Tensor:
        return torch.zeros(self.num_envs)

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.earned = 1 - (actions["board"][:, 0, 0] - 0.5 * self.shock()).square()
        return {"board": torch.zeros(self.num_envs, 1)}, self.nothing()


def test_every_row_meets_its_own_future() -> None:
    env = Foretold(5, 4)
    start = {"board": torch.zeros(4, 5, 1, 1)}
    plan = climb(env, 7, start, 150, 0.99, lambda: None)["board"][:, :, 0, 0]
    env.reset(seed=7)
    best = (0.5 * env.noise[:, :4]).clamp(-1, 1).T
    torch.testing.assert_close(plan, best, atol=2e-3, rtol=0)


def test_a_row_keeps_its_best_plan_and_none_is_worse_than_the_start() -> None:
    env = Foretold(5, 4)
    env.reset(seed=7)
    start = {"board": (0.5 * env.noise[:, :4]).clamp(-1, 1).T[..., None, None]}
    for steps in (0, 3):
        kept = climb(env, 7, start, steps, 0.99, lambda: None)["board"]
        torch.testing.assert_close(kept, start["board"], atol=1e-6, rtol=0)


class Drifting(Judged):
    """Welfare is highest where the lever meets the level of the row, which drifts by its shocks.

    What is to be expected of a level is that it stays as it is.
    """

    @property
    def weather(self) -> Tensor:
        return self.x

    def first(self) -> Tensor:
        self.calm = False
        return 0.3 * self.noise[:, -1]

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.earned = -(actions["board"][:, 0, 0] - self.x).square()
        if not self.calm:
            self.x = self.x + 0.1 * self.shock()
        return {"board": torch.zeros(self.num_envs, 1)}, self.nothing()

    def moment(self) -> tuple[int, Tensor]:
        return self.clock, self.x

    def go_back(self, moment: tuple[int, Tensor]) -> None:
        self.clock, self.x = moment

    def expect(self, weather: Tensor) -> None:
        self.calm, self.x = True, weather


def test_who_is_informed_knows_the_present_and_expects_it_to_stay() -> None:
    """Levers are the level of each row when plans were last made, whatever it drifts to."""
    steps, rows = 10, 5
    env, model, ticks = Drifting(rows, steps), Drifting(rows, steps), []
    start = {"board": torch.zeros(steps, rows, 1, 1)}
    plan = follow(env, model, 7, start, 150, 0.99, lambda: ticks.append(1))["board"][..., 0, 0]
    env.reset(seed=7)
    levels = []
    for _ in range(steps):
        levels.append(env.x)
        env.step({"board": torch.zeros(rows, 1, 1)})
    known = torch.stack([levels[step - step % EVERY] for step in range(steps)])
    torch.testing.assert_close(plan, known.clamp(-1, 1), atol=5e-3, rtol=0)
    assert len(ticks) == steps_lived(steps, 150)


def test_what_is_expected_does_not_hang_on_what_will_happen() -> None:
    """Copies of a city that have another future ahead of them judge a plan to the same bits."""
    torch.set_num_threads(1)

    def city() -> Any:
        options = {"horizon": 24, "dynamics": "crisis", "terminal": "tail", "seed": 5}
        return envs.make("city_v0", city="synthetic", districts=3, num_envs=2, **options)

    real, other = city(), city()
    real.reset(seed=5)
    other.reset(seed=900)
    quiet = {g.name: torch.zeros(2, g.size, len(g.action_names)) for g in real.groups}
    plan = {name: torch.full((6, *x.shape), 0.3) for name, x in quiet.items()}
    values = []
    with torch.no_grad():
        for _ in range(2):
            real.step(quiet)
        moment, weather = real.moment(), real.weather
        values.append(welfare_of(real, plan, 0.99, lambda: None))
        for model in (real, other):
            model.go_back(moment)
            model.expect(weather)
            values.append(welfare_of(model, plan, 0.99, lambda: None))
    happened, expected, elsewhere = values
    assert torch.equal(expected, elsewhere)
    assert not torch.allclose(happened, expected, rtol=1e-3)


def made(seeds: int = 6, cities: int = 20, blind: bool = True) -> Comparison:
    """A learner that earns half of a gap of .02 over a plan made in advance."""
    rng = np.random.default_rng(0)
    city = rng.normal(0, 0.02, cities)
    entries = (
        Entry("learner", "", 0.02 + city + rng.normal(0, 0.001, (seeds, cities))),
        Entry("plan", "", 0.01 + np.tile(city, (seeds, 1)), blind=blind),
        Entry("status quo", "", np.zeros((1, cities)), role=STATUS_QUO),
        Entry("random", "", np.zeros((1, cities)), role=RANDOM),
        Entry("best rule (pi)", "", 0.005 + city[None], role=BEST_RULE),
        Entry(
            "clairvoyant",
            "",
            (0.03 + city + rng.normal(0, 0.004, cities))[None],
            role="clairvoyant",
        ),
    )
    return Comparison(entries, (("", {"city": "made up"}),), ())


def test_share_of_the_gap_is_paired_with_the_best_plan() -> None:
    found = made()
    (gap,) = gaps(found)
    assert gap.base == "plan"
    assert [row.name for row in gap.earned] == ["learner"]
    assert gap.size.estimate == pytest.approx(0.02, abs=0.002)
    assert gap.supports
    assert gap.intervals > 8
    share = gap.earned[0].share
    assert share.estimate == pytest.approx(0.5, abs=0.06)
    assert share.low < share.estimate < share.high
    written = json.loads(json.dumps(content([gap])))
    assert written[0]["supports"] is True
    assert written[0]["earned"][0]["share"]["estimate"] == share.estimate
    shown = next(sheet for sheet in sheets(found) if "clairvoyant gap" in sheet.title)
    assert [row[0] for row in shown.rows] == ["clairvoyant", "learner"]
    assert any("bears the claim that" in line for line in readings(found))


def test_the_informed_planner_has_a_share_of_the_gap() -> None:
    found = made()
    floor, known = found.entries[1].scores[:1], found.entries[-1].scores
    halfway = Entry("informed", "", (floor + known) / 2, role=INFORMED)
    (gap,) = gaps(replace(found, entries=(*found.entries, halfway)))
    assert {row.name for row in gap.earned} == {"learner", "informed"}
    share = next(row.share for row in gap.earned if row.name == "informed")
    assert share.estimate == pytest.approx(0.5)
    assert share.low == pytest.approx(share.high)
    told = [
        note
        for sheet in sheets(replace(found, entries=(*found.entries, halfway)))
        for note in sheet.notes
    ]
    assert any("informed planner" in note for note in told)
    assert not any("informed planner" in note for sheet in sheets(found) for note in sheet.notes)


def test_learner_and_plan_are_told_apart_by_new_seeds_on_the_same_cities() -> None:
    found = made()
    assert any("learner" in x and "lies above that of plan" in x for x in readings(found))
    learner, plan, *others = found.entries
    worse = replace(learner, scores=learner.scores - 0.0099)
    seeds = np.random.default_rng(1).normal(0, 0.002, (6, 1))
    close = replace(found, entries=(worse, replace(plan, scores=plan.scores + seeds), *others))
    assert any("learner" in x and "does not lie above that of plan" in x for x in readings(close))
    one = replace(found, entries=(learner, replace(plan, scores=plan.scores[:1]), *others))
    assert not any("lie" in x.split() or "lies" in x.split() for x in readings(one))


def test_without_a_plan_the_gap_starts_at_the_best_rule() -> None:
    (gap,) = gaps(made(blind=False))
    assert gap.base == "best rule (pi)"
    assert {row.name for row in gap.earned} == {"learner", "plan"}


def test_a_comparison_takes_its_clairvoyant_along(
    quick: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["scenario.horizon=24", "districts=4", "cities=2", "experiment.evaluation.cities=3"]
    world = [word for word in quick() if word.startswith(("experiment=", "runs="))]
    monkeypatch.undo()
    train(config.load([*world, *words, "scenario=city_v0", "agent=pi"]), [])
    ticks: list[int] = []
    runs = compare.collect([str(tmp_path / "runs" / "*" / "*")])
    plan = compare.Plan(runs, clairvoyant=4, informed=2)
    found = compare.score(plan, lambda: ticks.append(1))
    assert len(ticks) == plan.episodes
    scores = {entry.role or entry.name: entry.scores[0] for entry in found.entries}
    assert (scores[CLAIRVOYANT] >= scores["pi"]).all()
    assert scores[CLAIRVOYANT].mean() > scores["pi"].mean()
    assert scores["pi"].mean() < scores[INFORMED].mean()
    (gap,) = gaps(found)
    assert "informed" in {row.name for row in gap.earned}


def test_who_would_know_of_a_break_is_refused(
    quick: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["scenario.horizon=24", "districts=3", "cities=2", "experiment.evaluation.cities=2"]
    world = [word for word in quick() if word.startswith(("experiment=", "runs="))]
    monkeypatch.undo()
    broken = ["scenario.regime=needs", "scenario.regime_month=12"]
    train(config.load([*world, *words, *broken, "scenario=city_v0", "agent=pi"]), [])
    runs = compare.collect([str(tmp_path / "runs" / "*" / "*")])
    with pytest.raises(InputError, match=r"expected runs with scenario\.regime=none"):
        compare.Plan(runs, informed=2)
