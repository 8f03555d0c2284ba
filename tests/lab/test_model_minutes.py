"""`polislab model minutes`: the weight of a minute at which a toll is worth a rebate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from envs.city import minutes, neutrality
from envs.city.cities import with_parameters
from envs.city.model import City
from envs.registry import synthetic
from experiments.cli import app


@pytest.fixture(scope="module")
def zero() -> City:
    return synthetic(0, 1, 3)


def test_the_search_finds_the_root_of_a_bent_curve(
    zero: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes, "toll_value", lambda _, weight, __: (weight / 0.009) ** 0.5)
    ticks: list[None] = []
    found = minutes.solve(zero, progress=lambda: ticks.append(None))
    assert found[-1].kappa_w == pytest.approx(0.009, rel=0.01)
    assert minutes.solved(found[-1])
    assert len(ticks) == len(found) < 6


def test_the_more_minutes_weigh_the_dearer_is_a_unit_raised_by_a_toll(
    zero: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On empty roads a toll saves nobody time; those who leave their cars travel longer."""
    still = neutrality.Neutral({}, {}, None, 0)  # type: ignore[arg-type]
    monkeypatch.setattr(neutrality, "solve", lambda *_: still)
    light, heavy = (minutes.toll_value(zero, weight, 24) for weight in (0.006, 0.012))
    assert heavy > light
    assert light == minutes.toll_value(with_parameters(zero, {"kappa_w": 0.02}), 0.006, 24)


@pytest.mark.parametrize(("trials", "code"), [(3, 0), (2, 1)])
def test_the_command_shows_trials_and_fails_without_a_solution(
    trials: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes, "toll_value", lambda _, weight, __: 1 + 100 * (weight - 0.0095))
    file = tmp_path / "minutes.json"
    words = ["model", "minutes", "--districts", "3", "--trials", str(trials)]
    result = CliRunner().invoke(app, [*words, "--json", str(file)])
    assert result.exit_code == code
    found = json.loads(file.read_text())
    assert found["solved"] is (code == 0)
    assert ("Solved: 0.00950" in result.stdout) is (code == 0)
