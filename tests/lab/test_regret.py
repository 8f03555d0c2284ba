"""Regret after a regime change: what counts as loss, what is recovered, and how sure that is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import agents
from experiments.cli import app
from experiments.errors import InputError
from experiments.regret import Break, Flow, chart, estimate, gather
from experiments.regret.estimates import ratio
from tests.fakes import FakeCore

STRUCK = Break("parameters", 24, 1.0, 36)
CITIES = 40


def flow(name: str, lost: float, late: float | None = None, seeds: int = 1) -> Flow:
    """Twenty steps of three months; from the eighth on `lost` is lost, `late` from the twelfth."""
    stream = np.random.default_rng(0)
    level = 1.0 + 0.1 * stream.standard_normal((1, CITIES, 1))
    calm = np.repeat(np.repeat(level, 20, 2), seeds, 0)
    broken = calm.copy()
    broken[..., 8:] -= lost
    if late is not None:
        broken[..., 12:] += lost - late
    return Flow(name, calm, broken)


def test_recovery_is_read_in_the_second_year_after_the_break() -> None:
    """Nothing is won back in the first year and three quarters in the second."""
    found = estimate([flow("frozen", 0.4), flow("learning", 0.4, late=0.1)], STRUCK, 3)
    frozen, learning = found.rows
    assert found.loss.estimate == pytest.approx(0.4)
    assert frozen.recovered is None
    assert learning.recovered is not None
    assert learning.recovered.estimate == pytest.approx(0.75)
    assert learning.whole is not None
    assert learning.whole.estimate == pytest.approx(0.375)
    assert learning.own_loss.estimate == pytest.approx(0.1)
    assert learning.gain.estimate == learning.adapted.estimate == pytest.approx(0.3)
    assert frozen.before.estimate == frozen.calm.estimate == pytest.approx(1.0, abs=0.1)


def test_what_is_better_anyway_has_not_adapted() -> None:
    """One that always earns 0.2 more gains that with the break, and none of it by the break."""
    frozen = flow("frozen", 0.4)
    better = Flow("better", frozen.calm + 0.2, frozen.broken + 0.2)
    row = estimate([frozen, better], STRUCK, 3).rows[1]
    assert row.gain.estimate == pytest.approx(0.2)
    assert row.adapted.estimate == pytest.approx(0.0, abs=1e-12)
    assert row.recovered is not None
    assert row.recovered.estimate == pytest.approx(0.5)


def test_an_informed_policy_sets_what_could_be_saved() -> None:
    """Half of what the break took is beyond anybody: the rest is the loss."""
    three = [flow("frozen", 0.4), flow("learning", 0.3), flow("informed", 0.2)]
    found = estimate(three, STRUCK, 3, informed=True)
    assert (found.against, found.loss.estimate) == ("informed", pytest.approx(0.2))
    assert found.rows[1].recovered is not None
    assert found.rows[1].recovered.estimate == pytest.approx(0.5)
    assert found.rows[2].recovered is not None
    assert found.rows[2].recovered.estimate == pytest.approx(1.0)


def test_without_a_loss_nothing_is_recovered() -> None:
    found = estimate([flow("frozen", 0.0), flow("learning", -0.2)], STRUCK, 3)
    assert found.rows[1].recovered is None
    assert "null" in json.dumps(found.content()["table"][1])


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


def test_several_seeds_of_one_configuration_are_one_policy(tmp_path: Path) -> None:
    groups = FakeCore.groups
    for seed in range(3):
        made = {"hash": "abc" if seed < 2 else "def", "agent": "law", "seed": seed}
        agents.save(agents.rule("status_quo", groups), tmp_path / str(seed), made)
    entries, _ = gather(["pi", *(str(tmp_path / str(seed)) for seed in range(3))])
    assert [(entry.name, len(entry.policies)) for entry in entries] == [
        ("pi", 1),
        ("law abc", 2),
        ("law def", 1),
    ]
    with pytest.raises(InputError) as caught:
        gather(["adaptive", str(tmp_path)])
    assert "adaptive: neither a folder nor a rule; did you mean 'adaptive_pi'?" in str(caught.value)
    assert "policy.json: no such file" in str(caught.value)


def test_the_picture_is_a_picture() -> None:
    two = [flow("frozen", 0.4), flow("learning", 0.4, late=0.1, seeds=2)]
    assert chart(estimate(two, STRUCK, 3), "A break").startswith(b"\x89PNG")


def test_the_command_compares_an_adaptive_rule_with_the_frozen_one(tmp_path: Path) -> None:
    file, picture = tmp_path / "regret.json", tmp_path / "regret.png"
    options = ["--regime", "evasion", "--month", "12", "--after", "24", "--cities", "2"]
    world = ["districts=3", "scenario.horizon=48", "scenario.months_per_step=6"]
    files = ["--json", str(file), "--plot", str(picture)]
    done = CliRunner().invoke(app, ["regret", "pi", "adaptive_pi", *world, *options, *files])
    assert done.exit_code == 0, done.output
    found = json.loads(file.read_text())
    assert [row["policy"] for row in found["table"]] == ["pi", "adaptive_pi"]
    for shown in found["flows"].values():
        assert len(shown["calm"]) == len(shown["broken"]) == 6
        assert shown["calm"][:2] == shown["broken"][:2], "until the break all is the same"
        assert shown["calm"][3:] != shown["broken"][3:]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["districts=3"], "no policy named"),
        (["pi", "--regime", "none"], "--regime none: expected parameters or evasion"),
        (["pi", "--month", "100"], "--month 100 and --after 36 reach beyond"),
        (["pi", "--month", "61"], "--month 61: expected whole steps of 3 months"),
    ],
)
def test_what_cannot_be_played_is_refused_in_words(words: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["regret", *words])
    assert isinstance(done.exception, InputError)
    assert told in str(done.exception)
