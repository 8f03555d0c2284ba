"""Adaptive governance: gains follow their own success, and win back what a break takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import agents
from agents.context import Traces
from agents.gain_loop import LEAST, METHODS, MOST, GainLoop, MetaSettings
from agents.learners.context import Remembering
from envs.groups import Group
from tests.lab.native import finish, learner
from tests.toys import Toy

BOARD = Group("board", ("b_0", "b_1"), ("gap",), ("lever",))
PAIR = {"observation": "gap", "lever": "lever", "target": 0.0}
META: dict[str, Any] = {"every": 4, "rate": 0.7, "notable": 0.1, "forget": 0.0}
LATE = 20


def rule(kind: str, method: str = "persistence", gain: float = -1.0) -> agents.Policy:
    settings: dict[str, Any] = {"pairs": [PAIR | {"proportional": gain, "integral": 0.0}]}
    settings["limit"] = 0.0
    if kind == "adaptive_pi":
        settings["meta"] = META | {"method": method}
    return agents.rule(kind, (BOARD,), settings)


def live(
    policy: agents.Policy, steps: int, strike: int, power: float = 0.2, push: float = 0.2
) -> Tensor:
    """Gaps `[T, B, n]` of a first-order indicator under a lasting push and noise.

    From step `strike` on the lever has only `power` of its effect.
    """
    stream = torch.Generator().manual_seed(0)
    policy.reset(8)
    gap, found = torch.zeros(8, 2, 1), []
    for step in range(steps):
        lever = policy.act({"board": gap})["board"]
        effect = 1.0 if step < strike else power
        noise = 0.02 * torch.randn(gap.shape, generator=stream)
        gap = 0.5 * gap + 0.5 * effect * lever + push + noise
        found.append(gap[..., 0])
    return torch.stack(found)


@pytest.mark.parametrize("method", METHODS)
def test_an_adaptive_rule_wins_back_most_of_what_a_weaker_lever_costs(method: str) -> None:
    strike, steps = 24, 24 + 32
    calm = live(rule("pi"), steps, strike=steps)[-8:].square().mean()
    frozen = live(rule("pi"), steps, strike)[-8:].square().mean()
    adaptive = live(rule("adaptive_pi", method), steps, strike)[-8:].square().mean()
    assert float(frozen) > 1.5 * float(calm)
    assert float((frozen - adaptive) / (frozen - calm)) > 0.5


def test_feedback_that_swings_is_weakened() -> None:
    """A gain just below the edge of stability: errors change sign at every step."""
    frozen, calmer = (
        live(rule(kind, gain=-2.9), 80, strike=0, power=1.0, push=0.0)
        for kind in ("pi", "adaptive_pi")
    )
    swings = [float(x[-LATE:].diff(dim=0).square().mean()) for x in (frozen, calmer)]
    assert swings[1] < 0.5 * swings[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gains_stay_within_a_tenth_and_ten_times(method: str, sign: float) -> None:
    loop = GainLoop(MetaSettings(2, method, 3.0, 0.01, 0.0))
    for step in range(200):
        scale = loop(torch.full((1, 1, 1), (step + 1.0) * sign**step))
        assert LEAST <= float(scale) <= MOST
    if method == "persistence":
        assert float(scale) == pytest.approx(MOST if sign > 0 else LEAST)


def test_each_row_and_agent_learns_from_its_own_errors() -> None:
    loop = GainLoop(MetaSettings(2, "persistence", 0.5, 0.1, 0.0))
    errors = torch.zeros(2, 2, 1)
    errors[1, 0] = 1.0
    for _ in range(8):
        scale = loop(errors)
    still = torch.ones(2, 2, 1)
    still[1, 0] = scale[1, 0]
    assert float(scale[1, 0, 0]) > 2
    assert torch.equal(scale, still)
    loop.reset()
    assert torch.equal(loop(errors), torch.ones(2, 2, 1))


def test_nothing_is_forgotten_within_an_episode_and_all_at_its_end() -> None:
    policy = rule("adaptive_pi")
    first, again = live(policy, 40, 10), live(policy, 40, 10)
    assert torch.equal(first, again)


def test_gains_return_to_their_design_when_errors_are_gone() -> None:
    loop = GainLoop(MetaSettings(2, "persistence", 0.7, 0.1, 0.2))
    for _ in range(20):
        high = loop(torch.ones(1, 1, 1))
    for _ in range(60):
        low = loop(torch.zeros(1, 1, 1))
    assert float(high) > 3
    assert float(low) == pytest.approx(1.0, abs=0.05)


def test_an_adaptive_law_is_the_law_until_its_first_review(tmp_path: Path) -> None:
    weights = {
        "board.plan": torch.tensor([[0.1]]),
        "board.gains": torch.tensor([[-0.3]]),
        "board.reference": torch.zeros(1, 1),
        "board.scale": torch.ones(1),
    }
    law = agents.Feedback((BOARD,), agents.Feedback.Settings(1, 1), weights)
    kind = agents.KINDS["adaptive_feedback"]
    meta = MetaSettings(4, "persistence", 0.7, 0.05, 0.0)
    adaptive = kind((BOARD,), kind.Settings(1, 1, meta), weights)
    loaded = agents.load(agents.save(adaptive, tmp_path))
    seen = {"board": torch.full((3, 2, 1), 0.5)}
    for policy in (law, adaptive, loaded):
        policy.reset(3)
    for step in range(12):
        frozen, moved, kept = (p.act(seen)["board"] for p in (law, adaptive, loaded))
        assert torch.equal(moved, kept)
        assert torch.equal(moved, frozen) == (step < 3)
    assert float(moved[0, 0, 0]) < float(frozen[0, 0, 0]) < 0


class Turned(Toy):
    """A lever that works this way or, in half of the rows, the other way round; nobody can see it.

    Reward `-(x - turn u)^2`, after which `turn u` is what is seen. The best lever is `turn x`:
    it takes a memory of what one did to know which way the world is turned.
    """

    cut = True

    def first(self) -> Tensor:
        self.turn = self.noise[:, -1].sign()
        self.shown = torch.zeros_like(self.turn)
        return self.shock().clamp(-0.8, 0.8)

    def observe(self) -> dict[str, Tensor]:
        return {"board": torch.stack([self.x, self.shown], -1).unsqueeze(1)}

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        self.shown = self.turn * actions["board"][:, 0, 0]
        reward = -(self.x - self.shown).square()
        self.x = self.shock().clamp(-0.8, 0.8)
        return {"board": reward.unsqueeze(-1)}, self.nothing()


def blind(core: Toy, half_lives: tuple[float, ...] = (1.0,)) -> Any:
    return learner("context", core, 2, half_lives=list(half_lives))


def mean_reward(policy: agents.Policy, core: Toy) -> float:
    """Of an episode on held-out rows."""
    seen, _ = core.reset(seed=1000)
    policy.reset(core.num_envs)
    rewards = []
    for _ in range(core.steps_per_episode):
        result = core.step(policy.act(seen))
        seen = result.observations
        rewards.append(result.rewards["board"].mean())
    return float(torch.stack(rewards).mean())


def test_traces_are_what_they_say() -> None:
    """A half-life of one step: half of each new value, by hand."""
    traces = Traces((1.0,), 1)
    seen = [torch.full((1, 1, 1), value) for value in (1.0, 3.0, 2.0)]
    first = traces.read(seen[0])
    assert first.flatten().tolist() == [1.0, 0.0, 0.0, 0.0]
    traces.keep_step(seen[0], torch.full((1, 1, 1), 0.8))
    assert traces.read(seen[1]).flatten().tolist() == pytest.approx([3.0, 2.0, 0.4, 0.0])
    traces.keep_step(seen[1], torch.full((1, 1, 1), -5.0))
    third = traces.read(seen[2]).flatten().tolist()
    assert third == pytest.approx([2.0, 0.0, 0.5 * 0.4 - 0.5, (0.5 * 4.0) ** 0.5])
    assert torch.equal(traces.read(seen[2]), traces.read(seen[2])), "reading keeps nothing"
    traces.forget(torch.tensor([True]), seen[0])
    assert torch.equal(traces.read(seen[0]), first)


def test_a_context_policy_acts_as_its_learner_did(tmp_path: Path) -> None:
    """Its own memory agrees with that of the world it was trained in, and files keep it."""
    core = Turned(4, 6)
    trained = blind(core, (1.0, 4.0))
    policy = agents.load(agents.save(trained.policy(), tmp_path))
    world = Remembering(core, (1.0, 4.0))
    actor = trained.actors[0]
    seen, _ = world.reset(seed=3)
    policy.reset(4)
    for _ in range(13):
        raw = {"board": seen["board"][..., :2]}
        mean = actor.mean(actor.moments(actor.section.rows(seen))).clamp(-1.0, 1.0)
        torch.testing.assert_close(policy.act(raw)["board"], mean)
        result = world.step({"board": mean.detach()})
        seen = result.observations
        if bool(result.truncated.any()):
            policy.reset(4)


def test_a_policy_that_remembers_finds_out_which_way_the_world_is_turned() -> None:
    """Who cannot remember does best with no lever at all; memory earns most of what there is."""
    changes: dict[str, Any] = {"learning_rate": 1e-2, "log_std": -1.0, "hidden": [32]}
    earned = {}
    for kind, more in (("mappo", {}), ("context", {"half_lives": [1.0]})):
        core = Turned(64, 8)
        trained = learner(kind, core, 60, **changes, **more)
        finish(trained)
        earned[kind] = mean_reward(trained.policy(), core)
    assert earned["context"] > earned["mappo"] + 0.1, earned


class Told(Toy):
    """A number that is told once, in the first step; the best lever is its square ever after."""

    def first(self) -> Tensor:
        return self.shock().clamp(-0.9, 0.9)

    def observe(self) -> dict[str, Tensor]:
        told = self.x if self.clock == 0 else torch.zeros_like(self.x)
        return {"board": torch.stack([told, torch.zeros_like(told)], -1).unsqueeze(1)}

    def live(self, actions: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        reward = -(actions["board"][:, 0, 0] - self.x.square()).square()
        return {"board": reward.unsqueeze(-1)}, self.nothing()


class Studied(Told):
    """The number is told in every step, as a study of the city is."""

    def observe(self) -> dict[str, Tensor]:
        return {"board": torch.stack([self.x, torch.zeros_like(self.x)], -1).unsqueeze(1)}


def law(core: Toy, half_lives: tuple[float, ...]) -> Any:
    names = ("learning_rate", "gain_learning_rate", "network_learning_rate")
    changes = dict.fromkeys(names, 2e-2) | {"window": 8, "periods": 1}
    trained = learner("context_feedback", core, 200, half_lives=list(half_lives), **changes)
    finish(trained)
    return trained


@pytest.fixture(scope="module")
def told_law() -> Any:
    """A feedback law with a memory, trained to remember what it was told."""
    return law(Told(64, 8), (8.0,))


@pytest.mark.parametrize(("world", "least"), [(Studied, -0.3), (Told, -1.2)])
def test_a_law_without_a_memory_answers_to_what_it_sees_now(world: Any, least: float) -> None:
    """What is told only once is lost on it, as the law with a memory shows."""
    core = world(64, 8)
    core.reset(seed=1000)
    blind = float(core.x.square().var())
    found = mean_reward(law(world(64, 8), ()).policy(), core) / blind
    assert least < found < least + 0.7


def test_a_law_with_a_memory_keeps_what_it_was_told(told_law: Any) -> None:
    """What a law that remembers nothing loses is the variance of the square."""
    core = Told(64, 8)
    core.reset(seed=1000)
    blind = float(core.x.square().var())
    assert mean_reward(told_law.policy(), core) > -0.3 * blind


def test_a_law_with_a_memory_acts_as_it_was_trained(told_law: Any, tmp_path: Path) -> None:
    """Its own memory agrees with that of the world it was trained in, and files keep it."""
    policy = agents.load(agents.save(told_law.policy(), tmp_path))
    world, law = told_law.core, told_law.law
    seen, _ = world.reset(seed=3)
    policy.reset(world.num_envs)
    reference = {name: x.clone() for name, x in law.reference.items()}
    law.settings = replace(law.settings, reference_rate=0.0)
    for step in range(8):
        raw = {"board": seen["board"][..., :2].detach()}
        action = law.act(step, seen, torch.Generator())
        torch.testing.assert_close(policy.act(raw)["board"], action["board"].detach())
        seen = world.step(action).observations
    assert all(torch.equal(x, reference[name]) for name, x in law.reference.items())
