"""The page of results, from commands to pictures, on a small world."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments import cli, results
from experiments.errors import InputError
from experiments.runs import run_of

BASELINE = """
title: A world of one signal
common: [scenario.id=fake_v0, scenario.horizon=15, experiment=quick, experiment.name=baseline]
seeds: 5
clairvoyant: 0
informed: 0
runs: [[agent=ppo, agent.epochs=2], [agent=pi]]
quick: [experiment.evaluation.cities=3]
quick_agents: {ppo: [agent.num_envs=4, agent.env_steps=20, agent.rollouts_per_segment=1]}
quick_seeds: 2
"""


@pytest.fixture
def baselines(fake_world: None, tmp_path: Path) -> Path:
    folder = tmp_path / "baseline"
    folder.mkdir()
    (folder / "fake_v0.yaml").write_text(BASELINE)
    return folder


def test_the_page_has_commands_tables_and_pictures_and_is_rewritten_from_runs(
    baselines: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "docs" / "results.md"
    words = ["polislab", "results", "--quick", "--baselines", str(baselines), "--out", str(page)]
    words += ["--runs", str(tmp_path / "runs")]
    texts = []
    for trained in (4, 0):
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert not stop.value.code
        assert capsys.readouterr().out.count("run ") == trained
        texts.append(page.read_text())
    assert texts[0] == texts[1]
    text = texts[0]
    assert "## fake_v0: A world of one signal" in text
    assert "polislab train -m scenario.id=fake_v0" in text
    assert "'seed=range(0,2)'" in text
    for row in ("ppo", "pi", "status quo", "random", "best rule"):
        assert f"\n| {row} " in text
    assert "Beware: ppo: 2 seeds; below 5" in text
    assert "](images/results-fake_v0.png)" in text
    assert (page.parent / "images" / "results-fake_v0.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", results.names())
def test_every_shipped_baseline_is_valid(name: str) -> None:
    found = results.section(name, quick=True, runs="runs")
    assert len(found.jobs) == 2 * len(found.commands)
    assert {job.scenario for job in found.jobs} == {name.partition("-")[0]}
    assert all(command.startswith("polislab train -m ") for command in found.commands)


def test_a_line_may_name_the_runs_of_a_line_before(baselines: Path) -> None:
    text = BASELINE.replace("[agent=pi]", "[agent=feedback, agent.start=<1>]")
    (baselines / "fake_v0.yaml").write_text(text)
    found = results.section("fake_v0", True, "runs", baselines)
    (folder,) = {str(run_of(job).folder.parent) for job in found.jobs[:2]}
    assert [job.agent.start for job in found.jobs[2:]] == [folder, folder]
    assert f"agent.start={folder}" in found.commands[1]


@pytest.mark.parametrize("number", [0, 2, 3])
def test_a_line_cannot_name_the_runs_of_itself_or_of_a_line_after(
    baselines: Path, number: int
) -> None:
    text = BASELINE.replace("[agent=pi]", f"[agent=feedback, agent.start=<{number}>]")
    (baselines / "fake_v0.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        results.section("fake_v0", True, "runs", baselines)
    (problem,) = error.value.problems
    assert problem == (
        f"fake_v0.yaml: line 2 of runs, agent.start=<{number}>: expected the number of a line "
        "before it"
    )


def test_faults_of_a_baseline_are_listed(baselines: Path) -> None:
    with pytest.raises(InputError, match="no baseline 'fake'; did you mean 'fake_v0'"):
        results.section("fake", True, "runs", baselines)
    text = BASELINE.replace("seeds: 5", "seeds: x").replace("title: ", "titel: ")
    (baselines / "fake_v0.yaml").write_text(text)
    with pytest.raises(InputError) as error:
        results.section("fake_v0", True, "runs", baselines)
    assert len(error.value.problems) == 3
    (baselines / "fake_v0.yaml").write_text(BASELINE.replace("agent=pi", "agent=nobody"))
    with pytest.raises(InputError, match="unknown choice 'nobody'"):
        results.section("fake_v0", True, "runs", baselines)
