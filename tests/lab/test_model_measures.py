"""`polislab model measures`: every measure of the eight concepts, in numbers and in a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from envs.city.measures.concepts import MEASURES
from envs.city.wiring import BLOCKS
from experiments import cli

QUICK = ("synthetic", "--districts", "5", "--dynamics", "steady")


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "measures", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_a_lever_moves_the_measures_and_the_status_quo_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quo, moved, picture = (tmp_path / name for name in ("quo.json", "moved.json", "picture.png"))
    assert command(monkeypatch, *QUICK, "--months", "6", "--json", str(quo)) == 0
    words = ("--set", "staff=1.5", "--months", "24", "--json", str(moved), "--plot", str(picture))
    assert command(monkeypatch, *QUICK, *words) == 0
    still, after = json.loads(quo.read_text()), json.loads(moved.read_text())
    assert [row["measure"] for row in still["measures"]] == list(MEASURES)
    shown = capsys.readouterr().out
    assert all(name in shown for name in MEASURES)
    by_name = {row["measure"]: row for row in still["measures"]}
    for name in ("residents_moved", "error_quality", "error_utility"):
        assert by_name[name]["last"] == pytest.approx(0, abs=1e-8)
    now = {row["measure"]: row["last"] for row in after["measures"]}
    assert now["residents_moved"] > 1e-5
    assert now["error_quality"] > 1e-4
    assert set(after["communities"]) == {"d0", "d1", "d2", "d3", "d4"}
    coupling = after["coupling"]
    assert list(coupling) == list(BLOCKS)
    assert all(coupling[block][block] is None for block in BLOCKS)
    pairs = [coupling[a][b] for a in BLOCKS for b in BLOCKS if a != b]
    assert now["port_coupling"] == pytest.approx(sum(pairs) / len(pairs))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, *QUICK[:3], "--dynamics", "stormy") == 2
    assert "stormy" in capsys.readouterr().err
    assert command(monkeypatch, *QUICK, "--plot", str(tmp_path / "no" / "p.png")) == 2
    assert "--plot" in capsys.readouterr().err
    assert command(monkeypatch, "atlantis") == 2
    assert "atlantis" in capsys.readouterr().err
