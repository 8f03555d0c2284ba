"""`polislab model information`: the published series, and what it is worth to know more."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import cli, config
from experiments.information import Worth, series, worth

SMALL = ("districts=4", "scenario.horizon=6", "scenario.dynamics=crisis")


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "information", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_a_policy_that_does_not_look_loses_nothing() -> None:
    found = worth(config.load(SMALL), "uniform", [0.0], 2)
    assert list(found.welfare) == [1.0, 0.0]
    assert np.array_equal(found.welfare[1.0], found.welfare[0.0])


def test_a_rule_that_looks_acts_otherwise_in_a_silo() -> None:
    found = worth(config.load(SMALL), "pi", [0.0], 2)
    perfect, silo = found.welfare[1.0], found.welfare[0.0]
    assert perfect.shape == (2,)
    assert not np.array_equal(perfect, silo)
    rows = found.rows()
    assert rows[0]["value"]["mean"] == 0
    assert rows[1]["value"]["mean"] == pytest.approx(float((perfect - silo).mean()))
    assert rows[1]["value"]["low"] <= rows[1]["value"]["mean"] <= rows[1]["value"]["high"]


def test_the_value_is_paired_world_by_world() -> None:
    noisy = np.array([1.0, 5.0, 9.0])
    row = Worth("x", (0, 1, 2), {1.0: noisy, 0.0: noisy - 0.5}).rows()[1]
    assert row["value"]["low"] == row["value"]["high"] == 0.5


def test_series_are_listed_at_a_level() -> None:
    silo = {row["name"]: row for row in series(0.0)}
    perfect = {row["name"]: row for row in series(1.0)}
    assert silo["population"]["lag"] == 12
    assert all(row["lag"] == 0 and row["noise"] == 0 for row in perfect.values())


def test_the_command_prints_series_and_values(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "information.json"
    words = ["synthetic", "--worlds", "2", "--months", "6", "--level", "0", "--json", str(file)]
    assert command(monkeypatch, *words) == 0
    content = json.loads(file.read_text())
    assert [row["information"] for row in content["levels"]] == [1.0, 0.0]
    assert {row["name"] for row in content["series"]} >= {"population", "complaints"}
    shown = capsys.readouterr().out
    assert "value of information" in shown
    assert "property_value" in shown


@pytest.mark.parametrize(
    "words",
    [["--rule", "pj"], ["--level", "2"], ["--dynamics", "calm"], ["--policy", "no/such"]],
    ids=" ".join,
)
def test_bad_options_end_with_two(
    monkeypatch: pytest.MonkeyPatch, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, "synthetic", *words) == 2
    assert "Traceback" not in capsys.readouterr().err
