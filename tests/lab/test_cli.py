"""The command line: help with examples, results for machines, bad input without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from experiments import cli

Quick = Callable[..., list[str]]


@pytest.fixture
def polislab(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command in this process; returns its exit code."""

    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["polislab", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0)

    return run


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))
    if path and not hasattr(group, "commands"):
        yield path, group


ALL = dict(commands(get_command(cli.app)))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_shows_an_example_and_writes_json(path: tuple[str, ...]) -> None:
    command = ALL[path]
    assert f"Example: polislab {' '.join(path)}" in (getattr(command, "help", "") or "")
    options = {name for param in command.params for name in param.opts}  # type: ignore[attr-defined]
    assert "--json" in options


def test_help_is_quick_and_loads_no_heavy_library() -> None:
    program = (
        "import sys; sys.argv = ['polislab', '--help']\n"
        "from experiments import cli\n"
        "try:\n    cli.main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'hydra', 'stable_baselines3'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "train" in done.stdout
    assert time.perf_counter() - started < 10


def test_train_evaluate_and_list_tell_one_story(
    polislab: Callable[..., int], quick: Quick, tmp_path: Path
) -> None:
    trained, evaluated, listed = (tmp_path / f"{name}.json" for name in ("train", "eval", "list"))
    assert polislab("train", *quick(), "--json", str(trained)) == 0
    (first,) = json.loads(trained.read_text())
    assert not first["skipped"]
    assert polislab("evaluate", first["run"], "--json", str(evaluated)) == 0
    assert json.loads(evaluated.read_text()) == first["evaluation"]
    assert polislab("runs", "list", "--runs", str(tmp_path / "runs"), "--json", str(listed)) == 0
    (record,) = json.loads(listed.read_text())
    assert record["folder"] == first["run"]
    assert record["welfare"] == first["evaluation"]["table"][0]["mean"]


def test_several_seeds_in_one_command(
    polislab: Callable[..., int], quick: Quick, tmp_path: Path
) -> None:
    assert polislab("train", "-m", *quick("seed=0,1"), "--json", str(tmp_path / "out.json")) == 0
    runs = [entry["run"] for entry in json.loads((tmp_path / "out.json").read_text())]
    assert [Path(run).name for run in runs] == ["seed-0", "seed-1"]


def test_two_runs_are_compared_on_the_same_cities(
    polislab: Callable[..., int], quick: Quick, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    assert polislab("train", "-m", *quick("seed=0,1"), "--json", str(out)) == 0
    first, second = json.loads(out.read_text())
    words = [first["run"], "--beside", second["run"], "--beside", first["run"], "--json", str(out)]
    assert polislab("evaluate", *words) == 0
    content = json.loads(out.read_text())
    assert content["policies"] == ["policy", "ppo (seed 1)", "ppo (seed 0)", "status_quo"]
    policy, other, again, _ = content["welfare"]["overall"]
    assert policy == again != other
    assert other == second["evaluation"]["welfare"]["overall"][0]


def test_a_policy_that_does_not_fit_the_scenario_is_refused(
    polislab: Callable[..., int], quick: Quick, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import agents
    from tests.fakes import PLANNING

    agents.save(agents.rule("status_quo", [PLANNING]), tmp_path / "policy")
    assert polislab("evaluate", str(tmp_path / "policy"), *quick()) == 2
    assert "does not fit the scenario: no space for group 'boards'" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(
    polislab: Callable[..., int], quick: Quick, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert polislab("train", "--dry-run", *quick("seed=9")) == 0
    assert "seed: 9" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


BAD = [
    ["train", "agent=nobody"],
    ["train", "seed=x", "colour=red"],
    ["train", "--json", "no/such/folder/out.json"],
    ["train", "-m", "seed=0,x"],
    ["evaluate", "nowhere"],
    ["city", "check", "atlantis"],
    ["city", "check"],
    ["fly"],
    ["train", "--colour"],
]


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_input_ends_with_two_and_words(
    polislab: Callable[..., int],
    fake_world: None,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert polislab(*words) == 2
    shown = capsys.readouterr()
    assert "rror" in shown.err
    assert "Traceback" not in shown.err + shown.out
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_city_is_valid_and_listed(
    polislab: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "london.json"
    assert polislab("city", "check", "london", "--json", str(out)) == 0
    content = json.loads(out.read_text())
    assert content["valid"]
    assert len(content["series"]) == 8
    assert polislab("city", "list") == 0
    assert "london" in capsys.readouterr().out


def test_ctrl_c_leaves_a_message_and_no_traceback(
    polislab: Callable[..., int],
    quick: Quick,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from agents.ppo import PPOLearner

    def stop(*_: object) -> Iterator[dict[str, float]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(PPOLearner, "train", stop)
    assert polislab("train", *quick()) == 130
    assert "resumes it" in capsys.readouterr().err
