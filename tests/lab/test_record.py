"""Recordings: what is written is read back to the bit, replays, and has the right densities."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import minari
import numpy as np
import pytest
import torch
from torch.distributions import Normal, Uniform

import agents
import envs
from agents.network import NetworkPolicy
from agents.policy import spaces_of
from agents.stochastic import Explored
from envs.adapters.minari_layout import FORMAT, Episode, read_episodes, write_dataset
from experiments import config, record
from experiments.errors import InputError

#: A tail run spares the co-states, which take most of the time.
SMALL = [
    "city=synthetic",
    "districts=4",
    "cities=2",
    "scenario.horizon=6",
    "scenario.terminal=tail",
]


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def network(groups: Any, seed: int = 0) -> NetworkPolicy:
    """An untrained policy with wide noise, so that draws leave the bounds."""
    settings = NetworkPolicy.Settings(
        hidden=(8,),
        activation="tanh",
        observation_size=max(len(g.observation_names) for g in groups),
        action_size=max(len(g.action_names) for g in groups),
        identified=len(groups) > 1,
        standardised=False,
        clip=10.0,
    )
    stream = torch.Generator().manual_seed(seed)
    shapes = NetworkPolicy.weight_shapes(spaces_of(groups), settings)
    weights = {name: torch.randn(shape, generator=stream) for name, shape in shapes.items()}
    return NetworkPolicy(groups, settings, weights | {"log_std": weights["log_std"] * 0.3 - 0.2})


def observed(groups: Any, rows: int = 3) -> dict[str, torch.Tensor]:
    stream = torch.Generator().manual_seed(1)
    return {
        g.name: torch.randn(rows, g.size, len(g.observation_names), generator=stream)
        for g in groups
    }


@pytest.fixture(scope="module")
def world() -> Any:
    return envs.make("city_v0", districts=4, cities=2, num_envs=3, horizon=6, terminal="tail")


def tensors(table: Any) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(values) for name, values in table.items()}


def check_steps(episodes: list[Episode], behaviour: Any) -> None:
    """The policy itself finds the recorded log-densities, step after step, to the bit."""
    behaviour.reset(len(episodes))
    for step in range(len(episodes[0].terminated)):

        def batch(pick: Callable[[Episode], Any], step: int = step) -> dict[str, torch.Tensor]:
            names = pick(episodes[0]).keys()
            return {
                n: torch.as_tensor(np.stack([pick(e)[n][step] for e in episodes])) for n in names
            }

        found = behaviour.log_probability(batch(lambda e: e.observations), batch(lambda e: e.drawn))
        recorded = batch(lambda e: e.log_probability)
        for name, values in recorded.items():
            assert values.dtype == torch.float64
            assert torch.equal(found[name], values), (name, step)


@pytest.mark.parametrize("scenario", ["city_v0", "districts_v0"])
def test_a_network_is_recorded_read_and_replayed_to_the_bit(
    scenario: str, datasets: Path, tmp_path: Path
) -> None:
    loaded = config.load([*SMALL, f"scenario={scenario}"])
    env = envs.make(scenario, **loaded.environment(3, 5))
    policy = network(env.groups)
    agents.save(policy, tmp_path / "policy", {"config": loaded.resolved})
    facts = record.record(loaded, tmp_path / "policy", "city/net-v0", episodes=3, seed=5)
    dataset = minari.load_dataset("city/net-v0")
    assert "city/net-v0" in minari.list_local_datasets()
    assert dataset.total_episodes == 3
    assert dataset.total_steps == 6

    episodes = read_episodes(dataset)
    straight = list(record.play(env, policy, 5, torch.Generator().manual_seed(5)))
    for one, other in zip(episodes, straight, strict=True):
        for field in dataclasses.fields(Episode):
            a, b = getattr(one, field.name), getattr(other, field.name)
            table = a if isinstance(a, dict) else {"": a}
            again = b if isinstance(b, dict) else {"": b}
            assert table.keys() == again.keys(), field.name
            for name, values in table.items():
                assert np.array_equal(values, again[name]), (field.name, name)
                assert np.asarray(values).dtype == np.asarray(again[name]).dtype
    assert [episode.seed for episode in episodes] == [5, 6, 7]
    check_steps(episodes, agents.load(tmp_path / "policy"))

    drawn = np.concatenate([e.drawn[n].ravel() for e in episodes for n in e.drawn])
    acted = np.concatenate([e.actions[n].ravel() for e in episodes for n in e.actions])
    assert np.abs(drawn).max() > 1
    assert np.array_equal(acted, drawn.clip(-1, 1))

    ours = dataset.storage.metadata["polislab"]
    assert ours["format"] == FORMAT
    assert ours["policy"]["fingerprint"] == agents.fingerprint(policy)
    assert facts["city"] == ours["city"]
    names = [group["action_names"] for group in ours["groups"]]
    assert names == [list(group.action_names) for group in env.groups]

    replay = envs.make(
        ours["scenario"], city=ours["city"]["name"], num_envs=3, seed=5, **ours["options"]
    )
    alone = envs.make(
        ours["scenario"], city=ours["city"]["name"], num_envs=1, seed=6, **ours["options"]
    )
    replay.reset(seed=[e.seed for e in episodes])
    alone.reset(seed=episodes[1].seed)
    for step in range(2):
        actions = {n: np.stack([e.actions[n][step] for e in episodes]) for n in episodes[0].actions}
        result = replay.step(tensors(actions))
        single = alone.step(tensors({n: a[1:2] for n, a in actions.items()}))
        for name, reward in result.rewards.items():
            recorded = np.stack([e.rewards[name][step] for e in episodes])
            assert np.array_equal(reward.numpy(), recorded)
            torch.testing.assert_close(single.rewards[name], reward[1:2], rtol=1e-3, atol=1e-3)


def test_minaris_own_view_of_an_episode(datasets: Path) -> None:
    record.record(config.load(SMALL), Path("random"), "plain-v1", episodes=2, seed=0)
    episode = minari.load_dataset("plain-v1")[1]
    ours = read_episodes(minari.load_dataset("plain-v1"))[1]
    assert episode.terminations.tolist() == [False, True]
    assert not episode.truncations.any()
    everyone = np.concatenate(list(ours.rewards.values()), axis=1)
    assert episode.rewards == pytest.approx(everyone.mean(1), abs=1e-6)
    assert set(episode.observations) == {"planning", "industry", "services", "infrastructure"}
    assert episode.observations["planning"].shape[0] == 3
    assert episode.infos["log_probability"]["planning"].shape == (3, 1)
    assert (episode.infos["log_probability"]["planning"][0] == 0).all()
    dataset = minari.load_dataset("plain-v1")
    for name, space in dataset.spec.action_space.spaces.items():
        assert all(space.contains(step) for step in episode.actions[name])


def test_more_episodes_than_a_batch_holds(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "ROWS", 2)
    record.record(config.load(SMALL), Path("random"), "batches-v0", episodes=3, seed=1)
    episodes = read_episodes(minari.load_dataset("batches-v0"))
    assert [episode.seed for episode in episodes] == [1, 2, 3]
    alone = envs.make(
        "city_v0", num_envs=1, seed=3, districts=4, cities=2, horizon=6, terminal="tail"
    )
    opening, info = alone.reset(seed=3)
    assert np.array_equal(episodes[2].state[0], info["state"][0].numpy())
    assert all(np.array_equal(episodes[2].observations[n][0], x[0]) for n, x in opening.items())


def test_exploration_around_a_rule_with_a_memory(datasets: Path, world: Any) -> None:
    loaded = config.load(SMALL)
    record.record(loaded, Path("pi"), "pi-v0", episodes=3, seed=0, exploration=0.2)
    episodes = read_episodes(minari.load_dataset("pi-v0"))
    check_steps(episodes, Explored(agents.rule("pi", world.groups), 0.2))
    ours = minari.load_dataset("pi-v0").storage.metadata["polislab"]
    assert ours["exploration"] == 0.2


def test_gaussian_densities_are_those_of_torch(world: Any) -> None:
    policy, seen = network(world.groups), observed(world.groups)
    decisions = policy.decide(seen, torch.Generator().manual_seed(2))
    means = {n: x.double() for n, (x, _) in policy.laws(seen).items()}
    for name, decision in decisions.items():
        deviation = policy.tensors["log_std"].exp().double()[: means[name].shape[-1]]
        expected = Normal(means[name], deviation).log_prob(decision.drawn.double()).sum(-1)
        torch.testing.assert_close(decision.log_probability, expected)
    again = policy.decide(seen, torch.Generator().manual_seed(2))
    assert all(torch.equal(again[n].drawn, d.drawn) for n, d in decisions.items())
    quiet = policy.act(seen)
    assert all(torch.equal(quiet[n].double(), m.clamp(-1, 1)) for n, m in means.items())


def test_the_uniform_rule_has_the_uniform_density(world: Any) -> None:
    rule = agents.rule("random", world.groups, {"spread": 0.5, "seed": 0})
    seen = observed(world.groups)
    decisions = agents.behaviour(rule).decide(seen, torch.Generator().manual_seed(0))
    for decision in decisions.values():
        assert bool((decision.drawn.abs() <= 0.5).all())
        low = torch.tensor(0.5, dtype=torch.float64)
        expected = Uniform(-low, low).log_prob(decision.drawn.double()).sum(-1)
        torch.testing.assert_close(decision.log_probability, expected)
    outside = {name: d.drawn + 2 for name, d in decisions.items()}
    assert all(bool((x == -math.inf).all()) for x in rule.log_probability(seen, outside).values())


@pytest.mark.parametrize(
    ("rule", "settings"), [("status_quo", {}), ("random", {"spread": 0.0, "seed": 0})]
)
def test_what_leaves_nothing_to_chance_is_refused(
    rule: str, settings: dict[str, Any], world: Any
) -> None:
    policy = agents.rule(rule, world.groups, settings)
    with pytest.raises(agents.DeterministicError, match="--exploration SD"):
        agents.behaviour(policy)
    assert isinstance(agents.behaviour(policy, 0.1), Explored)
    for bad in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            agents.behaviour(policy, bad)


def test_bad_names_and_taken_ones_are_refused(datasets: Path) -> None:
    loaded = config.load(SMALL)
    for name in ("random", "a b-v0", "../up-v0"):
        with pytest.raises(InputError, match="no name of a dataset"):
            record.record(loaded, Path("random"), name, episodes=1, seed=0)
    (datasets / "there-v0").mkdir(parents=True)
    with pytest.raises(InputError, match="there already"):
        record.record(loaded, Path("random"), "there-v0", episodes=1, seed=0)
    with pytest.raises(InputError, match="no such file"):
        record.record(loaded, Path("nowhere"), "some-v0", episodes=1, seed=0)


def test_a_recording_that_breaks_off_leaves_nothing(datasets: Path, world: Any) -> None:
    def broken() -> Any:
        yield from record.play(
            world, agents.rule("random", world.groups), 0, torch.Generator().manual_seed(0)
        )
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset("half/done-v0", world.groups, broken(), {})
    assert not list(datasets.rglob("*.hdf5"))


def test_a_dataset_of_another_layout_is_refused(datasets: Path, world: Any) -> None:
    write_dataset("other/one-v0", world.groups, [], {"format": "theirs"})
    with pytest.raises(ValueError, match="theirs"):
        read_episodes(minari.load_dataset("other/one-v0"))
