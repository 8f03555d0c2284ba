"""Sweeps: checked as a whole, run by Hydra's launchers, resumed, failures kept apart."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import envs
from envs.errors import ScenarioError
from experiments import cli, sweep
from experiments.errors import InputError
from experiments.runs import Run, write_json
from experiments.status import counts, record

Quick = Callable[..., list[str]]
REPOSITORY = Path(__file__).resolve().parents[2]
REAL = [
    "districts=3",
    "cities=2",
    "scenario.horizon=6",
    "experiment=quick",
    "experiment.evaluation.cities=2",
    "agent=pi",
]
"""A run on the real city in seconds: what a worker process can do, which knows no fake world."""


def polislab(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


BROKEN = {
    "hydra/launcher=slurmy": "hydra/launcher: unknown choice 'slurmy'",
    "hydra.launcher.n_jobs=2": "n_jobs",
    "hydra/launcher=joblib,ray": "hydra/launcher",
}


@pytest.mark.parametrize(("word", "complaint"), BROKEN.items())
def test_faults_of_jobs_and_launcher_are_listed_at_once_and_nothing_is_written(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    word: str,
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert polislab(monkeypatch, "train", "-m", *quick("seed=0,x", "colour=red"), word) == 2
    shown = capsys.readouterr().err
    for words in (complaint, "seed: expected a whole number", "colour: unknown key"):
        assert words in " ".join(shown.split())
    assert "Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_launcher_without_a_sweep_is_refused(
    quick: Quick, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert polislab(monkeypatch, "train", *quick("hydra/launcher=joblib")) == 2
    assert "launchers need -m" in capsys.readouterr().err


def test_every_launcher_of_an_extra_can_be_named() -> None:
    for name in sweep.EXTRAS:
        sweep._compose([f"hydra/launcher={name}"])


def test_a_failed_job_ends_with_one_and_keeps_the_others(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.json"
    words = [*quick("seed=0,1,1,2"), "--json", str(out)]
    work = sweep.train

    def failing(loaded: object, command: object) -> object:
        if loaded.settings.seed == 1:  # type: ignore[attr-defined]
            raise RuntimeError("no luck")
        return work(loaded, command)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sweep, "train", failing)
        assert polislab(patch, "train", "-m", *words) == 1
    shown = capsys.readouterr()
    assert "RuntimeError: no luck" in shown.err
    assert "2 of 3 runs are finished and kept" in shown.out
    first = json.loads(out.read_text())
    assert [Path(entry["run"]).name for entry in first] == ["seed-0", "seed-1", "seed-2"]
    assert ["error" in entry for entry in first] == [False, True, False]
    assert polislab(monkeypatch, "train", "-m", *words) == 0
    assert [entry["skipped"] for entry in json.loads(out.read_text())] == [True, False, True]
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "out.json"}
    ((_, runs),) = sweep.read_sweeps(tmp_path / "runs")
    assert counts(runs) == {"finished": 3}


def test_a_job_that_its_world_refuses_is_named_and_the_others_go_on(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = envs.make

    def refusing(name: str, **options: Any) -> Any:
        if options["credit"] == "shapley":
            raise ScenarioError("credit='shapley': too many agents")
        return work(name, **options)

    monkeypatch.setattr(envs, "make", refusing)
    base = [*quick()[:3], quick()[-1], "agent=pi"]
    words = [*base, "seed=0,1", "scenario.credit=shapley,shared"]
    assert polislab(monkeypatch, "train", "-m", *words) == 1
    shown = capsys.readouterr()
    complaints = [line for line in shown.err.splitlines() if line.startswith("error:")]
    assert len(complaints) == 2
    for seed, line in enumerate(complaints):
        assert line.startswith(f"error: seed={seed} scenario.credit=shapley (")
        assert line.endswith("): credit='shapley': too many agents")
    assert "Traceback" not in shown.err
    assert "2 of 4 runs are finished and kept" in shown.out
    assert len(list((tmp_path / "runs").rglob("manifest.json"))) == 2
    assert polislab(monkeypatch, "train", "-m", *base, "scenario.credit=shapley") == 1
    assert "/seed-0: credit='shapley': too many agents" in capsys.readouterr().err


def test_ctrl_c_leaves_a_sweep_that_resumes(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from agents.ppo import PPOLearner

    work = PPOLearner.train

    def stop(self: PPOLearner, segment: int, tick: object) -> Iterator[dict[str, float]]:
        yield from work(self, segment, tick)  # type: ignore[arg-type]
        if self.segments.seed == 1 and segment == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PPOLearner, "train", stop)
        assert polislab(patch, "train", "-m", *quick("seed=0,1,2")) == 130
    assert "same command resumes the sweep" in capsys.readouterr().err
    ((_, runs),) = sweep.read_sweeps(tmp_path / "runs")
    assert counts(runs) == {"finished": 1, "interrupted": 1, "waiting": 1}
    assert record(runs[1])["progress"] == pytest.approx(2 / 3)
    assert polislab(monkeypatch, "train", "-m", *quick("seed=0,1,2")) == 0
    assert counts(runs) == {"finished": 3}


def test_a_run_whose_process_died_is_stopped_and_not_running(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid, status in ((gone.pid, "stopped"), (os.getpid(), "running")):
        process = {"host": platform.node(), "pid": pid}
        folder = tmp_path / status
        write_json(folder / "manifest.json", {"status": "running", "process": process})
        assert record(Run(folder))["status"] == status


@pytest.mark.parametrize(
    "launcher",
    [
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"],
    ],
    ids=["joblib", "submitit"],
)
def test_launchers_of_one_machine_run_jobs_in_processes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launcher: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    outcomes = sweep.launch(sweep.plan([*REAL, "seed=0,1", *launcher]), ["polislab"])
    assert [outcome.error for outcome in outcomes] == ["", ""]
    pids = {outcome.run.manifest["process"]["pid"] for outcome in outcomes}
    assert os.getpid() not in pids
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
    logs = sorted((tmp_path / "runs" / "sweeps").glob("*/*/log.txt"))
    assert [path.parent.name for path in logs] == ["0", "1"]
    with pytest.raises(InputError, match="unknown choice"):
        sweep.plan([*REAL, "hydra/launcher=jobless"])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a Ray cluster of two workers on the loopback, stopped at the end.

    It takes only those who know the test's own token.
    """
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    folder = tempfile.mkdtemp(prefix="ray-")  # sockets need a path shorter than a test's folder
    for attempt in range(3):  # Ray waits half a minute for its node: too short on a busy machine
        head, port, said = _ray_head(Path(folder) / str(attempt), tmp_path)
        if port:
            break
        _stop(head)
    else:
        pytest.fail(said)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        _stop(head)
        shutil.rmtree(folder, ignore_errors=True)


def _ray_head(folder: Path, cwd: Path) -> tuple[subprocess.Popen[str], int, str]:
    """A head of Ray with its port, 0 where it did not start, and what it said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("ray"))
    words = [program, "start", "--head", "--block", "--num-cpus=2", f"--port={port}"]
    words += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats"]
    words += ["--object-store-memory=100000000", f"--temp-dir={folder}"]
    head = subprocess.Popen(
        words,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "RAY_USAGE_STATS_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert head.stdout is not None
    seen = []
    for line in head.stdout:
        seen.append(line)
        if "Ray runtime started" in line:
            return head, port, "".join(seen)
    return head, 0, "".join(seen)


def _stop(head: subprocess.Popen[str]) -> None:
    """Stop a head with all that it started."""
    head.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        head.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(head.pid, signal.SIGKILL)


def test_a_sweep_runs_on_a_ray_cluster_of_two_workers(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: Ray reads its token once, when it is first imported."""
    monkeypatch.chdir(tmp_path)  # runs are named relative to it
    words = [
        *REAL,
        "seed=0,1",
        "hydra/launcher=ray",
        f"hydra.launcher.ray.init.address='{cluster}'",
    ]
    driver = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", "train", "-m", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shown, _ = driver.communicate(timeout=240)
    assert driver.returncode == 0, shown
    ((_, runs),) = sweep.read_sweeps(tmp_path / "runs")
    assert counts(runs) == {"finished": 2}
    assert driver.pid not in {run.manifest["process"]["pid"] for run in runs}
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}
