"""`polislab model region`: two levels on the screen, in JSON and in a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.errors import InputError

SMALL = ["model", "region", "--districts", "3", "--inner", "3", "--months", "12", "--hold", "d1"]


def test_both_levels_are_shown_and_add_up(tmp_path: Path) -> None:
    file, picture = tmp_path / "region.json", tmp_path / "region.png"
    command = [*SMALL, "--set", "staff[d1.0]=1.8", "--json", str(file), "--plot", str(picture)]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    levels = json.loads(file.read_text())["levels"]
    whole, inside = levels["whole"], levels["d1"]
    assert sum(inside["people"]) == pytest.approx(whole["people"][1], rel=1e-3)
    assert sum(inside["land"]) == pytest.approx(whole["land"][1])
    assert inside["codes"] == ["d1.0", "d1.1", "d1.2"]
    assert whole["change"][1] > max(whole["change"][0], whole["change"][2])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "inside d1" in result.stdout


def test_bad_districts_and_levers_are_named() -> None:
    with pytest.raises(InputError, match="--hold d9: no such district"):
        CliRunner().invoke(app, [*SMALL, "--hold", "d9"], catch_exceptions=False)
    with pytest.raises(InputError, match="income_tax has no 'd0'"):
        CliRunner().invoke(app, [*SMALL, "--set", "income_tax[d1.0]=0.1"], catch_exceptions=False)
