"""`polislab model coupling`: parts that add up, and one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.errors import InputError


def test_the_parts_add_up_to_the_coupled_city(tmp_path: Path) -> None:
    file = tmp_path / "parts.json"
    command = ["model", "coupling", "--set", "transit=2", "--months", "12", "--districts", "3"]
    result = CliRunner().invoke(app, [*command, "--json", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(file.read_text())
    parts = dict(found["parts"])
    coupled = parts.pop("coupled city")
    assert sum(parts.values()) == pytest.approx(coupled, abs=1e-9)
    assert found["curve"]["1.0"] == pytest.approx(coupled, abs=1e-9)
    assert "planning alone" in result.stdout


def test_nothing_set_is_refused() -> None:
    with pytest.raises(InputError, match="name at least one lever"):
        CliRunner().invoke(app, ["model", "coupling"], catch_exceptions=False)
    with pytest.raises(InputError, match="unknown lever 'tramsit'"):
        CliRunner().invoke(app, ["model", "coupling", "--set", "tramsit=2"], catch_exceptions=False)
