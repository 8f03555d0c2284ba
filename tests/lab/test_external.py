"""A scenario of another package works everywhere, and nothing here is touched for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "tests" / "external" / "polislab_example"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example package, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("external")
    source = folder / "source"
    source.mkdir()
    for path in PACKAGE.iterdir():
        if path.is_file():
            (source / path.name).write_bytes(path.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    local = ["--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, *local, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


def run(site: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A program in a process of its own that finds the checkout and the folder."""
    path = os.pathsep.join([str(site), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def polislab(site: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(site, folder, "-m", "experiments.cli", *words)


def test_it_is_listed(installed: Path, tmp_path: Path) -> None:
    done = polislab(installed, tmp_path, "scenario", "list", "--json", "list.json")
    assert done.returncode == 0, done.stderr
    listed = json.loads((tmp_path / "list.json").read_text())
    (row,) = [entry for entry in listed if entry["scenario"] == "toll_v0"]
    assert (row["group"], row["agents"], row["levers"]) == ("pricing", 1, ["toll"])


CHECKS = """
import gymnasium
import torch
from pettingzoo.test import parallel_api_test

import envs

torch.set_num_threads(1)
small = {"districts": 4, "cities": 1, "horizon": 12, "terminal": "tail"}
env = envs.make("toll_v0", num_envs=2, free=0.5, **small)
result = env.step({"pricing": torch.ones(2, 1, 1)})
assert bool((result.costs["pricing"][..., 1] > 0).all())
assert abs(float(env.physical({"pricing": torch.ones(2, 1, 1)})["toll"][0, 0]) - 0.005) < 1e-6
parallel_api_test(envs.parallel_env("toll_v0", **small), num_cycles=6)
central = gymnasium.make("polislab/Toll-v0", **small)
central.reset(seed=0)
central.step(central.action_space.sample())
try:
    envs.make("toll_v0", free=2, reach=3, **small)
except ValueError as error:
    assert "free=2" in str(error) and "reach=3" in str(error), error
else:
    raise AssertionError("bad options were accepted")

from experiments import config, scenarios
from experiments.errors import InputError

shown = scenarios.describe("toll_v0", "synthetic")
options = {entry["option"]: entry for entry in shown["options"]}
assert scenarios.about("toll_v0") == "A road pricing agency for the whole city."
assert options["free"]["meaning"] == "share of the toll that is waived."
assert options["horizon"]["default"] == "120"
try:
    config.load(["scenario=toll_v0", "scenario.free=2", "scenario.fre=1", "seed=x"])
except InputError as error:
    for words in ("scenario.free=2", "scenario.fre: unknown key", "seed: expected a whole"):
        assert words in str(error), error
else:
    raise AssertionError("bad options were accepted")
"""


def test_it_is_made_and_passes_the_official_check(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "-c", CHECKS)
    assert done.returncode == 0, done.stderr


def test_it_is_trained_by_name_with_its_options(installed: Path, tmp_path: Path) -> None:
    words = ["train", "--dry-run", "scenario=toll_v0", "scenario.free=0.25"]
    done = polislab(installed, tmp_path, *words, "--json", "dry.json")
    assert done.returncode == 0, done.stderr
    (resolved,) = json.loads((tmp_path / "dry.json").read_text())
    assert resolved["scenario"]["id"] == "toll_v0"
    assert resolved["scenario"]["free"] == 0.25
    assert resolved["scenario"]["horizon"] == 120


def test_what_is_no_scenario_is_refused(installed: Path, tmp_path: Path) -> None:
    """A package may not take a name of ours nor offer something else."""
    info = tmp_path / "site" / "bad-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[polislab.scenarios]\ncity_v0 = polislab_example:TollV0\nrate_v0 = json:dumps\n"
    )
    program = "from envs.registry import scenario_ids\nscenario_ids()"
    path = Path(os.pathsep.join([str(installed), str(tmp_path / "site")]))
    done = run(path, tmp_path, "-c", program)
    assert done.returncode == 1
    assert "city_v0 = polislab_example:TollV0: the name is taken" in done.stderr
    assert "rate_v0 = json:dumps: expected a subclass of envs.scenario.Scenario" in done.stderr


def test_a_package_that_does_not_load_is_one_message_in_every_command(tmp_path: Path) -> None:
    info = tmp_path / "site" / "broken-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[polislab.scenarios]\nlost_v0 = no_such_module:Lost\nrate_v0 = json:dumps\n"
    )
    for words in (["scenario", "list"], ["train", "--dry-run"]):
        done = polislab(tmp_path / "site", tmp_path, *words)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert "lost_v0 = no_such_module:Lost: ModuleNotFoundError" in done.stderr
        assert "rate_v0 = json:dumps: expected a subclass" in done.stderr


def test_options_that_only_the_world_can_refuse_end_a_training_before_it_begins(
    tmp_path: Path,
) -> None:
    words = ["train", "scenario=districts_v0", "districts=7", "experiment.evaluation.cities=2"]
    done = polislab(tmp_path, tmp_path, *words, "agent=status_quo", "scenario.credit=shapley")
    assert done.returncode == 2, done.stderr
    assert done.stderr.strip().startswith("error: credit='shapley': 7 agents, expected at most 6")
    assert not (tmp_path / "runs").exists()
