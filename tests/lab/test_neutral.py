"""`polislab model neutral`: its tables say what was found, and bad input is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from envs import priors, stocks
from envs.city import neutrality
from envs.city.levers import LEVERS
from envs.city.model import City
from envs.city.valuation import probe_names
from envs.registry import synthetic
from experiments import cli, neutral
from experiments import neutral_report as reports
from experiments.errors import InputError
from experiments.sheets import markdown


@pytest.fixture(scope="module")
def city() -> City:
    torch.set_num_threads(1)
    return synthetic(0, 1, 3)


@pytest.fixture(autouse=True)
def _short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """One year of future after a plan instead of twenty."""
    monkeypatch.setattr(stocks, "TAIL_MONTHS", 12)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_the_command_shows_every_lever_and_every_solved_value(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, tables = tmp_path / "neutral.json", tmp_path / "neutral.md"
    quick = ["--districts", "3", "--months", "12", "--horizon", "12"]
    search = ["--constant", "--starts", "2", "--iterations", "1"]
    files = ["--json", str(figures), "--markdown", str(tables)]
    assert command(monkeypatch, "neutral", "synthetic", *quick, *search, *files) == 0
    content: dict[str, Any] = json.loads(figures.read_text())
    assert [row["lever"] for row in content["levers"]] == list(probe_names())
    assert {row["lever"].partition("[")[0] for row in content["levers"]} | set(
        content["unprobed"]
    ) == set(LEVERS)
    assert len(content["solved"]) == len(neutrality.UNKNOWNS)
    assert len(content["constant"]["by_start"]) == 2
    assert {row["action"] for row in content["bounds"]} == {
        row["action"] for row in content["constant"]["settings"]
    }
    shown, written = capsys.readouterr().out, tables.read_text()
    for name in ("staff[education]", "own_rents", "density disamenity", "Best constant policy"):
        assert name in shown
        assert name in written


def test_values_are_those_of_the_stored_prior_and_marked_outside_their_range(city: City) -> None:
    stored = priors.read(priors.SYNTHETIC)
    found = {f"{row.parameter}[{row.cell}]": row for row in neutral.solved_values(city)}
    rents, safety = found["own_rents[]"], found["om_service[safety]"]
    assert rents.value == stored["own_rents"]
    assert rents.outside is (not 0 <= rents.value <= 1)
    assert safety.value == stored["om_service"][2]  # type: ignore[index]
    assert found["om_mix[]"].outside is None, "nothing is published"


@pytest.mark.parametrize(
    ("lever", "residual", "load", "passes"),
    [
        ("staff", 0.04, 0.9, True),
        ("staff", 0.06, 0.9, False),
        ("staff", -0.06, 0.9, False),
        ("rebate", -0.3, 0.9, True),
        ("subsidy", 0.06, 0.9, False),
        ("toll", 0.3, 0.9, False),
        ("toll", 0.3, 1.2, True),
    ],
)
def test_one_sided_levers_may_cost_but_must_not_pay(
    lever: str, residual: float, load: float, passes: bool
) -> None:
    verdict, remark = neutral.judge(LEVERS[lever], residual, load)
    assert verdict is passes
    assert bool(remark) is (lever != "staff" or not passes)


def test_a_lever_held_at_today_gains_nothing_and_a_bound_is_the_lever_s_bound(city: City) -> None:
    names = neutral.names_of(neutral.environment(city, 1, 12))
    ticks: list[int] = []
    assert neutral.gains(city, torch.zeros(1, len(names)), 12, lambda: ticks.append(1)) == [0.0]
    assert len(ticks) == neutral.steps(12) == 1
    rows = {(row.action, row.side): row for row in neutral.bounds(city, 12, lambda: None)}
    assert rows["staff[health]", "high"].setting == LEVERS["staff"].high
    assert rows["staff[health]", "low"].gain < -0.01, "no staff in a service costs welfare"
    assert ("rebate", "low") not in rows, "already there today"


def test_the_best_plan_is_as_good_as_its_search_and_its_shares_are_of_its_levers(
    city: City,
) -> None:
    found = neutral.constant(city, 2, 2, 12, lambda: None)
    assert found.gain >= max(*found.by_start, found.history[-1]) - 1e-4
    assert found.history == tuple(sorted(found.history))
    for setting in found.settings:
        assert setting.share == pytest.approx(0, abs=1e-5) or setting.value != setting.today


def test_marks_of_the_sheets_follow_the_verdicts() -> None:
    def row(lever: str, residual: float, passes: bool, one_sided: bool) -> neutral.LeverValue:
        values = (1.0, 1.0, 1.0, None, None, residual)
        return neutral.LeverValue(lever, "services", "", *values, one_sided, passes, "")

    levers = [row("fee", 0.2, False, False), row("rebate", -0.1, True, True)]
    report = reports.Report("x", 3, 12, 12, levers, [])
    sheet = reports.sheets(report)[0]
    assert [cells[-1] for cells in sheet.rows] == ["", "+0.2000 *", "-0.1000 1"]
    assert "Not neutral: fee." in sheet.notes[1]
    assert not report.as_dict()["neutral"]
    assert "| fee |" in markdown([sheet])


def test_write_keeps_the_solution_where_the_city_looks_for_it(
    city: City, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    values = {**priors.read(priors.SYNTHETIC), "g_road": 0.123}

    def solve(*_: Any, **__: Any) -> neutrality.Neutral:
        return neutrality.Neutral(values, {"road": 0.001}, None, 1)  # type: ignore[arg-type]

    monkeypatch.setattr(neutrality, "solve", solve)
    home = tmp_path / priors.FILE
    solved = neutral.solve_and_keep(city, home, lambda: None)
    assert float(solved.parameters.b.g_road) == 0.123
    assert priors.read(home)["g_road"] == 0.123
    assert yaml.safe_load(home.read_text())["residuals"] == {"road": 0.001}


def test_the_prior_of_synthetic_cities_changes_in_a_checkout_and_on_nine_districts_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert neutral.prior_file("synthetic") == priors.SYNTHETIC
    assert neutral.prior_file("london").name == priors.FILE
    with pytest.raises(InputError, match="9 districts"):
        neutral.prior_file("synthetic", 33)
    monkeypatch.setattr(priors, "SYNTHETIC", tmp_path / "a" / "b" / "synthetic.yaml")
    with pytest.raises(InputError, match="checkout"):
        neutral.prior_file("synthetic")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["neutral", "atlantis"], "'atlantis'"),
        (["neutral", "london", "--districts", "9"], "--districts"),
        (["neutral", "synthetic", "--districts", "2"], "--districts"),
        (["neutral", "synthetic", "--months", "1"], "--months"),
        (["neutral", "synthetic", "--markdown", "no/such/folder.md"], "--markdown"),
        (["neutral", "synthetic", "--json", "no/such/folder.json"], "--json"),
        (["neutral", "synthetic", "--write", "--districts", "33"], "--write"),
        (["parameters", "--block", "plannin"], "planning"),
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


def test_parameters_show_values_along_an_axis_and_which_are_solved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures = tmp_path / "parameters.json"
    assert command(monkeypatch, "parameters", "--block", "services", "--json", str(figures)) == 0
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert len(rows["om_service"]["default"]) == 4
    assert rows["om_service"]["solved"] is True
    assert rows["visits"]["solved"] is False
