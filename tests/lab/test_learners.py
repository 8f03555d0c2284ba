"""Native learners: arithmetic by hand, what must be learnt, files, exact resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import agents
from agents.learners import NATIVE
from agents.learners.advantages import advantages, standardised
from agents.learners.banks import Bank, clip_gradients
from agents.learners.laws import bounded
from agents.learners.moments import LEAST_VARIANCE, Moments
from agents.learners.multipliers import Multipliers
from agents.learners.ppo import Batch
from agents.learners.sections import SHARING, sections
from agents.learners.settings import MultiplierSettings
from envs.adapters.null import NullCore
from tests.fakes import FakeCore
from tests.lab.native import finish, learner, same, weights
from tests.toys import Barro, Capped, Pigou, Toy

GRADIENT = ("actor_critic", "feedback")


def test_advantages_are_discounted_sums_of_one_step_errors() -> None:
    """Worked out term by term: A_t = sum over k of (discount decay)^k d_(t+k)."""
    drawn = torch.Generator().manual_seed(0)
    rewards, values = torch.randn(2, 6, 3, generator=drawn, dtype=torch.float64)
    last = torch.randn(3, generator=drawn, dtype=torch.float64)
    following = [*values[1:], last]
    errors = [r + 0.9 * v - now for r, v, now in zip(rewards, following, values, strict=True)]
    found = advantages(rewards, values, last, 0.9, 0.8)
    for t in range(6):
        wanted = sum((0.9 * 0.8) ** k * errors[t + k] for k in range(6 - t))
        assert torch.allclose(found[t], wanted, atol=1e-12)
    whole = advantages(rewards, values, last, 0.9, 1.0) + values
    summed = sum(0.9**t * rewards[t] for t in range(6)) + 0.9**6 * last
    assert torch.allclose(whole[0], summed, atol=1e-12)


def test_moments_are_those_of_everything_seen() -> None:
    drawn = torch.Generator().manual_seed(0)
    parts = [3 + 2 * torch.randn(n, 4, 2, generator=drawn) for n in (5, 1, 30)]
    moments = Moments((2,), active=True, device=torch.device("cpu"))
    rows = torch.tensor([[1.0, 2.0]])
    assert torch.equal(moments(rows), rows)
    for some in parts:
        moments.update(some)
    every = torch.cat([some.reshape(-1, 2) for some in parts]).double()
    assert torch.allclose(moments.mean, every.mean(0))
    assert torch.allclose(moments.variance, every.var(0, correction=0))
    assert torch.allclose(moments(every.float()).std(0, correction=0), torch.ones(2), atol=1e-4)
    still = Moments((1,), active=True, device=torch.device("cpu"))
    still.update(torch.ones(9, 1))
    assert float(still(torch.tensor([[1.05]]))) == pytest.approx(0.05 / LEAST_VARIANCE**0.5, 1e-3)


@pytest.mark.parametrize("networks", [1, 3])
def test_a_bank_is_its_networks_one_by_one(networks: int) -> None:
    bank = Bank(networks, (4, 8, 2), "tanh", 1.0, torch.Generator().manual_seed(0))
    rows = torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(1))
    found = bank(rows)
    for agent in range(3):
        one = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        for layer in (0, 1):
            one[2 * layer].weight.data = bank.weights[layer].data[agent % networks]
            one[2 * layer].bias.data = bank.biases[layer].data[agent % networks]
        assert torch.allclose(found[:, agent], one(rows[:, agent]), atol=1e-6)


def test_gradients_are_bounded_network_by_network() -> None:
    weight, bias = (torch.nn.Parameter(torch.zeros(2, *shape)) for shape in ((3, 2), (3,)))
    weight.grad, bias.grad = torch.ones(2, 3, 2), torch.zeros(2, 3)
    weight.grad[1] = 0.01
    clip_gradients([weight, bias], 0.5)
    assert float(weight.grad[0].norm()) == pytest.approx(0.5, rel=1e-4)
    assert torch.equal(weight.grad[1], torch.full((3, 2), 0.01))


def test_the_gradient_of_one_network_is_bounded_as_a_whole() -> None:
    for size, norm in ((3.0, 0.5), (0.01, 0.01 * 9**0.5)):
        weight, bias = (torch.nn.Parameter(torch.zeros(1, *shape)) for shape in ((3, 2), (3,)))
        weight.grad, bias.grad = torch.full((1, 3, 2), size), torch.full((1, 3), size)
        clip_gradients([weight, bias], 0.5)
        whole = torch.cat([weight.grad.flatten(), bias.grad.flatten()])
        assert float(whole.norm()) == pytest.approx(norm, rel=1e-4)
        assert bool((whole == whole[0]).all())


def test_minibatches_hold_every_step_once_and_keep_it_together() -> None:
    steps = torch.arange(10.0).reshape(10, 1, 1)
    batch = Batch(steps, 2 * steps, 3 * steps[..., 0], 4 * steps[..., 0], 5 * steps)
    order = torch.tensor([7, 2, 9, 0, 1, 3, 8, 6, 5, 4])
    minibatches = batch.shuffled(order).chunk(3)
    assert [len(some.rows) for some in minibatches] == [4, 4, 2]
    assert torch.equal(torch.cat([some.rows for some in minibatches]).flatten(), order.float())
    for some in minibatches:
        assert torch.equal(some.actions, 2 * some.rows)
        assert torch.equal(some.log_prob, 3 * some.rows[..., 0])
        assert torch.equal(some.advantages, 4 * some.rows[..., 0])
        assert torch.equal(some.returns, 5 * some.rows)


def test_advantages_are_standardised_for_each_network() -> None:
    values = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 4)
    apart, pooled = standardised(values, 3), standardised(values, 1)
    assert torch.allclose(apart.std(0), torch.ones(3), atol=1e-5)
    assert float(pooled.std()) == pytest.approx(1, abs=1e-5)
    assert float(pooled.std(0)[2] / pooled.std(0)[0]) > 2


def test_what_is_driven_past_a_bound_comes_back() -> None:
    x = torch.tensor([1.5, 1.5, -1.5, -1.5, 0.5], requires_grad=True)
    push = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])  # descent moves against it
    (bounded(x) * push).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0, 0.0, -1.0, 1.0]


@pytest.mark.parametrize("sharing", SHARING)
def test_who_shares_parameters_acts_as_one(sharing: str, tmp_path: Path) -> None:
    """The exported policy is the mean of the trained actors, and survives its file."""
    core = FakeCore(num_envs=4, horizon=15)
    trained = learner("mappo", core, rollouts=5, sharing=sharing)
    finish(trained)
    agents.save(trained.policy(), tmp_path)
    policy = agents.load(tmp_path)
    assert policy.kind == ("network" if sharing == "all" else "networks")
    seen, _ = core.reset(seed=3)
    actions = policy.act(seen)
    for actor in trained.actors:
        rows = actor.moments(actor.section.rows(seen))
        for group, wanted in actor.section.spread(actor.mean(rows)).items():
            assert torch.allclose(actions[group], wanted.clamp(-1, 1), atol=1e-6)
    assert [s.networks for s in sections(core.groups, sharing)] == {
        "all": [1],
        "group": [1, 1],
        "none": [1, 3],
    }[sharing]
    twins = {"boards": seen["boards"][:, :1].expand(-1, 3, -1), "planning": seen["planning"]}
    spread = policy.act(twins)["boards"].std(1).max()
    assert (float(spread) > 1e-4) == (sharing == "none")


def test_networks_of_each_agent_refuse_another_number_of_agents() -> None:
    core = FakeCore(num_envs=2, horizon=6)
    policy = learner("ippo", core, rollouts=1, sharing="none").policy()
    assert agents.mismatches(policy, core.groups) == []
    fewer = (core.groups[0], type(core.groups[1])("boards", ("b",), *_names(core.groups[1])))
    (problem,) = agents.mismatches(policy, fewer)
    assert "3 agents, not 1" in problem


def _names(group: Any) -> tuple[Any, ...]:
    return group.observation_names, group.action_names


def test_a_central_value_knows_what_the_agent_does_not() -> None:
    """The reward depends on something that only the global state tells."""

    class Hidden(Toy):
        def first(self) -> torch.Tensor:
            return self.noise[:, -1].sign()

        def observe(self) -> dict[str, torch.Tensor]:
            return {"board": torch.zeros(self.num_envs, 1, 2)}

        def live(self, actions: Any) -> Any:
            return {"board": self.x.unsqueeze(-1)}, self.nothing()

    changes = {"learning_rate": 1e-2, "monthly_discount": 0.0}
    blind = finish(learner("ippo", Hidden(16, 8), 20, **changes))[-1]["train/value_loss"]
    knowing = finish(learner("mappo", Hidden(16, 8), 20, **changes))[-1]["train/value_loss"]
    assert knowing < 0.1 < 0.8 < blind


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
def test_signals_are_followed_by_every_group(kind: str) -> None:
    """The best levers of the fake world repeat the signal; doing nothing earns 1/6."""
    core = FakeCore(num_envs=32, horizon=30)
    changes = {"learning_rate": 1e-2, "log_std": -1.0, "monthly_discount": 0.5}
    rows = finish(learner(kind, core, 30, **changes))
    assert rows[0]["reward"] < 0.2
    assert rows[-1]["reward"] > 0.42


def welfare_of(trained: Any, core: Any) -> float:
    """Mean reward of the learnt policy over an episode on held-out rows."""
    policy, total = trained.policy(), 0.0
    policy.reset(core.num_envs)
    seen, _ = core.reset(seed=1000)
    for _ in range(core.steps_per_episode):
        result = core.step(policy.act(seen))
        seen, total = result.observations, total + float(result.rewards["board"].mean())
    return total / core.steps_per_episode


class Best:
    """A policy of its own making."""

    def __init__(self, act: Any) -> None:
        self.act = act

    def policy(self) -> Best:
        return self

    def reset(self, rows: int) -> None:
        """Nothing is remembered."""


PACE: dict[str, dict[str, Any]] = {
    "mappo": {"learning_rate": 1e-2, "log_std": -1.0, "rollouts": 60},
    "actor_critic": {"learning_rate": 2e-2, "rollouts": 20, "window": 4},
    "feedback": {"learning_rate": 4e-2, "gain_learning_rate": 2e-2, "rollouts": 20, "window": 4},
}


@pytest.mark.parametrize("kind", PACE)
def test_the_public_share_that_is_best_for_growth_is_found(kind: str) -> None:
    """Barro 1990: the share of output that is best for welfare is the elasticity.

    Consumption of the best share and of another differ by a constant factor that grows over
    time, so that welfare within 1 % means: consumption within 1 % in every step on average.
    """
    core = Barro(32, 8)
    trained = learner(kind, core, **PACE[kind])
    finish(trained)
    lever = (core.ELASTICITY / core.LARGEST - 0.501) / 0.499
    best = welfare_of(Best(lambda seen: {"board": torch.full((32, 1, 1), lever)}), core)
    today = welfare_of(Best(lambda seen: {"board": torch.zeros(32, 1, 1)}), core)
    found = welfare_of(trained, core)
    assert today < best - 0.03
    assert best - 0.01 < found < best + 1e-6


@pytest.mark.parametrize("kind", PACE)
def test_the_toll_of_pigou_is_found_for_every_demand(kind: str) -> None:
    """Marginal external cost at the best flow, which follows demand; welfare within 1 %."""
    core = Pigou(32, 8)
    trained = learner(kind, core, **PACE[kind])
    finish(trained)

    def pigou(seen: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"board": 2 * core.best(seen["board"][..., :1]) / core.HIGHEST - 1}

    best, found = welfare_of(Best(pigou), core), welfare_of(trained, core)
    free = welfare_of(Best(lambda seen: {"board": -torch.ones(32, 1, 1)}), core)
    assert free < 0.8 * best
    assert 0.99 * best < found < best + 1e-6


def test_a_budget_is_used_up_and_not_broken_at_its_known_price() -> None:
    core = Capped(32, 8)
    changes = {"learning_rate": 1e-2, "learning_rate_end": 2e-3, "log_std": -1.5}
    trained = learner("mappo_lagrangian", core, 60, sharing="group", **changes)
    rows = finish(trained)
    seen, _ = core.reset(seed=5)
    actions = trained.policy().act(seen)
    cost = float(((1 + actions["pair"]) / 2).square().mean())
    assert cost == pytest.approx(core.BUDGET, abs=0.03)
    price = sum(row["multiplier/pair/smoke"] for row in rows[-10:]) / 10
    assert price == pytest.approx(core.BUDGET**0.5, abs=0.05)
    assert float(actions["free"].abs().max()) < 0.1
    unbound = learner("mappo", core, 20, sharing="group", **changes)
    finish(unbound)
    assert float(unbound.policy().act(seen)["pair"].mean()) > 0.5


def test_prices_follow_the_controller_by_hand() -> None:
    gains = MultiplierSettings(proportional=1.0, integral=0.5, derivative=2.0, limit=3.0)
    prices = Multipliers(gains, Capped.groups, torch.device("cpu"))
    found = []
    for cost in (0.6, 0.9, 0.3, 0.0, 30.0):  # budget 0.3: excess 1, 2, 0, -1, 99
        prices.update({"pair": torch.tensor([cost])})
        found.append(float(prices.prices["pair"]))
    assert found == pytest.approx([1 + 0.5, min(2 + 1.5 + 2 * 1, 3), 1.5, -1 + 1, 3], abs=1e-5)
    (pair, free) = sections(Capped.groups, "group")
    assert prices.of(pair).tolist() == [[3.0], [3.0]]
    assert prices.of(free).shape == (1, 0)
    (every,) = sections(Capped.groups, "all")
    assert prices.per_unit(every).flatten().tolist() == pytest.approx([1 / 0.3, 1 / 0.3, 0.0])


class Tight(Capped):
    """A budget that is broken from the start, so that prices move."""

    groups = (replace(Capped.groups[0], budgets=(0.05,)), Capped.groups[1])


def core_for(kind: str) -> Any:
    return Tight(8, 6) if kind == "mappo_lagrangian" else Pigou(8, 6)


@pytest.mark.parametrize("kind", NATIVE)
def test_a_learner_resumed_at_any_segment_ends_with_the_same_bits(
    kind: str, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {"rollouts_per_segment": 2, "rollouts": 8}
    if kind in GRADIENT:
        changes["window"] = 4
    straight = learner(kind, core_for(kind), **changes)
    whole = finish(straight)
    for stop in (1, 3):
        stopped = learner(kind, core_for(kind), **changes)
        for segment in range(stop):
            list(stopped.train(segment, lambda: None))
        stopped.save(tmp_path / str(stop), stop)
        resumed = learner(kind, core_for(kind), **changes)
        assert resumed.restore(tmp_path / str(stop)) == stop
        rest = finish(resumed, stop)
        assert str(rest) == str(whole[2 * stop :])
        assert same(weights(straight), weights(resumed))
    assert learner(kind, core_for(kind), **changes).restore(tmp_path / "nothing") == 0


@pytest.mark.parametrize("kind", NATIVE)
def test_the_seed_decides_the_numbers(kind: str, tmp_path: Path) -> None:
    one, again, other = (learner(kind, core_for(kind), 5, seed=seed) for seed in (1, 1, 2))
    rows = [finish(trained) for trained in (one, again, other)]
    assert str(rows[0]) == str(rows[1]) != str(rows[2])
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))
    seen, _ = core_for(kind).reset(seed=9)
    agents.save(one.policy(), tmp_path)
    loaded = agents.load(tmp_path)
    policy = one.policy()
    for each in (policy, loaded):
        each.reset(8)
    assert same(policy.act(seen), loaded.act(seen))


def test_feedback_is_the_plan_where_nothing_is_unexpected() -> None:
    core = Pigou(16, 6)
    rates = {"learning_rate": 2e-2, "gain_learning_rate": 2e-2}
    trained = learner("feedback", core, 10, periods=1, **rates)
    finish(trained)
    policy = trained.policy()
    policy.reset(2)
    parts = policy.weights()
    for step in range(8):
        expected = parts["board.reference"][min(step, 5)].expand(2, 1, -1)
        plan = policy.act({"board": expected})["board"]
        assert torch.allclose(plan, parts["board.plan"][0].expand(2, 1, -1))
    assert float(parts["board.gains"][0, 0]) > 0.01
    assert bool((parts["board.scale"] >= 1).all())


def test_a_plan_by_periods_changes_within_the_episode() -> None:
    """A lever that is wanted high early and low late."""

    class Turn(Toy):
        def first(self) -> torch.Tensor:
            return self.noise[:, 0]

        def live(self, actions: Any) -> Any:
            wanted = 0.5 if self.clock < 3 else -0.5
            return {"board": -(actions["board"][..., 0] - wanted).square()}, self.nothing()

    trained = learner("feedback", Turn(4, 6), 60, periods=2, learning_rate=0.05, window=6)
    finish(trained)
    plan = trained.policy().weights()["board.plan"].flatten().tolist()
    assert plan == pytest.approx([0.5, -0.5], abs=0.05)


def test_windows_cut_the_graph_but_a_value_carries_the_rest() -> None:
    """What is done now pays only after the window: only the value can know."""

    class Patience(Toy):
        def first(self) -> torch.Tensor:
            return torch.zeros(self.num_envs)

        def live(self, actions: Any) -> Any:
            reward = self.x - 0.5
            self.x = actions["board"][:, 0, 0]
            return {"board": reward.unsqueeze(-1)}, self.nothing()

    rates = {"learning_rate": 0.05, "value_learning_rate": 1e-2}
    trained = learner("feedback", Patience(32, 8), 40, periods=1, window=1, **rates)
    finish(trained)
    assert float(trained.policy().weights()["board.plan"]) > 0.5


def test_worlds_whose_rows_end_apart_are_refused() -> None:
    core = FakeCore(num_envs=4, horizon=15, stagger=True)
    with pytest.raises(ValueError, match="end together after 5 steps"):
        finish(learner("ippo", core, 5))


@pytest.mark.parametrize("kind", ["ippo", "mappo", "mappo_lagrangian"])
@pytest.mark.parametrize("sharing", SHARING)
def test_every_sharing_trains_on_unequal_groups(kind: str, sharing: str) -> None:
    core = NullCore(FakeCore.groups, 4, horizon=5, state_size=3)
    rows = finish(learner(kind, core, 5, sharing=sharing))
    assert len(rows) == 5
    assert rows[-1]["env_steps"] == 100.0
