"""`polislab twin` and `polislab recommend` on the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envs.twin import posterior
from experiments import cli
from tests.twin import made_up

Command = Callable[..., int]
MEMBERS = ("--members", str(made_up.MEMBERS))


@pytest.fixture
def polislab(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command in this process; returns its exit code."""

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["polislab", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0)

    return run


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small city with six years of figures."""
    world = made_up.worlds(seed=21, years=5)
    return str(made_up.package(tmp_path_factory.mktemp("city") / "c", made_up.texts(world, 2)))


def test_backtest_of_london_writes_the_documented_rows(polislab: Command, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = ("--origins", "2013:2014", "--horizons", "1", *MEMBERS, "--json", str(out))
    assert polislab("twin", "backtest", "london", *words) == 0
    content = json.loads(out.read_text())
    assert content["city"] == "london"
    assert len(content["rows"]) == 8 * 2
    for row in content["rows"]:
        for key in ("n", "twin", "persistence", "drift", "crps_skill", "coverage90"):
            assert isinstance(row[key], int | float), key
        assert row["part"] in ("all", "idiosyncratic")
        assert row["horizon"] == 1


def test_fit_writes_a_twin_that_loads(polislab: Command, city: str, tmp_path: Path) -> None:
    folder, out = tmp_path / "twin", tmp_path / "fit.json"
    words = ("--out", str(folder), "--until", "2004", *MEMBERS, "--json", str(out))
    assert polislab("twin", "fit", city, *words) == 0
    found = posterior.load(folder)
    assert found.members.rows == made_up.MEMBERS
    assert json.loads(out.read_text())["years"] == [2001, 2004]


BAD = {
    "no city": ("twin", "fit", "atlantis"),
    "few members": ("twin", "fit", "london", "--members", "8"),
    "no origins": ("twin", "backtest", "london", "--origins", "soon"),
    "origins turned": ("twin", "backtest", "london", "--origins", "2014:2008"),
    "no horizon": ("twin", "backtest", "london", "--horizons", "0"),
    "years before the data": ("twin", "fit", "london", "--until", "1990"),
    "no folder for json": ("twin", "backtest", "london", "--json", "no/such/out.json"),
    "no policy": ("recommend", "nowhere"),
    "no scenario": ("recommend", "nowhere", "--scenario", "city_v9"),
    "few draws": ("recommend", "nowhere", "--draws", "1"),
    "demo without a city": ("demo", "--city", "atlantis"),
    "demo too short": ("demo", "--env-steps", "1"),
}


@pytest.mark.parametrize("words", BAD.values(), ids=BAD)
def test_bad_input_ends_with_two_and_writes_nothing(
    polislab: Command,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert polislab(*words) == 2
    shown = capsys.readouterr()
    assert "rror" in shown.err
    assert "Traceback" not in shown.out + shown.err
    assert list(tmp_path.iterdir()) == []


def test_each_bad_policy_folder_has_its_own_message(
    polislab: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    folders = [str(tmp_path / name) for name in ("a", "b")]
    out = tmp_path / "dossier"
    assert polislab("recommend", *folders, "--scenario", "city_v9", "--out", str(out)) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3
    for words in ("city_v9", *folders):
        assert sum(words in line for line in errors) == 1
    assert not out.exists()


def test_an_origin_that_the_twin_does_not_know_is_named(
    polislab: Command, city: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert polislab("twin", "backtest", city, "--origins", "1990:1991", *MEMBERS) == 2
    assert "the twin knows 2001 to 2006" in capsys.readouterr().err
