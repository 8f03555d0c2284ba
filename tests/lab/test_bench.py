"""The bench measures what it says, on any size."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from time import sleep
from typing import Any

import pytest
import torch

import experiments
from envs import registry
from envs.errors import CompileError
from experiments import bench, peer_speed, speed
from experiments.peer_speed import Peer, Stepper
from tests.fakes import FakeCore

TINY = bench.Plan(
    districts=(3,),
    rows=(1, 2),
    seconds=0.001,
    repeats=3,
    memory=(),
    worlds=(("fake_v0", "nowhere", False),),
    environments=2,
    batch=16,
    epochs=1,
    steps=4,
    pairs=3,
    marl_pairs=0,
    peers=(),
)


def lazy(world: str, batch: int) -> Stepper:
    """A world of three agents whose step takes two milliseconds."""
    return Stepper(3, batch, lambda: sleep(0.002))


def lost(world: str, batch: int) -> Stepper:
    """A world whose library is not there."""
    raise ModuleNotFoundError("No module named 'lost'", name="lost")


@pytest.fixture
def fake_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning on the fake core, which is made with the options of the plan."""

    class Sized(FakeCore):
        districts = 3

    def make(scenario: str, **options: Any) -> Any:
        assert options["num_envs"] in (1, 2)
        assert options["months_per_step"] == 3
        core = Sized(**options)
        core.scenario, core.city = scenario, core
        return core

    monkeypatch.setattr(registry, "make", make)
    monkeypatch.setattr(bench.envs, "make", make, raising=False)


def test_every_measurement_is_made_and_counted(fake_core: None) -> None:
    ticks: list[None] = []
    plan = replace(TINY, marl="fake_v0", minibatch=10, marl_pairs=2, peers=(Peer("x", "", lazy),))
    result = bench.measure(plan, lambda: ticks.append(None))
    assert len(ticks) == plan.work == 3 * 2 + 3 + 3 * 2 + 3 * 2
    assert [row["world"] for row in result["peers"]] == result["plan"]["peers"] * 2 == ["x", "x"]
    assert [row["world"] for row in result["marl"]] == [
        "null, shapes of fake_v0",
        "fake_v0",
        "fake_v0, compiled",
    ]
    assert [(m["districts"], m["rows"]) for m in result["model"]] == [(3, 1), (3, 2)]
    for found in result["model"]:
        assert found["slowest"] <= found["city_months"] <= found["fastest"]
        assert found["milliseconds"] == pytest.approx(1000 * found["rows"] / found["city_months"])
        assert 0 < found["share"] == pytest.approx(found["limit"] / found["milliseconds"])
        assert found["goal"] is None
    (learning,) = result["learning"]
    assert (learning["agents"], learning["environments"]) == (4, 2)
    assert 0 < learning["lowest"] <= learning["ratio"] <= learning["highest"]
    assert learning["goal"] is learning["reached"] is None


def test_a_slow_world_lowers_the_ratio(fake_core: None, monkeypatch: pytest.MonkeyPatch) -> None:
    step = FakeCore.step

    def slow(self: FakeCore, actions: Any) -> Any:
        sleep(0.05)
        return step(self, actions)

    plan = replace(TINY, districts=(), rows=())
    monkeypatch.setattr(FakeCore, "step", slow)
    (learning,) = bench.measure(plan, lambda: None)["learning"]
    assert learning["ratio"] < 0.5
    assert learning["city_steps"] < 8 * 4 / (4 * 0.05)


def test_a_step_that_cannot_be_compiled_here_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise CompileError("no C++ compiler")

    monkeypatch.setattr(bench.envs, "make", refused, raising=False)
    ticks: list[None] = []
    plan = replace(TINY, marl="fake_v0", minibatch=10, marl_pairs=2)
    (learning,) = bench.learning_speeds(plan, lambda: ticks.append(None))
    rows = list(bench.marl_speeds(plan, lambda: ticks.append(None)))
    assert {row["note"] for row in (learning, *rows)} == {"no C++ compiler"}
    assert len(ticks) == plan.pairs + 3 * plan.marl_pairs
    peer = Peer("fake_v0", "", peer_speed.compiled_city)
    (row, _) = peer_speed.peer_speeds((peer,), 2, 0.01, 1, lambda: None)
    assert row.note == "no C++ compiler"


def test_the_limit_is_the_arithmetic_of_the_month() -> None:
    """Every product of matrices of districts and every exponential of them is in it, once."""
    city = registry.synthetic(0, 1, 5).to(torch.float32)
    calls = speed.arithmetic(city, city.initial(2))
    names = {func._schema.name for func, _ in calls}
    assert {"aten::exp", "aten::bmm"} <= names <= set(speed.ARITHMETIC)
    squares = [args for func, args in calls if args[0].shape[-2:] == (5, 5)]
    assert len(squares) >= 4
    again = speed.arithmetic(city, city.initial(2))
    assert [func for func, _ in again] == [func for func, _ in calls]


def test_goals_are_judged_where_they_are_set() -> None:
    assert speed.goal(33, 1, 2.9, 0.1) == ("3 ms", True)
    assert speed.goal(33, 1, 3.1, 0.9) == ("3 ms", False)
    assert speed.goal(33, 256, 50.0, 0.24) == ("25 % of the limit", False)
    assert speed.goal(9, 256, 50.0, 0.01) is None


def test_memory_grows_with_the_batch() -> None:
    small, large = speed.memory(9, 1024), speed.memory(9, 8192)
    assert large.megabytes > 2 * small.megabytes
    assert large.per_row == pytest.approx(large.megabytes / 8192)


def test_mappo_takes_turns_with_benchmarl(fake_core: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each side's time is its own: a pause in our turn slows our figure alone."""
    from experiments import marl_speed

    rollouts = marl_speed._rollouts

    def paused(learner: Any) -> Iterator[object]:
        for row in rollouts(learner):
            sleep(0.5)
            yield row

    plan = replace(TINY, marl="fake_v0", minibatch=10, marl_pairs=1)
    for own in (rollouts, paused):
        monkeypatch.setattr(marl_speed, "_rollouts", own)
        null, *worlds = bench.marl_speeds(plan, lambda: None)
        assert len(worlds) == 2
        for row in (null, *worlds):
            assert (row["environments"], row["agents"], row["goal"]) == (2, 4, 3.0)
            assert 0 < row["lowest"] <= row["ratio"] <= row["highest"]
            assert row["reached"] == (row["ratio"] >= 3)
        frames = 2 * FakeCore().steps_per_episode
        assert (null["own"] < frames / 0.5) == (own is paused)
        assert null["benchmarl"] > frames / 5


def test_both_mappos_are_set_alike(fake_core: None, tmp_path: Any) -> None:
    """Widths, environments, frames, minibatches, epochs and one network for each group."""
    from experiments import config, marl_speed

    chosen = ["agent=mappo", "agent.sharing=group", "agent.num_envs=2", "agent.hidden=[8,4]"]
    settings = config.load([*chosen, "agent.batch_size=10", "agent.epochs=3"]).agent
    task = marl_speed.NullTask("fake_v0", {"city": "nowhere", "months_per_step": 3})
    experiment = marl_speed._experiment(task, settings, 20, 2, str(tmp_path))
    asked = experiment.config
    assert asked.n_envs_per_worker(True) == 2
    assert asked.collected_frames_per_batch(True) == 20
    assert (asked.train_minibatch_size(True), asked.n_optimizer_steps(True)) == (10, 3)
    assert set(experiment.group_map) == {"planning", "boards"}
    for name, loss in experiment.losses.items():
        ours = bench.envs.make("fake_v0", num_envs=2, months_per_step=3)
        (group,) = (group for group in ours.groups if group.name == name)
        shapes = [tuple(p.shape) for p in loss.actor_network_params.flatten_keys().values()]
        seen, moved = len(group.observation_names), 2 * len(group.action_names)
        assert {(8, seen), (4, 8), (moved, 4)} <= set(shapes)
        shapes = [tuple(p.shape) for p in loss.critic_network_params.flatten_keys().values()]
        assert {(8, ours.state_size), (4, 8), (1, 4)} <= set(shapes)


def test_without_benchmarl_the_row_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(experiments, "marl_speed", raising=False)
    monkeypatch.delitem(sys.modules, "experiments.marl_speed", raising=False)
    monkeypatch.setitem(sys.modules, "benchmarl.algorithms", None)
    ticks: list[None] = []
    plan = replace(TINY, marl_pairs=2)
    (row,) = bench.marl_speeds(plan, lambda: ticks.append(None))
    assert "pip install polislab[benchmarl]" in row["note"]
    assert len(ticks) == 6


def test_peers_are_timed_at_equal_batch() -> None:
    peers = (
        Peer("batched", "", lazy),
        Peer("single", "pytest", lazy, batches=False),
        Peer("away", "lost", lost, batches=False, install="pip install lost"),
    )
    rows = list(peer_speed.peer_speeds(peers, 8, 0.01, 3, lambda: None))
    assert [(row.world, row.batch) for row in rows] == [
        ("batched", 8),
        ("batched", 1),
        ("single", 1),
        ("away", 1),
    ]
    for row in rows[:3]:
        assert row.agents == 3
        figures = [row.slowest, row.agent_steps, row.fastest, 3 * row.batch / 0.002]
        assert figures == sorted(figures)
    assert rows[2].library == f"pytest {pytest.__version__}"
    assert "one environment at a time" in rows[2].note
    assert asdict(rows[3])["agent_steps"] is None
    assert rows[3].note == "lost is not installed: pip install lost"


def test_our_worlds_are_stepped_with_random_actions(
    fake_core: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    step = FakeCore.step

    def noted(self: FakeCore, actions: Any) -> Any:
        seen.append(actions)
        return step(self, actions)

    monkeypatch.setattr(FakeCore, "step", noted)
    stepper = peer_speed.city("fake_v0", 2)
    for _ in range(2):
        stepper.step()
    assert (stepper.agents, stepper.batch) == (4, 2)
    for actions in seen:
        assert all(-1 <= float(x.min()) < float(x.max()) <= 1 for x in actions.values())
    assert not torch.equal(seen[0]["boards"], seen[1]["boards"])


OTHERS = [peer for peer in peer_speed.PEERS if peer.library]


@pytest.mark.parametrize("peer", OTHERS, ids=lambda peer: peer.library)
def test_every_peer_lives_through_the_ends_of_its_episodes(peer: Peer) -> None:
    """Where its library is installed."""
    try:
        stepper = peer.make(peer.world, 2 if peer.batches else 1)
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    for _ in range(2 * peer_speed.VMAS_STEPS):
        stepper.step()
    assert stepper.agents > 1
