"""`polislab model participation`: rules for staff, and panels that exaggerate."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from experiments import cli
from experiments.participation import RULES, compare


def test_the_command_compares_every_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.json"
    words = ["participation", "--worlds", "2", "--months", "6", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", ["polislab", "model", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    found = json.loads(file.read_text())["rules"]
    assert set(found) == set(RULES)
    assert found["as today"]["relief_silent"] == pytest.approx(0, abs=1e-6)
    assert abs(found["as today"]["exaggeration"]) < 0.02
    assert "silent reached" in capsys.readouterr().out


def test_panels_that_all_shout_are_told_apart_no_more() -> None:
    found = compare("synthetic", 2, 6, exaggeration=2.0, districts=3)
    assert found["voices"]["voices"] == 0
    assert found["voices"]["exaggeration"] > 0.9
