"""`polislab model taxation`: Saez's formula, the elasticity it needs, fair scores, bad input."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import envs
from envs import ground
from envs.city import valuation
from envs.city.evasion import evaded_share
from envs.city.levers import LEVERS
from envs.registry import synthetic
from envs.scenarios.taxation_v0 import TREASURY
from experiments import cli, taxation
from experiments.taxation import saez
from experiments.taxation.play import Constant, Score, play
from experiments.taxation.report import page, readings
from experiments.taxation.response import estimate
from experiments.taxation.results import Taxation
from experiments.taxation.study import ENTRANTS

SKILL = torch.tensor([[0.6, 1.0, 1.4, 3.0]], dtype=torch.float64)
PEOPLE = torch.tensor([[3.0, 4.0, 2.0, 1.0]], dtype=torch.float64)


@pytest.mark.parametrize("elasticity", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("aversion", [0.5, 1.0, 2.0])
def test_the_formula_is_the_optimum_of_isoelastic_workers(
    elasticity: float, aversion: float
) -> None:
    """Quasi-linear workers of skill w supply w (1 - t)^e; all revenue is handed out by head.

    Their surplus is w (1 - t)^(1 + e) / (1 + e) + demogrant, weighed by fixed social weights.
    """
    weights = saez.social_weights(SKILL, PEOPLE, aversion)
    rates = torch.linspace(0, 0.999, 100_000, dtype=torch.float64)
    share = PEOPLE[0] / PEOPLE.sum()
    mean = (share * SKILL[0]).sum()
    demogrant = rates * (1 - rates) ** elasticity * mean
    surplus = (1 - rates) ** (1 + elasticity) / (1 + elasticity)
    worth = (share * weights[0] * SKILL[0]).sum() * surplus + demogrant
    best = float(rates[int(worth.argmax())])
    # Income is proportional to skill at every rate, and so are its weights in the average.
    gbar = saez.mean_weight(weights, SKILL, PEOPLE)
    formula = saez.linear_rate(gbar, torch.tensor([elasticity], dtype=torch.float64))
    assert float(formula) == pytest.approx(best, abs=2e-5)
    assert 0 < best < 1


def test_weights_average_one_and_lean_to_the_poor_with_aversion() -> None:
    means = []
    for aversion in (0.0, 1.0, 2.0):
        weights = saez.social_weights(SKILL, PEOPLE, aversion)
        assert float((PEOPLE * weights).sum() / PEOPLE.sum()) == pytest.approx(1.0)
        means.append(float(saez.mean_weight(weights, SKILL, PEOPLE)))
    assert means[0] == pytest.approx(1.0), "without aversion a unit is worth the same everywhere"
    assert means[0] > means[1] > means[2]


def test_nobody_is_taxed_by_head_and_actions_ask_for_the_rate() -> None:
    lever = LEVERS["income_tax"]
    allowed = saez.feasible(torch.tensor([0.0, 0.12, 0.9]))
    assert allowed.tolist() == pytest.approx([lever.default, 0.12, lever.high])
    assert lever.physical(saez.raw(allowed)).tolist() == pytest.approx(allowed.tolist())


class Toy:
    """A city whose base follows the net-of-tax rate with a known elasticity, late: after two years
    by 0.4 in all, of which 0.1 is honesty and 0.3 residents; welfare is the rate asked for."""

    dtype, num_envs, months_per_step = torch.float64, 2, 12
    options = SimpleNamespace(aversion=1.0)

    def __init__(self) -> None:
        self.year = 0
        self.asked: list[float] = []

    def reset(self, seed: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        self.year = 0
        return {TREASURY: torch.zeros(2, 1, 1)}, {}

    def step(self, actions: dict[str, Tensor]) -> Any:
        self.year += 1
        rate = LEVERS["income_tax"].physical(actions[TREASURY][:, 0, 0])
        self.asked.append(float(rate[0]))
        net = torch.log((1 - rate) / (1 - LEVERS["income_tax"].default))
        grown = min(self.year / 2, 1.0)
        measures = {
            "net_rate": net,
            "base": 0.4 * grown * net,
            "population": 0.3 * grown * net,
            "earnings": 0.0 * net,
            "honesty": 0.1 * grown * net,
            "rate": rate,
            "demogrant": rate,
        }
        months = (np.exp(-0.03 / 12) ** np.arange(12)).sum()
        welfare = {"overall": rate * months, "nash": -rate}
        observed = {TREASURY: torch.full((2, 1, 1), float(self.year))}
        return SimpleNamespace(
            observations=observed, info={"measures": measures, "welfare": welfare}
        )


def test_the_elasticity_is_that_of_the_last_years() -> None:
    found = estimate(Toy(), 0.01, 5, 2, 0)
    assert found.base.tolist() == pytest.approx([0.4, 0.4], rel=1e-6)
    assert {name: float(x[0]) for name, x in found.parts.items()} == pytest.approx(
        {"population": 0.3, "earnings": 0.0, "honesty": 0.1}
    )
    assert float(estimate(Toy(), 0.01, 1, 1, 0).base[0]) == pytest.approx(0.2), "too early"


def test_the_estimate_finds_the_evasion_that_is_built_into_a_city() -> None:
    """What is evaded at a rate and today's audits is known in closed form."""
    torch.set_num_threads(1)
    city = synthetic(0, 1, 4)
    env = envs.make(
        "taxation_v0",
        city=city,
        schedule="linear",
        dynamics="steady",
        terminal="tail",
        dtype=torch.float64,
    )
    found = estimate(env, 0.01, 6, 1, 0)
    today, audit = LEVERS["income_tax"].default, torch.tensor([LEVERS["audit"].default])
    rates = [torch.tensor([rate]) for rate in (today + 0.01, today)]
    honest, net = (
        torch.log(first / second)
        for first, second in (
            [1 - evaded_share(city.parameters, rate, audit) for rate in rates],
            [1 - rate for rate in rates],
        )
    )
    assert float(found.parts["honesty"]) == pytest.approx(float(honest / net), rel=0.1)


class Climber:
    """Asks for more every year that it is asked."""

    def reset(self, num_envs: int) -> None:
        pass

    def act(self, observations: dict[str, Tensor]) -> dict[str, Tensor]:
        return {TREASURY: 0.1 * observations[TREASURY].double()}


def test_a_schedule_stands_still_before_it_counts_as_adapted() -> None:
    """Two years of climbing, then the last rate for three, of which the last two count."""
    toy = Toy()
    found = play(toy, Climber(), 2, 3, 2, 0)  # type: ignore[arg-type]
    assert toy.asked == pytest.approx([0.05, 0.075, 0.075, 0.075, 0.075])
    assert found.adapted.tolist() == pytest.approx([7.5, 7.5]), "percent"
    assert found.residents.tolist() == pytest.approx([-7.5, -7.5])
    assert 6.9 < found.path[0] < 7.1, "discounted mean of every year"
    constant = play(toy, Constant(torch.tensor([[0.4], [0.4]])), 2, 3, 2, 0)
    assert constant.path.tolist() == pytest.approx(constant.adapted.tolist())


def made_up(learned: float, spread: float) -> Taxation:
    """Results in which Saez earns 1 and the learned schedule ``learned``, give or take."""
    noise = spread * np.array([-1.0, 0.0, 1.0, 0.0])

    def score(mean: float) -> Score:
        values = mean + noise
        return Score(values, values, values, np.array([0.05, 0.1]), np.array([0.0, 0.04]))

    scores = {name: score(1.0) for name in ENTRANTS} | {"learned": score(learned)}
    rule = {"weight": 0.9, "optimum": 0.1, "rate": 0.1}
    return Taxation(
        cities=4,
        first_seed=50_000_000,
        seed=0,
        dynamics="steady",
        effort=taxation.effort("quick"),
        elasticity={"base": 0.6, "population": 0.1, "earnings": 0.3, "honesty": 0.2},
        spread=0.01,
        rules=dict.fromkeys((0.0, 1.0, 2.0), rule),
        scores=dict.fromkeys((0.0, 1.0, 2.0), scores),
    )


@pytest.mark.parametrize(
    ("learned", "spread", "apart", "words"),
    [
        (1.5, 0.01, 1, "is earned."),
        (0.5, 0.01, -1, "at none."),
        (1.01, 0.5, 0, "at none."),
    ],
)
def test_beating_takes_intervals_that_do_not_overlap(
    learned: float, spread: float, apart: int, words: str
) -> None:
    found = made_up(learned, spread)
    duel = found.duel(1.0, "learned", "adapted")
    assert duel.apart == apart
    assert duel.difference.mean == pytest.approx(learned - 1)
    assert duel.difference.high == pytest.approx(duel.difference.low), "the same on every city"
    lines = readings(found)
    assert words in lines[-2]
    text = page(found, "cities", "polislab model taxation", "images/taxation.png")
    assert "| 1 | Saez |" in text
    assert "images/taxation.png" in text


def test_a_claim_at_some_aversions_names_them() -> None:
    won, lost = made_up(1.5, 0.01), made_up(0.5, 0.01)
    mixed = replace(
        won, scores={0.0: lost.scores[0.0], 1.0: lost.scores[1.0], 2.0: won.scores[2.0]}
    )
    assert "is not earned: it holds at 2." in readings(mixed)[-2]


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "taxation", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_the_command_estimates_learns_scores_and_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ground, "shadow_prices", partial(valuation.shadow_prices, months=24))
    files = {name: tmp_path / f"taxation.{name}" for name in ("json", "md", "png")}
    words = ["--quick", "--cities", "2", "--districts", "3", "--first-seed", "50000000"]
    options = ["--json", str(files["json"]), "--markdown", str(files["md"])]
    assert command(monkeypatch, *words, *options, "--plot", str(files["png"])) == 0
    content = json.loads(files["json"].read_text())
    assert content["cities"] == 2
    parts = [content["elasticity"][name] for name in ("population", "earnings", "honesty")]
    assert content["elasticity"]["base"] == pytest.approx(sum(parts), abs=1e-4)
    assert 0.1 < content["elasticity"]["base"] < 2
    rates = {row["aversion"]: row["saez"] for row in content["aversions"]}
    assert rates[0.0]["optimum"] == pytest.approx(0, abs=1e-6)
    assert rates[0.0]["rate"] < rates[1.0]["rate"] < rates[2.0]["rate"]
    neutral = next(row for row in content["aversions"] if row["aversion"] == 0.0)
    assert neutral["by_city"]["saez"]["path"] == pytest.approx([0.0, 0.0], abs=1e-4)
    assert set(neutral["by_city"]) == set(ENTRANTS)
    assert "](taxation.png)" in files["md"].read_text()
    assert files["png"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--dynamics", "calm"], "--dynamics"),
        (["--cities", "1"], "--cities"),
        (["--first-seed", "5"], "--first-seed"),
        (["--plot", "no/such/folder.png"], "--plot"),
        (["--json", "no/such/folder.json"], "--json"),
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
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_efforts_are_complete_and_learn_in_whole_episodes() -> None:
    for name in taxation.EFFORTS:
        work = taxation.effort(name)
        assert work.governed % 12 == work.adaptation % 12 == work.adapted % 12 == 0
        assert work.experience().env_steps > 0
        assert work.planning().iterations > 0
