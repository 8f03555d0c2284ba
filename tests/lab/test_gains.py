"""`polislab model gains`: sources of gain add up, gaps bear claims or not, bad input is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.plans import Layout, Seat
from envs.city.dynamics import PRESETS
from envs.city.levers import GOVERNORS
from envs.city.model import City
from envs.registry import synthetic
from experiments import cli, gains
from experiments.gains import results
from experiments.gains.draws import Draws
from experiments.gains.report import page, readings, sheets
from experiments.gains.study import constant_plans, together

TINY = replace(
    gains.effort("quick"), lessons=1, batch=1, constant=1, varied=1, renew=1, tail=1, years=1
)


@pytest.fixture(scope="module")
def city() -> City:
    torch.set_num_threads(1)
    return synthetic(0, 1, 3)


@pytest.fixture(scope="module")
def found(city: City) -> gains.Gains:
    return gains.measure("synthetic", city, TINY, 2, 12, 0, lambda: None)


class Bowl:
    """A world without city: every column is best at 0.5, and ``pull`` ties the first columns of
    planning and infrastructure together."""

    def __init__(self, layout: Layout, tie: float) -> None:
        self.tie = tie
        self.pair = [layout.governors.index(name) for name in ("planning", "infrastructure")]

    def score(self, seats: Sequence[Seat]) -> list[Tensor]:
        return [self._worth(seat).detach().unsqueeze(-1).expand(-1, 2) for seat in seats]

    def ascend(self, seats: Sequence[Seat], pull: None) -> None:
        torch.cat([self._worth(seat) for seat in seats]).sum().backward()

    def _worth(self, seat: Seat) -> Tensor:
        raw = seat.plans.plan[seat.copies, 0]
        first, second = raw[:, self.pair].unbind(-1)
        return -((raw - 0.5) ** 2).sum(-1) + self.tie * first * second


@pytest.mark.parametrize("tie", [0.0, 0.9])
def test_coordination_is_what_levers_are_worth_to_each_other(city: City, tie: float) -> None:
    """Apart, each finds its best at the other's zero; only planning jointly sees the tie."""
    layout = Layout.of(city)
    bowl = Bowl(layout, tie)
    work = replace(TINY, constant=150, rate=0.05)
    found = constant_plans(bowl, layout, [0], work, 0, lambda: None)
    plans = {**found, "together": together([found[name] for name in GOVERNORS])}
    for governor in GOVERNORS:
        held = layout.held_by(governor) == 1
        assert torch.equal(found[governor].plan[0, 0] == 0, ~held), "others stay as today"
    here = torch.zeros(1, dtype=torch.long)
    worth = {name: float(bowl.score([Seat(p, here, here)])[0][0, 0]) for name, p in plans.items()}
    best = 1 / (2 - tie) if tie else 0.5
    joint = 2 * -((best - 0.5) ** 2) + tie * best**2
    apart = tie * 0.25
    assert worth["joint"] - worth["together"] == pytest.approx(joint - apart, abs=2e-3)


def test_sources_are_differences_of_plans_future_by_future() -> None:
    base = np.array([1.0, 2.0, 4.0])
    scores = {
        "joint": base,
        "together": base - 0.5,
        "by district": base + np.array([0.1, 0.2, 0.3]),
        "equal": base,
        "by type": base,
    }
    rows = {row.source: row for row in results.sources(scores, "shocks")}
    assert list(rows) == ["coordination", "differentiation", "targeting"], "nothing by feedback"
    assert rows["coordination"].mean == pytest.approx(0.5)
    assert rows["coordination"].error == pytest.approx(0, abs=1e-12), "the same in every future"
    wide = rows["differentiation"]
    assert wide.error == pytest.approx(0.1 / np.sqrt(3))
    assert wide.high - wide.mean == pytest.approx(4.302653 * wide.error, rel=1e-5)
    assert rows["targeting"].measure == "atkinson"


@pytest.mark.parametrize(
    ("gap", "supports"), [([0.30, 0.31, 0.29], True), ([0.0, 0.3, 0.6], False), ([0, 0, 0], False)]
)
def test_a_gap_bears_a_claim_when_it_is_three_intervals_wide(
    gap: list[float], supports: bool
) -> None:
    ahead = np.array([1.0, 5.0, 9.0])
    scores = {}
    for preset in PRESETS:
        scores[f"open loop, {preset}"] = ahead
        scores[f"clairvoyant, {preset}"] = ahead + np.array(gap)
        scores[f"feedback, {preset}"] = ahead + np.array(gap) / 4
    for row in results.gaps(scores, dict.fromkeys(PRESETS, 0.0)):
        assert row.supports is supports
        assert row.gap == pytest.approx(np.mean(gap))
        assert row.reached == (pytest.approx(0.25) if np.mean(gap) else None)
        assert row.needed is None if not np.mean(gap) else (row.needed <= 3) is supports


def test_futures_needed_are_just_enough() -> None:
    count = results.needed(0.3, 0.4)
    assert count is not None
    for futures, enough in ((count, True), (count - 1, False)):
        half = results.stats.t.ppf(0.975, futures - 1) * 0.4 / np.sqrt(futures)
        assert bool(3 * half <= 0.3) is enough
    assert results.needed(0.0, 0.4) is None


def test_no_plan_learns_from_a_future_that_it_is_scored_on(city: City) -> None:
    draws = Draws.of(city, 3, 2, 12, 5)
    for preset in PRESETS:
        lessons, tests = draws.lessons[preset], draws.tests[preset]
        assert not set(lessons) & set(tests)
        learnt, scored = ({draws.seeds[i] for i in part} for part in (lessons, tests))
        assert preset == "steady" or (len(learnt), len(scored)) == (6, 3)
        assert preset == "steady" or not learnt & scored
    assert len(draws.lessons["steady"]) == len(draws.tests["steady"]) == 1
    assert draws.futures.draws == len(draws.seeds)


def test_knowing_a_certain_future_is_worth_nothing(found: gains.Gains) -> None:
    rows = {row.preset: row for row in found.gaps}
    assert rows["steady"].gap == pytest.approx(0, abs=1e-4)
    assert not rows["steady"].supports
    assert all(row.gap >= 0 for row in found.gaps), "it may follow the plan made in advance"
    assert list(rows) == list(PRESETS)


def test_the_report_holds_what_was_found_by_future(found: gains.Gains) -> None:
    assert [row.source for row in found.sources] == list(results.SOURCES)
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    by_future = content["by_future"]
    for row in content["sources"]:
        assert row["low"] <= row["mean"] <= row["high"]
        assert row["futures"] == 2
    first = content["sources"][0]["mean"]
    difference = np.subtract(by_future["joint"], by_future["together"]).mean()
    assert first == pytest.approx(difference, abs=1e-9)
    assert len(by_future["clairvoyant, crisis"]) == 2


def test_the_page_shows_both_tables_and_says_what_follows(found: gains.Gains) -> None:
    text = page(found, "synthetic city", "polislab model gains", "images/gains.png")
    for words in ("| coordination |", "| crisis |", "images/gains.png", "polislab model gains"):
        assert words in text
    assert [len(sheet.rows) for sheet in sheets(found)] == [5, len(PRESETS)]
    sure = replace(found.sources[0], mean=0.2, low=0.1, high=0.3)
    loss = replace(found.sources[1], mean=-0.2, low=-0.3, high=-0.1)
    open_ = replace(found.sources[2], mean=0.2, low=-0.1, high=0.5)
    wide = replace(found.gaps[-1], supports=True, reached=0.25)
    narrow = replace(found.gaps[-2], supports=False, needed=44)
    lines = readings(
        replace(found, sources=(sure, loss, open_), gaps=(found.gaps[0], narrow, wide))
    )
    assert lines[0].endswith("+0.200 % of income.")
    assert "a loss" in lines[1]
    assert "not told apart from nothing" in lines[2]
    assert "can rest on crisis" in lines[3]
    assert "cannot rest on steady and shocks with 2 futures" in lines[4]
    assert lines[5] == "Under shocks, 44 futures would do."
    assert "25 % of the clairvoyant gap" in lines[6]


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "gains", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_the_command_writes_figures_page_and_picture(
    found: gains.Gains,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[Any] = []

    def measure(name: str, city: City, work: gains.Effort, *rest: Any) -> gains.Gains:
        asked.extend([name, city.districts, work, *rest[:3]])
        return found

    monkeypatch.setattr(gains, "measure", measure)
    files = {name: tmp_path / f"gains.{name}" for name in ("json", "md", "png")}
    words = ["synthetic", "--districts", "3", "--rows", "2", "--months", "24", "--seed", "7"]
    options = ["--json", str(files["json"]), "--markdown", str(files["md"])]
    assert command(monkeypatch, *words, "--quick", *options, "--plot", str(files["png"])) == 0
    assert asked == ["synthetic", 3, gains.effort("quick"), 2, 24, 7]
    assert json.loads(files["json"].read_text())["rows"] == 2
    assert "](gains.png)" in files["md"].read_text()
    assert "polislab model gains synthetic" in files["md"].read_text()
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "coordination" in shown
    assert "crisis" in shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["atlantis"], "'atlantis'"),
        (["london", "--districts", "9"], "--districts"),
        (["synthetic", "--months", "18"], "--months"),
        (["synthetic", "--rows", "1"], "--rows"),
        (["synthetic", "--plot", "no/such/folder.png"], "--plot"),
        (["synthetic", "--markdown", "no/such/folder.md"], "--markdown"),
        (["synthetic", "--json", "no/such/folder.json"], "--json"),
    ],
)
def test_bad_input_ends_with_two_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *words) == 2
    shown = capsys.readouterr()
    assert complaint in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_efforts_are_complete_and_a_quick_one_is_quicker() -> None:
    default, quick = (gains.effort(name) for name in gains.EFFORTS)
    assert quick.work < default.work
    assert default.preset in PRESETS
