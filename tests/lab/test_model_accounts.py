"""`polislab model accounts`: the matrix that is shown closes, and its file says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.errors import InputError

RUN = CliRunner()


def test_the_file_holds_a_matrix_that_closes(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    asked = ["model", "accounts", "--set", "toll=0.003", "--set", "rebate[lowest income]=0.1"]
    done = RUN.invoke(app, [*asked, "--months", "6", "--payments", "--json", str(file)])
    assert done.exit_code == 0, done.output
    content = json.loads(file.read_text(encoding="utf-8"))
    size = len(content["accounts"])
    rows = [sum(row) for row in content["matrix"]]
    columns = [sum(row[j] for row in content["matrix"]) for j in range(size)]
    assert rows == pytest.approx(columns, rel=1e-9)
    assert max(abs(x) for x in content["gap"].values()) < 1e-9
    payments = content["payments"]
    rebates = {x["receiver"]: x["amount"] for x in payments if x["purpose"] == "rebate"}
    lowest = rebates.pop("lowest income")
    assert 0 < max(rebates.values()) < 0.2 * lowest, "some others claim what is not theirs"
    assert any(x["purpose"] == "tolls" and x["amount"] > 0 for x in payments)
    assert "(9) government" in done.output
    assert "lowest income" in done.output


def test_an_unknown_budget_mode_is_named() -> None:
    with pytest.raises(InputError, match=r"barter.*boards"):
        RUN.invoke(app, ["model", "accounts", "--budget", "barter"], catch_exceptions=False)
