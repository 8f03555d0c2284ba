"""Comparisons: seeds are the unit, references always there, worlds never mixed unasked."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from rich.console import Console

import agents
from experiments import cli, compare, config
from experiments.compare import scores
from experiments.compare.chart import brief, chart
from experiments.compare.comparison import BEST_RULE, RANDOM, STATUS_QUO, Comparison, Entry
from experiments.compare.curves import curve
from experiments.compare.html import page
from experiments.compare.measure import REWARD
from experiments.compare.report import readings, sheets
from experiments.errors import InputError
from experiments.evaluate import evaluate
from experiments.runs import Run, read_json
from experiments.settings import SELECTION_SEED
from experiments.sheets import Sheet, terminal
from experiments.statistics import interquartile_mean
from experiments.train import held_out, train

Quick = Callable[..., list[str]]
CLEAN = {"commit": "0" * 40, "changed": False}


def trained(*configurations: list[str]) -> list[Run]:
    return [train(config.load(words), [])[0] for words in configurations]


def polislab(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["polislab", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


def made(seeds: int = 6, cities: int = 9) -> Comparison:
    """Two learners of known scores beside references."""
    rng = np.random.default_rng(0)
    city = rng.normal(0, 0.02, cities)
    zero = np.zeros((1, cities))
    entries = (
        Entry("good", "", 0.03 + city + rng.normal(0, 0.01, (seeds, cities)), seeds=(0,) * seeds),
        Entry("same", "", rng.normal(0, 0.01, (seeds, cities)), seeds=(0,) * seeds),
        Entry("status quo", "", zero, role=STATUS_QUO),
        Entry("random", "", zero - 0.05, role=RANDOM),
        Entry("best rule (pi)", "", city[None], role=BEST_RULE),
    )
    return Comparison(entries, (("", {"city": "made up"}),), ())


def test_estimates_are_ranked_paired_and_corrected() -> None:
    found = made()
    rows = {row.entry.name: row for row in found.rows}
    estimates = [row.iqm.estimate for row in found.rows]
    assert estimates == sorted(estimates, reverse=True)
    assert found.rows[-1].entry.name == "random"
    good = rows["good"]
    rule = rows["best rule (pi)"]
    paired = good.entry.scores - rule.entry.scores
    assert good.over_rule.estimate == pytest.approx(scipy.stats.trim_mean(paired.ravel(), 0.25))
    unpaired = good.iqm.high - good.iqm.low
    assert good.over_rule.high - good.over_rule.low < 0.7 * unpaired
    assert good.over_rule.low > 0
    assert rows["same"].over_quo.low < 0 < rows["same"].over_quo.high
    assert good.p_value is not None
    assert good.p_value < 0.05 < (rows["same"].p_value or 0)
    assert rule.p_value is None
    assert rule.here is None
    assert good.here is not None
    assert good.here.high - good.here.low < 0.7 * (good.over_quo.high - good.over_quo.low)
    seeds = interquartile_mean(good.entry.scores, axis=1)
    assert good.here.low < seeds.mean() < good.here.high


def test_who_beats_whom_is_the_mean_of_mann_whitney_over_cities() -> None:
    found = made()
    names = [row.entry.name for row in found.rows]
    first, second = names.index("good"), names.index("same")
    one, other = found.rows[first].entry.scores, found.rows[second].entry.scores
    exact = [
        scipy.stats.mannwhitneyu(one[:, c], other[:, c]).statistic / (len(one) * len(other))
        for c in range(one.shape[1])
    ]
    cell, back = found.improvements[first][second], found.improvements[second][first]
    assert cell.estimate == pytest.approx(np.mean(exact))
    assert (back.low, back.high) == pytest.approx((1 - cell.high, 1 - cell.low))
    assert cell.low < cell.estimate < cell.high


def test_words_follow_the_intervals() -> None:
    lines = readings(made())
    assert any(
        re.match(r"good does better than today's policy .*; does better than", line)
        for line in lines
    )
    assert any(line.startswith("same cannot be told apart from today's policy") for line in lines)
    (sheet,) = sheets(made())
    assert {len(row) for row in sheet.rows} == {len(sheet.columns)}


def test_picture_and_page_hold_everything_and_load_nothing(tmp_path: Path) -> None:
    for seed in range(3):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        lines = [f"{100 * i},{0.1 * i + 0.01 * seed}" for i in range(1, 6)]
        (folder / "metrics.csv").write_text("env_steps,reward\n" + "\n".join(lines) + "\n")
    line = curve("good", sorted(tmp_path.glob("seed-*")))
    assert line is not None
    np.testing.assert_allclose(line.x, [100, 200, 300, 400, 500])
    np.testing.assert_allclose(line.band.estimate, [0.11, 0.21, 0.31, 0.41, 0.51])
    assert (line.band.low <= line.band.estimate).all()
    assert (line.band.estimate <= line.band.high).all()
    found = made()
    assert chart(found, [line], "title").startswith(b"\x89PNG")
    assert chart(found, [], "title").startswith(b"\x89PNG")
    text = page(found, [line], "title", "polislab compare")
    assert "Plotly.newPlot" in text
    assert "plotly.js v" in text
    assert text.count("<h2>") == 5
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", text)


def test_groups_references_and_reuse(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("experiments.runs", "experiments.compare.scores"):
        monkeypatch.setattr(f"{module}.git_state", lambda: CLEAN)
    runs = trained(*(quick(f"seed={seed}") for seed in (0, 1)))
    trained(quick("agent.epochs=3"), [*quick()[:3], quick()[-1], "agent=pi", "seed=1"])
    firsts: list[int] = []
    work = scores.evaluate

    def spy(env: object, policies: object, first: int, tick: object) -> object:
        firsts.append(first)
        return work(env, policies, first, tick)  # type: ignore[arg-type]

    monkeypatch.setattr(scores, "evaluate", spy)
    plan = compare.Plan(compare.collect([str(tmp_path / "runs" / "*" / "*")]))
    ticks: list[int] = []
    found = compare.score(plan, lambda: ticks.append(1))
    names = {entry.name: entry for entry in found.entries}
    assert {"ppo epochs=2", "ppo epochs=3", "pi", "status quo", "random"} < set(names)
    assert names["ppo epochs=2"].seeds == (0, 1)
    assert names["pi"].seeds == ()
    kept = [read_json(run.evaluation)["welfare"]["overall"][0] for run in runs]
    np.testing.assert_array_equal(names["ppo epochs=2"].scores, kept)
    rules = len(scores.CANDIDATES) + 3  # each candidate; then status quo, random and the best
    assert len(ticks) == plan.episodes == len(firsts) == rules
    assert [first for first in firsts if first != SELECTION_SEED] == [10_000_000] * 3
    assert [w.split(":")[0] for w in found.warnings] == ["ppo epochs=2", "ppo epochs=3"]
    again = compare.score(compare.Plan(plan.collection, fresh=True), lambda: None)
    assert json.dumps(again.content()) == json.dumps(found.content())
    monkeypatch.setattr(scores, "git_state", lambda: {**CLEAN, "commit": "1" * 40})
    assert plan.episodes == rules + 4, "a later commit may score all four runs otherwise"


def test_worlds_are_mixed_only_when_asked(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = [*quick()[:1], quick()[-1], "experiment=quick", "agent=pi"]
    trained([*base, "scenario.horizon=15"], [*base, "scenario.horizon=30"])
    trained([*base, "scenario.horizon=15", "scenario.local_weight=0.5"])
    place = str(tmp_path / "runs")
    assert polislab(monkeypatch, "compare", place) == 2
    complaint = capsys.readouterr().err
    assert "scenario.horizon differs: 15 in pi" in complaint
    assert "local_weight differs" not in complaint
    assert "--mix" in complaint
    out, png, html = (tmp_path / f"out.{end}" for end in ("json", "png", "html"))
    words = ("--mix", "--json", str(out), "--plot", str(png), "--html", str(html))
    assert polislab(monkeypatch, "compare", place, *words) == 0
    content = json.loads(out.read_text())
    assert [w["scenario.horizon"] for w in content["worlds"]] == [15, 30]
    assert sum(row["role"] == BEST_RULE for row in content["rows"]) == 2
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "Plotly" in html.read_text()


def test_by_reward_all_is_by_what_the_agents_were_paid(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("experiments.runs", "experiments.compare.scores"):
        monkeypatch.setattr(f"{module}.git_state", lambda: CLEAN)
    pi = [*quick()[:3], quick()[-1], "agent=pi"]
    *learnt, _ = trained(quick("seed=0"), quick("seed=1"), pi)
    place = str(tmp_path / "runs")
    out, png, html = (tmp_path / f"out.{end}" for end in ("json", "png", "html"))
    for more in ((), ("--fresh",)):
        words = ("--score", "reward", "--json", str(out), "--plot", str(png), "--html", str(html))
        assert polislab(monkeypatch, "compare", place, *words, *more) == 0
        content = json.loads(out.read_text())
        assert content["unit"] == REWARD.unit
        returns = [read_json(run.evaluation)["returns"][0] for run in learnt]
        np.testing.assert_allclose(content["scores"]["ppo"], returns, rtol=1e-6)
        rows = {row["name"]: row for row in content["rows"]}
        assert rows["status quo"]["iqm"]["estimate"] != 0, "welfare of today's policy is 0"
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "over rule a step" in html.read_text()
    assert "% of income" not in html.read_text()
    loaded = config.load(pi).scored_on(SELECTION_SEED)
    paid, served = {}, {}
    for name in scores.CANDIDATES:
        env = held_out(loaded)
        found = evaluate(env, {name: agents.rule(name, env.groups)}, SELECTION_SEED, lambda: None)
        paid[name] = float(interquartile_mean(found.returns))
        served[name] = float(interquartile_mean(found.welfare["overall"]))
    best = max(paid, key=paid.__getitem__)
    assert f"best rule ({best})" in rows
    assert best != max(served, key=served.__getitem__)


def test_rewards_of_different_worlds_are_never_compared(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = [*quick()[:3], quick()[-1], "agent=pi"]
    trained(base, [*base, "scenario.terminal=tail"], [*base, "scenario.local_weight=0.5"])
    place = str(tmp_path / "runs")
    assert len(compare.collect([place]).groups) == 3
    for more in ((), ("--mix",)):
        assert polislab(monkeypatch, "compare", place, "--score", "reward", *more) == 2
        complaint = capsys.readouterr().err
        assert "scenario.local_weight differs: 0.2 in pi" in complaint
        assert "terminal differs" not in complaint, "held-out cities value stocks in one way"
        assert "by reward, only runs of one world can be compared" in complaint
        assert "--mix" not in complaint


def test_a_score_that_cannot_be_had_is_one_error(
    quick: Quick,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained([*quick()[:3], quick()[-1], "agent=pi"])
    asked = {
        ("reward", "--clairvoyant", "3"): "--clairvoyant plans for welfare",
        ("reward", "--informed", "3"): "--informed plans for welfare",
        ("welfare", "--informed", "3"): "fake_v0 cannot say what is to be expected",
        ("rewards",): "--score rewards: did you mean 'reward'?",
    }
    for words, complaint in asked.items():
        place = str(tmp_path / "runs")
        assert polislab(monkeypatch, "compare", place, "--score", *words) == 2
        shown = capsys.readouterr().err
        assert complaint in shown
        assert shown.count("error:") == 1


def test_held_out_cities_can_be_chosen_for_all(quick: Quick, tmp_path: Path) -> None:
    base = [*quick()[:3], quick()[-1], "agent=pi"]
    trained(base, [*base, "experiment.evaluation.cities=5"])
    place = [str(tmp_path / "runs")]
    with pytest.raises(InputError, match=r"evaluation.cities differs: .*--cities"):
        compare.collect(place)
    found = compare.score(compare.Plan(compare.collect(place, cities=7)), lambda: None)
    assert {entry.scores.shape[1] for entry in found.entries} == {7}


def test_a_place_without_finished_runs_is_named(quick: Quick, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no run folder"):
        compare.collect(["nowhere"])
    (run,) = trained([*quick()[:3], quick()[-1], "agent=pi"])
    with pytest.raises(InputError, match="none of 1 runs is finished of scenario 'city_v0'"):
        compare.collect([str(run.folder)], scenario="city_v0")
    run.mark("interrupted")
    with pytest.raises(InputError, match="left out, interrupted"):
        compare.collect([str(run.folder)])


@pytest.mark.parametrize("first", [19_995_000, 20_000_000, 59_999_999, 69_999_999])
def test_evaluation_keeps_off_the_cities_of_gate_tuning_and_choice(
    quick: Quick, first: int
) -> None:
    with pytest.raises(InputError, match="kept for"):
        config.load(quick(f"experiment.evaluation.first_seed={first}"))
    assert config.load(quick("experiment.evaluation.first_seed=40000000"))


def test_long_names_leave_room_for_the_numbers() -> None:
    """In a terminal of 120 columns, as in a Markdown table, every number is there in full."""
    name = "feedback scenario.terminal=tail env_steps=38400 gain_learning_rate=0.01"
    rows = [(name, *["+1.234 to +5.678"] * 5)]
    sheet = Sheet("title", ("policy", *[f">{number}" for number in range(5)]), rows)
    written = io.StringIO()
    Console(width=120, file=written).print(terminal(sheet))
    shown = written.getvalue()
    assert shown.count("+1.234 to +5.678") == 5
    assert "feedback" in shown


def test_names_in_pictures_say_no_more_than_tells_them_apart() -> None:
    names = [
        "best rule (uniform)",
        "mappo",
        "law a.end=tail rate=0.1",
        "law rate=[1, 2] x=1",
    ]
    twins = ["law a.end=tail rate=0.2"]
    found = brief([*names, *twins])
    assert list(found) == [*names, *twins]
    shown = [
        names[0],
        names[1],
        "law end=tail rate=0.1",
        "law rate=[1, 2]",
        "law end=tail rate=0.2",
    ]
    assert list(found.values()) == shown
