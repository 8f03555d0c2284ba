"""Regret after a regime change: what counts as loss, what is recovered, and how sure that is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import agents
from envs import stocks
from envs.city.parameters import Parameters
from envs.regime import BREAKS
from experiments import config
from experiments.cli import app
from experiments.errors import InputError
from experiments.regret import Break, Climb, Course, Flow, chart, estimate, flows, gather, report
from experiments.regret.estimates import ratio
from experiments.regret.play import CALM, ORACLE, PLANNER, TUNER
from experiments.runs import Run
from tests.fakes import FakeCore

STRUCK = Break(("evasion",), 24, 1.0, 24)
CITIES = 40
LEVEL = 1.0 + 0.1 * np.random.default_rng(0).standard_normal((1, CITIES))


@pytest.fixture(autouse=True)
def short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stocks are worth is worked out over a year, not twenty."""
    monkeypatch.setattr(stocks, "TAIL_MONTHS", 12)


def flow(name: str, calm: float, broken: float, seeds: int = 1) -> Flow:
    """One that earns so much more than a level of each city in either world."""
    earned = {CALM: LEVEL + calm, "evasion": LEVEL + broken}
    return Flow(
        name,
        {
            world: Course(np.zeros((seeds, CITIES, 16)), np.repeat(x, seeds, 0))
            for world, x in earned.items()
        },
    )


def test_what_is_better_anyway_has_not_adapted() -> None:
    """Of 0.4 that is lost by the break one policy wins back nothing and one three quarters; both
    look alike where gains without the break are not taken off."""
    better = flow("better", 0.3, -0.1)
    adaptive = flow("adaptive", 0.0, -0.1, seeds=2)
    found = estimate(
        [flow("frozen", 0.0, -0.4), better, adaptive, flow(ORACLE, 0.2, 0.2)], STRUCK, 3
    ).regrets[0]
    assert found.loss is not None
    assert found.loss_calm is not None
    assert found.by_break is not None
    losses = [x.estimate for x in (found.loss, found.loss_calm, found.by_break)]
    assert losses == pytest.approx([0.6, 0.2, 0.4])
    frozen, anyway, learnt, oracle = found.rows
    assert frozen.recovered is None
    assert frozen.gain.estimate == frozen.adapted.estimate == 0
    for row, calm, share in ((anyway, 0.3, 0.0), (learnt, 0.0, 0.75), (oracle, 0.2, 1.0)):
        assert row.gain_calm.estimate == pytest.approx(calm)
        assert row.adapted.estimate == pytest.approx(0.4 * share)
        assert row.recovered is not None
        assert row.recovered.estimate == pytest.approx(1.0 if row is oracle else 0.5)
        assert row.by_adapting is not None
        assert row.by_adapting.estimate == pytest.approx(share)
    assert learnt.seeds == 2


def test_without_a_loss_by_the_break_nothing_is_recovered() -> None:
    two = [flow("frozen", 0.0, 0.0), flow("learning", 0.1, 0.2)]
    oracle = flow(ORACLE, 0.2, 0.2)
    found = estimate([*two, oracle], STRUCK, 3)
    row = found.regrets[0].rows[1]
    assert row.recovered is not None
    assert row.by_adapting is None
    said = report.readings(found)
    assert said[1] == (
        "Of all that frozen loses after the break learning recovers 100% (100% to 100%): at least "
        "50% for certain. It gains +10.000 (+10.000 to +10.000) % of income a month more on frozen "
        "with the break than without it."
    )
    assert "no share of it is told" in said[-1]
    bare = estimate(two, STRUCK, 3)
    assert bare.regrets[0].loss is None
    assert "no oracle" in report.readings(bare)[0]
    assert json.loads(json.dumps(bare.content()))["regimes"][0]["rows"][1]["recovered"] is None


def test_the_interval_of_a_share_holds_it_as_often_as_it_says() -> None:
    """Cities lose 1 on average and another policy wins back half, with independent noise."""
    stream, held = np.random.default_rng(1), 0
    for _ in range(200):
        frozen, goal = stream.standard_normal((2, 1, 60)) * 0.5
        policy = frozen / 2 + goal / 2 + 0.5 + 0.3 * stream.standard_normal((1, 60))
        found = ratio(policy, frozen, goal + 1.0)
        assert found is not None
        held += found.low <= 0.5 <= found.high
    assert 0.9 <= held / 200 <= 0.99


def test_training_seeds_widen_the_interval_of_a_gain() -> None:
    frozen, steady = flow("frozen", 0.0, 0.0), flow("steady", 0.0, 0.1, seeds=4)
    spread = np.array([-0.3, -0.1, 0.1, 0.3])[:, None]
    courses = {name: Course(x.flow, x.earned + spread) for name, x in steady.courses.items()}
    found = estimate([frozen, steady, Flow("uneven", courses)], STRUCK, 3).regrets[0]
    _, same, uneven = (row.gain for row in found.rows)
    assert [same.estimate, uneven.estimate] == pytest.approx([0.1, 0.1])
    assert same.high - same.low < 1e-9
    assert uneven.high - uneven.low > 0.2


def test_several_seeds_of_one_configuration_are_one_policy(tmp_path: Path) -> None:
    groups = FakeCore.groups
    for seed in range(3):
        made = {"hash": "abc" if seed < 2 else "def", "agent": "law", "seed": seed}
        agents.save(agents.rule("status_quo", groups), tmp_path / str(seed), made)
        command = {"command": ["/somewhere/polislab", "train", "seed=range(0,3)"]}
        Run(tmp_path / str(seed)).folder.joinpath("manifest.json").write_text(json.dumps(command))
    entries, _, made_by = gather(["pi", *(str(tmp_path / str(seed)) for seed in range(3))])
    assert [(entry.name, len(entry.policies)) for entry in entries] == [
        ("pi", 1),
        ("law abc", 2),
        ("law def", 1),
    ]
    assert made_by == ["polislab train 'seed=range(0,3)'"]
    with pytest.raises(InputError) as caught:
        gather(["adaptive", str(tmp_path)])
    assert "adaptive: neither a folder nor a rule; did you mean 'adaptive_pi'?" in str(caught.value)
    assert "policy.json: no such file" in str(caught.value)


def test_the_oracle_earns_more_than_the_frozen_policy_in_every_city() -> None:
    """It goes on from where that had led the city, and until the break is the same."""
    torch.set_num_threads(1)
    world = ["districts=3", "scenario.horizon=36", "scenario.months_per_step=6"]
    loaded = config.load(world).scored_on(10_000_000, 2)
    struck = Break(("needs",), 12, 1.0, 12)
    entries, _, _ = gather(["pi"])
    frozen, oracle = flows(loaded, entries, struck, None, Climb(4), lambda: None)
    assert (frozen.name, oracle.name) == ("pi", ORACLE)
    for world_name in (CALM, "needs"):
        before, best = frozen.courses[world_name], oracle.courses[world_name]
        assert np.array_equal(before.flow[..., :2], best.flow[..., :2])
        assert before.flow.shape == (1, 2, 4)
        assert (best.earned > before.earned).all()
    calm, broken = (frozen.courses[name] for name in (CALM, "needs"))
    assert np.array_equal(calm.flow[..., :2], broken.flow[..., :2])
    assert not np.array_equal(calm.flow[..., 2:], broken.flow[..., 2:])


def test_cities_that_run_away_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A break that no city survives: interest is beyond all numbers."""
    kind = BREAKS["evasion"]

    def usury(p: Parameters, *_: object) -> dict[str, torch.Tensor]:
        return {**p.values, "interest": torch.full_like(p.values["interest"], torch.inf)}

    monkeypatch.setitem(BREAKS, "evasion", replace(kind, values=usury))
    torch.set_num_threads(1)
    world = ["districts=3", "scenario.horizon=36", "scenario.months_per_step=6"]
    loaded = config.load(world).scored_on(10_000_000, 2)
    struck = Break(("evasion",), 12, 1.0, 12)
    entries, _, _ = gather(["pi"])
    with pytest.raises(InputError, match=r"pi, regime evasion: cities of seed .*10000001 run away"):
        flows(loaded, entries, struck, None, Climb(0), lambda: None)


def test_the_picture_is_a_picture() -> None:
    three = [flow("frozen", 0, -0.4), flow("learning", 0, -0.1, seeds=2), flow(ORACLE, 0.2, 0.2)]
    assert chart(estimate(three, STRUCK, 3), "A break").startswith(b"\x89PNG")


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    file, picture, page = (tmp_path / name for name in ("out.json", "out.png", "out.md"))
    options = ["--month", "12", "--within", "12", "--cities", "2", "--climb", "1"]
    options += ["--estimates", "1"]
    regimes = ["--regime", "evasion", "--regime", "needs"]
    world = ["districts=3", "scenario.horizon=48", "scenario.months_per_step=6"]
    files = ["--json", str(file), "--plot", str(picture), "--markdown", str(page)]
    words = ["regret", "pi", "adaptive_pi", *world, *options, *regimes, *files]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert [x["regime"] for x in found["regimes"]] == ["evasion", "needs"]
    names = [row["policy"] for row in found["regimes"][1]["rows"]]
    assert names == ["pi", "adaptive_pi", PLANNER, TUNER, ORACLE]
    for shown in found["flows"].values():
        assert {len(x) for x in shown.values()} == {4}
        assert shown["none"][:2] == shown["evasion"][:2], "until the break all is the same"
        assert shown["none"][3:] != shown["evasion"][3:]
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "![Gains and recovered shares](out.png)" in text
    assert "## Regime needs, strength 1" in text
    assert "The **self-tuning** planner keeps a model" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["districts=3"], "no policy named"),
        (["pi", "--regime", "none"], "--regime none: expected parameters or evasion or needs"),
        (["pi", "--month", "99"], "--month 99 and --within 24: expected to end before"),
        (["pi", "--within", "25"], "--within 25: expected whole steps of 3 months"),
        (["pi", "scenario.information=0.5"], "expected information=1.0 bulletin=false"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["regret", *words])
    assert isinstance(done.exception, InputError)
    assert told in str(done.exception)
