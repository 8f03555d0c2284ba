"""`polislab model reference`: every figure is measured, and a difference needs a reason."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import envs
from envs import presets
from envs.city.parameters import TABLE
from experiments import cli
from experiments.reference import figures, measure, reasons, report
from tests.model.runs import last, policy

SMALL = measure.Size(districts=9, months=24)


@pytest.fixture(scope="module")
def ours() -> dict[str, float]:
    """Every figure of a small study."""
    torch.set_num_threads(1)
    return measure.measure(SMALL, lambda: None)


def test_every_figure_is_measured(ours: dict[str, float]) -> None:
    assert set(ours) == {figure.key for figure in figures.FIGURES}
    assert {figure.group for figure in figures.FIGURES} == set(figures.GROUPS)


def test_reasons_belong_to_figures() -> None:
    keys = {figure.key for figure in figures.FIGURES}
    assert set(reasons.REASONS) <= keys


def test_signs_of_the_study(ours: dict[str, float]) -> None:
    """What two years show: prices, ridership, traffic, and what is settled from the first."""
    expected = {
        "statics/toll 3 $, 60 months: vkt": -1,
        "statics/toll 3 $, 60 months: transit": 1,
        "statics/free fare, 60 months: transit": 1,
        "statics/transit x2, 120 months: transit": 1,
        "statics/no maintenance, 120 months: time": 1,
        "statics/business tax 10 to 25 %, 240 months: evasion": 1,
        "statics/audit 5 to 15 %, 240 months: evasion": -1,
        "statics/staff x1.3, 120 months: people": 1,
        "induced/v/c .9, 3": 1,
        "lucas/0.02": 1,
        "toll/core": -1,
        "toll/revealed best": -1,
    }
    for key, sign in expected.items():
        assert sign * ours[key] > 0, (key, ours[key])
    assert ours["lucas/0.02"] < ours["lucas/0.08"] < ours["lucas/0.3"]
    assert ours["extreme/bad"] == 0
    assert max(v for k, v in ours.items() if k.startswith("drift/")) < 10


def test_differences_are_of_sign_or_size() -> None:
    value = figures.Figure("statics/x", "x", -2.0)
    assert [value.differs(x) for x in (-2.0, -2.9, -1.4, -3.1, -1.3, 2.0)] == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]
    limit = figures.Figure("drift/x", "x", 2.0, kind=figures.AT_MOST)
    assert [limit.differs(x) for x in (0.0, 2.9, 3.1)] == [False, False, True]
    nothing = figures.Figure("extreme/x", "x", 0.0)
    assert [nothing.differs(x) for x in (0.0, 0.04, 0.2, -0.2)] == [False, False, True, True]


def test_the_page_marks_differences_and_gives_reasons(ours: dict[str, float]) -> None:
    key = "toll/4"
    rows = report.compare({**ours, key: -0.01})
    text = report.markdown(rows)
    row = next(row for row in rows if row.figure.key == key)
    assert row.differs
    assert reasons.REASONS[key] in text
    assert f"**{row.cells()[0]}**" in text
    assert all(title in text for title, _ in figures.GROUPS.values())


@pytest.mark.parametrize(("explained", "code"), [(True, 0), (False, 1)])
def test_the_command_fails_where_a_reason_lacks(
    explained: bool,
    code: int,
    ours: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made = {figure.key: figure.reference for figure in figures.FIGURES}
    key = "toll/4" if explained else "toll/core"
    monkeypatch.setattr(measure, "measure", lambda *_: {**made, key: 9.0})
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "reference", "--markdown", str(page)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert ("No reason is written down" in page.read_text()) is not explained


def test_the_study_is_a_city_by_name() -> None:
    world = envs.make("city_v0", city="study", num_envs=2, cities=2, districts=9, terminal="tail")
    assert world.num_envs == 2
    study = presets.read(presets.STUDY)
    assert set(study.parameters) <= set(TABLE)
    assert study.districts == 33
    with pytest.raises(ValueError, match="preset 'else' is unknown"):
        presets.read("else")


def test_the_study_has_no_neutral_prior(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["polislab", "model", "neutral", "study"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "no neutral prior" in capsys.readouterr().err


def test_the_study_has_its_own_area_and_delay() -> None:
    """Districts of some 9 km2, one delay of .2 for every lever, roads as a total stock."""
    city = presets.cities(presets.STUDY, [0], 33)
    assert 5 < float(city.geography.land.mean()) < 15
    after, flows = last(city, policy(city, {"far": 1.03, "staff": 1.03}), 1)
    moved = after.treasury.policy
    assert float(moved["far"].mean() - 1) == pytest.approx(0.2 * 0.03, rel=0.03)
    assert float(moved["staff"].mean() - 1) == pytest.approx(0.2 * 0.03, rel=0.03)
    grown = replace(city.start.planning, people=2 * city.start.planning.people)
    crowded = replace(city.start, planning=grown)
    _, flows = last(city, {}, 1, state=crowded)
    assert torch.allclose(flows.roads.index, torch.ones_like(flows.roads.index))
