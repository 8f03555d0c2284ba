"""Policies: rules do what they say, files keep a policy and refuse a broken one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import agents
from agents.planner import Planner, PlannerSettings
from agents.ppo import PPOLearner
from agents.ppo_settings import CurriculumSettings, PPOSettings
from envs.adapters.sb3 import GovernanceVecEnv
from envs.groups import Group, StepResult
from tests.fakes import FakeCore

CITY = Group("services", ("s_0",), ("quality[a]", "quality[b]", "wait"), ("staff[a]", "staff[b]"))
BOARDS = Group("boards", ("b_0", "b_1"), ("quality[a]", "rent"), ("staff[a]", "release"))
GROUPS = (CITY, BOARDS)
PAIR = {"observation": "quality[*]", "lever": "staff[*]"}
PPO = PPOSettings(
    control="shared",
    num_envs=4,
    env_steps=80,
    episodes_per_rollout=1,
    rollouts_per_segment=2,
    hidden=(8, 8),
    activation="tanh",
    log_std=-0.5,
    standardise=True,
    learning_rate=1e-3,
    learning_rate_end=0.0,
    batch_size=64,
    epochs=2,
    monthly_discount=0.99,
    gae_lambda=0.95,
    clip_range=0.2,
    entropy=0.0,
    value_weight=0.5,
    max_gradient=0.5,
    curriculum=CurriculumSettings(0.5, None, None, None, None, None, None),
)


def observed(value: float = 0.0, num_envs: int = 3) -> dict[str, Tensor]:
    return {
        group.name: torch.full((num_envs, group.size, len(group.observation_names)), value)
        for group in GROUPS
    }


def learner(seed: int = 0) -> PPOLearner:
    core = FakeCore(num_envs=PPO.num_envs, horizon=15)
    return PPOLearner(PPO, GovernanceVecEnv(core), core, seed)


@pytest.mark.parametrize("name", agents.RULES)
def test_every_rule_governs_every_group_with_its_default_settings(name: str) -> None:
    policy = agents.rule(name, GROUPS)
    policy.reset(3)
    actions = policy.act(observed(0.3))
    shapes = {group: tuple(action.shape) for group, action in actions.items()}
    assert shapes == {"services": (3, 1, 2), "boards": (3, 2, 2)}
    assert all(bool((action.abs() <= 1).all()) for action in actions.values())


def test_status_quo_keeps_todays_settings() -> None:
    actions = agents.rule("status_quo", GROUPS).act(observed(5.0))
    assert all(not action.any() for action in actions.values())


def test_random_is_centred_bounded_and_starts_over_at_reset() -> None:
    policy = agents.rule("random", GROUPS, {"spread": 0.5, "seed": 3})
    policy.reset(2000)
    first = policy.act(observed(num_envs=2000))["services"]
    second = policy.act(observed(num_envs=2000))["services"]
    policy.reset(2000)
    again = policy.act(observed(num_envs=2000))["services"]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert 0.49 < float(first.abs().max()) <= 0.5
    assert abs(float(first.mean())) < 0.02


def test_uniform_gives_all_districts_the_same_and_the_last_pattern_counts() -> None:
    policy = agents.rule("uniform", GROUPS, {"levers": {"staff*": 0.2, "staff[b]": -0.4}})
    actions = policy.act(observed())
    assert actions["services"][0, 0].tolist() == pytest.approx([0.2, -0.4])
    assert actions["boards"][0].flatten().tolist() == pytest.approx([0.2, 0.0, 0.2, 0.0])


def test_proportional_answers_each_agents_own_need_and_stops_at_the_bounds() -> None:
    policy = agents.rule("proportional", GROUPS, {"pairs": [PAIR | {"gain": -2.0}]})
    seen = observed()
    seen["services"][0, 0] = torch.tensor([-0.1, 0.2, 9.0])
    seen["boards"][1, 1, 0] = -3.0
    actions = policy.act(seen)
    assert actions["services"][0, 0].tolist() == pytest.approx([0.2, -0.4])
    assert actions["boards"][1].tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_two_pairs_on_one_lever_add_up() -> None:
    pairs = [
        {"observation": "quality[a]", "lever": "release", "gain": 1.0},
        {"observation": "rent", "lever": "release", "gain": 0.5},
    ]
    actions = agents.rule("proportional", GROUPS, {"pairs": pairs}).act(observed(0.4))
    assert actions["boards"][0, 0].tolist() == pytest.approx([0.0, 0.6])


def test_pi_removes_a_lasting_gap_that_proportional_feedback_leaves() -> None:
    """A first-order indicator with a constant push ends at its target."""
    gains = {"target": 0.5, "proportional": -0.5, "integral": -0.1}
    policy = agents.rule("pi", GROUPS, {"pairs": [PAIR | gains], "limit": 1.0})
    policy.reset(3)
    level = torch.full((3, 2, 2), 0.5)
    for _ in range(200):
        action = policy.act(observed() | {"boards": level})["boards"][..., 0]
        level[..., 0] += 0.3 * (action - 0.4 + 0.5 - level[..., 0])
    assert level[..., 0].flatten().tolist() == pytest.approx([0.5] * 6, abs=1e-3)
    policy.reset(3)
    fresh = policy.act(observed() | {"boards": level})["boards"][..., 0]
    assert fresh.abs().max() < 0.01


def test_pi_does_not_wind_up() -> None:
    gains = {"target": 0.0, "proportional": 0.0, "integral": 0.5}
    policy = agents.rule("pi", GROUPS, {"pairs": [PAIR | gains], "limit": 0.3})
    policy.reset(3)
    for _ in range(100):
        policy.act(observed(1.0))
    assert float(policy.act(observed(-1.0))["boards"][0, 0, 0]) == pytest.approx(-0.2)


def test_plan_is_followed_and_its_last_step_holds() -> None:
    levers = {"levers.services": torch.tensor([[0.1, 0.2], [0.3, -2.0]])}
    levers["levers.boards"] = torch.zeros(2, 2)
    plan = agents.Plan(GROUPS, agents.Plan.Settings(2), levers)
    plan.reset(3)
    taken = [plan.act(observed())["services"][0, 0].tolist() for _ in range(3)]
    assert taken[0] == pytest.approx([0.1, 0.2])
    assert taken[1] == taken[2] == pytest.approx([0.3, -1.0])


@pytest.mark.parametrize("name", agents.RULES)
def test_a_saved_rule_acts_as_before(name: str, tmp_path: Path) -> None:
    policy = agents.rule(name, GROUPS)
    agents.save(policy, tmp_path, {"seed": 7})
    loaded = agents.load(tmp_path)
    for each in (policy, loaded):
        each.reset(3)
    before, after = policy.act(observed(0.2)), loaded.act(observed(0.2))
    assert loaded.spaces == policy.spaces
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert agents.provenance(tmp_path) == {"seed": 7}


def test_the_exported_network_acts_as_the_learner_predicts(tmp_path: Path) -> None:
    trained = learner()
    for _ in trained.train(0, lambda: None):
        pass
    agents.save(trained.policy(), tmp_path)
    policy = agents.load(tmp_path)
    env = GovernanceVecEnv(FakeCore(num_envs=5, horizon=15))
    env.seed(11)
    rows, core = env.reset(), FakeCore(num_envs=5, horizon=15)
    seen, _ = core.reset(seed=11)
    for _ in range(5):
        assert trained.moments is not None
        wanted, _ = trained.model.predict(trained.moments.normalize_obs(rows), deterministic=True)
        actions = policy.act(seen)
        batch = wanted.reshape(5, 4, 2)
        assert actions["planning"].numpy() == pytest.approx(batch[:, :1], abs=1e-6)
        assert actions["boards"].numpy() == pytest.approx(batch[:, 1:, :1], abs=1e-6)
        rows, _, _, _ = env.step(wanted)
        seen = dict(core.step(actions).observations)


def test_a_learner_resumed_at_a_segment_ends_with_the_same_bits(tmp_path: Path) -> None:
    straight, stopped, resumed = learner(), learner(), learner()
    for _ in straight.train(0, lambda: None):
        pass
    whole = [*straight.train(1, lambda: None)]
    for _ in stopped.train(0, lambda: None):
        pass
    stopped.save(tmp_path, 1)
    assert resumed.restore(tmp_path) == 1
    rest = [*resumed.train(1, lambda: None)]
    assert whole == rest
    ours, theirs = straight.policy().weights(), resumed.policy().weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_learning_rate_falls_linearly_over_the_whole_run() -> None:
    trained = learner()
    rates = [
        row["train/learning_rate"]
        for segment in range(trained.segments.count)
        for row in trained.train(segment, lambda: None)
    ]
    assert rates == pytest.approx([1e-3, 0.75e-3, 0.5e-3, 0.25e-3])


def test_seeds_of_a_run_give_different_networks() -> None:
    one, other = learner(0).policy().weights(), learner(1).policy().weights()
    assert not torch.equal(one["layers.0.weight"], other["layers.0.weight"])


def test_training_seeds_stay_below_those_of_evaluation() -> None:
    trained = learner()
    seeds = {trained.segments.seed_of(segment) for segment in range(2000)}
    assert len(seeds) > 1990
    assert max(seeds) + PPO.num_envs <= agents.TRAINING_SEEDS


class Hill:
    """A differentiable world: reward is highest where levers repeat the city's own target."""

    groups = GROUPS
    device, dtype = torch.device("cpu"), torch.float64
    steps_per_episode, months_per_step = 3, 3

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.target = torch.zeros(num_envs, 1, 1)

    def reset(self, seed: list[int]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.target = 0.3 + 0.1 * torch.tensor([s % 2 for s in seed])[:, None, None]
        return observed(num_envs=self.num_envs), {}

    def step(self, actions: dict[str, Tensor]) -> StepResult:
        rewards = {name: -(a - self.target).square().sum(-1) for name, a in actions.items()}
        seen, never = observed(num_envs=self.num_envs), torch.zeros(self.num_envs, dtype=torch.bool)
        return StepResult(seen, rewards, {}, never, never, {})


def test_the_planner_finds_the_best_constant_setting_over_its_cities() -> None:
    settings = PlannerSettings(
        cities=4, starts=3, spread=0.5, iterations=100, learning_rate=0.05, monthly_discount=0.99
    )
    planner = Planner(settings, Hill(12), seed=0)
    rows = list(planner.search(lambda: None))
    assert rows[-1]["best_return"] > rows[0]["best_return"]
    actions = planner.policy().act(observed())
    for action in actions.values():
        assert action.flatten().tolist() == pytest.approx([0.35] * action.numel(), abs=2e-3)


def test_a_stopped_planner_resumes_to_the_same_bits(tmp_path: Path) -> None:
    settings = PlannerSettings(
        cities=4, starts=3, spread=0.5, iterations=6, learning_rate=0.05, monthly_discount=0.99
    )
    whole, stopped, resumed = (Planner(settings, Hill(12), seed=0) for _ in range(3))
    rows = list(whole.search(lambda: None))
    for number in range(3):
        list(stopped.train(number, lambda: None))
    stopped.save(tmp_path, 3)
    assert resumed.restore(tmp_path) == 3
    assert [row for n in range(3, 6) for row in resumed.train(n, lambda: None)] == rows[3:]
    assert all(torch.equal(whole.best[name], resumed.best[name]) for name in whole.best)


def broken(folder: Path, **changes: object) -> None:
    """Overwrite keys of a policy's card."""
    path = folder / "policy.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return agents.save(learner().policy(), tmp_path / "policy")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "other"}, ["policy.json.format", "polislab-policy-1"]),
        ({"kind": "netwrok"}, ["netwrok", "network"]),
        ({"colour": 1}, ["policy.json.colour: unknown key"]),
        ({"settings": {"hidden": "x"}}, ["settings.hidden", "settings.clip: missing"]),
        ({"spaces": []}, ["spaces: empty"]),
        ({"weights_sha256": "0"}, ["checksum"]),
    ],
)
def test_a_broken_card_is_refused_with_every_fault(
    saved: Path, changes: dict[str, object], words: list[str]
) -> None:
    broken(saved, **changes)
    with pytest.raises(agents.PolicyError) as error:
        agents.load(saved)
    assert all(word in str(error.value) for word in words)


def test_broken_weights_are_refused(saved: Path) -> None:
    weights = saved / "weights.safetensors"
    weights.write_bytes(b"\x80\x04garbage")
    with pytest.raises(agents.PolicyError, match="not a safetensors file"):
        agents.load(saved)
    weights.unlink()
    with pytest.raises(agents.PolicyError, match="no such file"):
        agents.load(saved)


def test_wrong_tensors_are_all_named(saved: Path) -> None:
    tensors = dict(learner().policy().weights())
    tensors["extra"] = torch.zeros(1)
    tensors["layers.0.weight"] = torch.zeros(2, 2)
    tensors["log_std"] = torch.full_like(tensors["log_std"], torch.nan)
    del tensors["layers.1.bias"]
    save_file(tensors, saved / "weights.safetensors")
    import hashlib

    digest = hashlib.sha256((saved / "weights.safetensors").read_bytes()).hexdigest()
    broken(saved, weights_sha256=digest)
    with pytest.raises(agents.PolicyError) as error:
        agents.load(saved)
    faults = ["'extra'", "[2, 2], expected [8, 6]", "not finite", "missing tensor 'layers.1.bias'"]
    assert all(fault in str(error.value) for fault in faults)


def test_a_policy_says_why_it_does_not_fit_a_world() -> None:
    policy = agents.rule("status_quo", GROUPS)
    assert agents.mismatches(policy, GROUPS) == []
    wider = Group("boards", BOARDS.agents, ("quality[a]", "noise"), BOARDS.action_names)
    (problem,) = agents.mismatches(policy, (CITY, wider))
    assert "lacks rent" in problem
    assert "noise" in problem
    assert any("'boards'" in text for text in agents.mismatches(policy, (CITY,)))
