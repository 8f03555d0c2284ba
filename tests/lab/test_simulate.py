"""`polislab simulate`: levers move what they should, and bad settings are all named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from envs.city.capital import CAPITAL
from envs.city.model import City
from envs.registry import synthetic
from experiments import cli
from experiments.errors import InputError
from experiments.simulate import (
    QUO,
    SET,
    Simulation,
    driven,
    milestones,
    parse_settings,
    simulate,
)

CODES = ("d0", "d1", "d2", "d3")


@pytest.fixture(scope="module")
def city() -> City:
    return synthetic(0, 1, len(CODES))


def run(city: City, *texts: str, dynamics: str = "steady") -> Simulation:
    return simulate(city, parse_settings(texts, CODES), 24, dynamics, 0, lambda: None)


def test_without_settings_both_runs_are_the_status_quo(city: City) -> None:
    result = run(city, dynamics="shocks")
    assert all((rows[QUO] == rows[SET]).all() for rows in result.indicators.values())
    assert (result.welfare == 0).all()
    assert np.ptp(result.indicators["output"][QUO]) > 0


def test_levers_move_what_they_should(city: City) -> None:
    toll = {row["indicator"]: row for row in run(city, "toll=0.002").changes()}
    assert toll["traffic"]["change"] < -0.02
    assert toll["transit_trips"]["change"] > 0.02
    assert toll["traffic"]["with_levers"] / toll["traffic"]["status_quo"] - 1 == pytest.approx(
        toll["traffic"]["change"]
    )
    staff = {row["indicator"]: row for row in run(city, "staff[health]=1.5").changes()}
    assert staff["quality_health"]["change"] > 0.05
    assert staff["quality_safety"]["change"] < 0, "one treasury pays for all services"


def test_a_cell_sets_one_place_and_later_settings_overrule() -> None:
    found = parse_settings(["toll=0.001", "toll[d2]=0.005", "staff[d1,health]=1.5"], CODES)
    assert found["toll"].tolist() == [0.001, 0.001, 0.005, 0.001]
    assert found["staff"].sum() == pytest.approx(4 * 4 + 0.5)
    assert found["staff"][1, 1] == 1.5
    assert found["staff"].dtype == torch.float64


def test_all_bad_settings_are_named() -> None:
    bad = {
        "tol=1": "unknown lever 'tol'; did you mean 'toll'?",
        "toll=1": "outside 0 to 0.01 k$/entry",
        "toll": "expected toll=NUMBER",
        "fare=cheap": "expected fare=NUMBER",
        "fare[d1]=0.001": "fare has no 'd1'",
        "staff[d9]=1": "staff has no 'd9'",
        "staff[d1,d2]=1": "one district, service, sector or type at a time",
        "road=nan": "outside 0 to 5",
    }
    with pytest.raises(InputError) as error:
        parse_settings(list(bad), CODES)
    assert len(error.value.problems) == len(bad)
    for problem, (text, words) in zip(error.value.problems, bad.items(), strict=True):
        assert problem.startswith(f"--set {text}: ")
        assert words in problem


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "simulate", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_the_command_writes_a_picture_and_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    picture, figures = tmp_path / "toll.png", tmp_path / "toll.json"
    words = ["--districts", "4", "--set", "toll=0.002", "--months", "6"]
    assert command(monkeypatch, *words, "--plot", str(picture), "--json", str(figures)) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    content = json.loads(figures.read_text())
    assert content["settings"] == ["toll=0.002"]
    assert len(content["welfare"]) == len(content["series"]["traffic"][0]) == 6
    assert content["horizon"][0]["indicator"] == "population"


def test_the_life_cycle_follows_what_the_levers_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, figures = tmp_path / "road.png", tmp_path / "road.json"
    words = ["--districts", "4", "--set", "road=2", "--months", "24", "--life-cycle"]
    assert command(monkeypatch, *words, "--plot", str(picture), "--json", str(figures)) == 0
    assert (tmp_path / "road-life-cycle.png").read_bytes().startswith(b"\x89PNG")
    followed = json.loads(figures.read_text())["life_cycle"]
    assert list(followed) == ["road"]
    last = {stage: path[SET][-1] for stage, path in followed["road"].items()}
    assert last["request"] > last["paid"] > last["pipeline"] > last["stock"] > 1
    assert followed["road"]["stock"][QUO] == pytest.approx([1] * 24)
    shown = capsys.readouterr().out
    assert all(stage in shown for stage in ("request", "paid", "pipeline", "stock", "condition"))


def test_without_a_lever_that_builds_every_stock_is_followed() -> None:
    assert driven(["road"]) == ("road",)
    assert "home_floor" in driven(["far"])
    assert driven(["toll"]) == tuple(CAPITAL) == driven([])
    assert milestones(120) == [1, 18, 35, 52, 69, 86, 103, 120]
    assert milestones(3) == [1, 2, 3]


@pytest.mark.parametrize(
    "words",
    [
        ["--city", "atlantis", "--dynamics", "calm", "--plot", "no/such/folder/a.png"],
        ["--set", "tol=1"],
        ["--months", "0"],
        ["--districts", "2"],
    ],
    ids=" ".join,
)
def test_bad_options_end_with_two_and_nothing_written(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, *words) == 2
    shown = capsys.readouterr()
    assert all(word in shown.err for word in words if word.startswith("--") and word != "--set")
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []
