"""The demonstration from figures to verdict, on a small city; a second call goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from experiments import cli, demo
from tests.twin import made_up


def run(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def test_demo_ends_with_a_verdict_and_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SEEDS", (0,))
    world = made_up.worlds(seed=21, years=5)
    city = made_up.package(tmp_path / "c", made_up.texts(world, 2))
    folder, out = tmp_path / "demo", tmp_path / "out.json"
    words = ["demo", "--folder", str(folder), "--city", str(city), "--env-steps", "1280"]
    words += ["--members", str(made_up.MEMBERS), "--draws", "4", "--json", str(out)]
    assert run(monkeypatch, words) == 0
    shown = capsys.readouterr().out
    first = json.loads(out.read_text())
    assert f"Verdict: {first['verdict'].upper()}" in shown
    assert all(f"{step}/4" in shown for step in (1, 2, 3, 4))
    assert Path(first["dossier"]).is_file()
    (trained,) = folder.rglob("metrics.csv")
    when = trained.stat().st_mtime_ns

    assert run(monkeypatch, words) == 0
    assert trained.stat().st_mtime_ns == when, "finished training was repeated"
    again = json.loads(out.read_text())
    assert again["verdict"] == first["verdict"]
    assert again["checks"] == first["checks"]


def test_a_training_that_fails_says_why(tmp_path: Path) -> None:
    (job, *_) = demo.trainings(_twin(tmp_path), tmp_path)
    broken = demo.Training(job.run, (*job.words, "agent=nobody"))
    with pytest.raises(RuntimeError, match="nobody"):
        demo.train_all([broken], lambda: None)


def _twin(folder: Path) -> Path:
    """A small fitted twin on disk."""
    from envs.twin import posterior
    from envs.twin.twin import fit, posterior_city, summary

    world = made_up.worlds(seed=21, years=1)
    twin = fit(made_up.package(folder / "c", made_up.texts(world, 2)), made_up.settings())
    posterior.save(posterior_city(twin), summary(twin), folder / "twin")
    return folder / "twin"
