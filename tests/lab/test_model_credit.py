"""`polislab model credit`: splits that add up, for settings and for policies that look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import agents
import envs
from envs.city.levers import GOVERNORS
from experiments import config
from experiments.cli import app
from experiments.credit import METHODS, of_policy
from experiments.errors import InputError
from experiments.rollouts import collect

SMALL = ["districts=3", "scenario.horizon=6", "scenario.terminal=tail"]


@pytest.fixture
def short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stocks left at the end are valued by one year instead of twenty."""
    monkeypatch.setattr("envs.stocks.TAIL_MONTHS", 12)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["model", "credit", *words], catch_exceptions=False)


def test_four_splits_side_by_side(tmp_path: Path) -> None:
    file = tmp_path / "credit.json"
    settings = ["--set", "toll=0.002", "--set", "staff=1.2", "--set", "far=1.5"]
    words = ["synthetic", *settings, "--months", "6", "--districts", "3", "--json", str(file)]
    result = run(*words, "--worlds", "2", "--dynamics", "shocks")
    assert result.exit_code == 0
    for word in (*GOVERNORS, "Shapley", "Aumann-Shapley", "left over", "By lever", "95 % interval"):
        assert word in result.stdout
    found = json.loads(file.read_text())
    gain, rows = found["gain"]["mean"], found["governors"]
    sums = {method: sum(rows[g][method] for g in GOVERNORS) for method in METHODS}
    assert sums["shapley"] == pytest.approx(gain, rel=1e-9)
    assert sums["aumann_shapley"] == pytest.approx(gain, rel=1e-3)
    assert all(rows["industry"][method] == 0 for method in METHODS)
    for method, value in found["left_over"].items():
        assert gain - sums[method] == pytest.approx(value, abs=1e-15)
    assert sum(found["interaction"].values()) == pytest.approx(found["left_over"]["alone"])
    assert sum(found["levers"].values()) == pytest.approx(gain, rel=1e-3)
    assert len(found["worlds"]["gain"]) == 2
    assert found["quadrature"]["largest_gap"] < 1e-3


@pytest.mark.usefixtures("short_tail")
def test_a_policy_that_looks_is_split_too(tmp_path: Path) -> None:
    """A rule that looks at the city, its planner and its industry silenced."""
    loaded = config.load([*SMALL, "agent=proportional"])
    env = envs.make(loaded.scenario, **loaded.environment(1, 0))
    pairs = [
        {"observation": "service_load", "lever": "staff[education]", "gain": 0.5},
        {"observation": "congestion", "lever": "toll", "gain": 0.5},
        {"observation": "population", "lever": "maintenance", "gain": 0.5},
    ]
    rule = agents.rule("proportional", env.groups, {"pairs": pairs})
    folder = agents.save(rule, tmp_path / "policy", {"config": loaded.resolved})
    file = tmp_path / "credit.json"
    words = ["--policy", str(folder), "--districts", "3", "--months", "6", "--json", str(file)]
    result = run("synthetic", *words)
    assert "proportional of" in result.stdout
    found = json.loads(file.read_text())
    gain, rows = found["gain"]["mean"], found["governors"]
    assert abs(gain) > 1e-9
    assert sum(row["aumann_shapley"] for row in rows.values()) == pytest.approx(gain, rel=1e-3)
    assert rows["services"]["shapley"] != 0
    assert all(rows[g][method] == 0 for g in ("planning", "industry") for method in METHODS)


def test_a_policy_of_another_scenario_and_too_many_boards_are_refused() -> None:
    boards = config.load(["scenario=districts_v0", *SMALL])
    env = envs.make(boards.scenario, **boards.environment(1, 0))
    rule = agents.rule("status_quo", env.groups)
    with pytest.raises(InputError, match="does not fit the scenario"):
        of_policy(config.load(SMALL), rule)
    many = config.load(["scenario=districts_v0", *SMALL, "districts=13"])
    with pytest.raises(InputError, match="13 governors, at most 12"):
        of_policy(many, rule)


def test_contradictions_are_refused() -> None:
    cases = {
        (): "either --set LEVER=VALUE",
        ("--set", "toll=0.001", "--policy", "x"): "either --set LEVER=VALUE",
        ("--set", "toll=0.001", "--forever", "--worlds", "2"): "--forever: settings in a quiet",
        ("--set", "toll=0.001", "--dynamics", "shock"): "did you mean 'shocks'",
        ("--policy", "nowhere"): "no such file",
    }
    for words, message in cases.items():
        with pytest.raises(InputError, match=message):
            run("synthetic", *words)


@pytest.mark.usefixtures("short_tail")
def test_costs_that_governors_share_have_one_total_and_one_budget() -> None:
    env = envs.make("city_v0", districts=3, horizon=6, cities=1, terminal="tail")
    rules = {"status_quo": agents.rule("status_quo", env.groups)}
    rollouts, outcomes = collect(env, [agents.rule("random", env.groups)], rules, 0, lambda: None)
    per_governor = [dict(zip(g.cost_names, g.budgets, strict=True)) for g in env.groups]
    assert rollouts.budgets["intervention"] == pytest.approx(
        sum(budgets["intervention"] for budgets in per_governor)
    )
    assert rollouts.budgets["deficit"] == per_governor[1]["deficit"]
    env.reset(seed=0)
    policy = agents.rule("random", env.groups)
    policy.reset(1)
    observations, total = env.reset(seed=0)[0], 0.0
    for _ in range(env.steps_per_episode):
        with torch.no_grad():
            result = env.step(policy.act(observations))
        observations = dict(result.observations)
        for group in env.groups:
            column = group.cost_names.index("intervention")
            total += float(result.costs[group.name][..., column]) / env.steps_per_episode
    assert float(outcomes["policy"][0].costs["intervention"][0]) == pytest.approx(total, rel=1e-5)


def test_scenario_show_prints_costs_with_budgets(tmp_path: Path) -> None:
    file = tmp_path / "scenario.json"
    words = ["scenario", "show", "city_v0", "--json", str(file)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(file.read_text())
    costs = {row["cost"]: row for row in found["constraint costs"]}
    assert len(costs) == 7
    assert costs["intervention"]["group"] == list(GOVERNORS)
    assert costs["displacement"]["group"] == ["planning"]
    assert all(0 <= row["today"] <= 0.1 * row["budget"] for row in costs.values())
    assert {row["limit"] for row in found["limits (option cost_limits)"]} >= {"debt_limit"}
    with pytest.raises(InputError, match="did you mean 'city_v0'"):
        CliRunner().invoke(app, ["scenario", "show", "city_v1"], catch_exceptions=False)
