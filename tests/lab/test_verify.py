"""`polislab model verify`: the table, the file, and the exit code of a model that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.errors import InputError
from experiments.verify import table
from experiments.verify.oracle import Oracle, Row


def test_one_oracle_is_printed_and_written(tmp_path: Path) -> None:
    file = tmp_path / "verify.json"
    command = ["model", "verify", "--only", "queue", "--only", "beliefs", "--json", str(file)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(file.read_text())
    assert [oracle["name"] for oracle in found] == ["queue", "beliefs"]
    row = found[1]["rows"][0]
    assert row["passed"]
    assert row["difference"] == pytest.approx(row["ours"] - row["theory"])
    assert "11 of 11 figures agree" in result.stdout


@pytest.mark.parametrize("ours", [1.02, float("nan"), float("inf")])
def test_a_figure_that_is_off_fails_the_command(
    ours: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Row("right", 1.0, 1.005, 0.01), Row("wrong", 1.0, ours, 0.01, True)]
    wrong = Oracle(1, "made-up", "one is one", "nobody", lambda: rows)
    monkeypatch.setattr(table, "ORACLES", (wrong,))
    file = tmp_path / "verify.json"
    result = CliRunner().invoke(app, ["model", "verify", "--json", str(file)])
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "1 of 2 figures agree" in result.stdout
    assert [row["passed"] for row in json.loads(file.read_text())[0]["rows"]] == [True, False]


def test_an_unknown_oracle_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'pigou'"):
        CliRunner().invoke(app, ["model", "verify", "--only", "pigu"], catch_exceptions=False)


def test_a_relative_row_measures_shares() -> None:
    assert Row("x", 200.0, 201.0, 0.01, True).passed
    assert not Row("x", 200.0, 201.0, 0.01).passed
    assert Row("x", -2.0, -2.1, 0.1, True).difference == pytest.approx(-0.05)
