"""Agents alone in their groups, whose networks lie side by side in one bank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import agents
from agents.learners.actors import Actor, Critic
from agents.learners.banks import Bank
from agents.learners.ppo import Batch, Losses, losses
from agents.learners.sections import Section, sections
from envs.adapters.null import NullCore
from envs.groups import Group
from tests.lab.native import finish, learner, same, settings, weights

STATE, STEPS = 3, 7
CPU = torch.device("cpu")

#: Two agents alone, of unequal widths, and a group of two.
GROUPS = (
    Group("wide", ("a",), ("o1", "o2", "o3", "o4"), ("x", "y", "z")),
    Group("pair", ("b", "c"), ("o1", "o2"), ("x",)),
    Group("narrow", ("d",), ("o1", "o2"), ("x", "y")),
)
ALONE = (GROUPS[0], GROUPS[2])


def built(section: Section) -> tuple[Actor, Critic]:
    chosen, start = settings("mappo", hidden=[5, 6]), torch.Generator().manual_seed(0)
    actor = Actor(section, chosen, -0.5, start, CPU)
    return actor, Critic(section, chosen, 1, STATE, start, CPU)


def test_agents_alone_share_a_bank_and_the_order_of_groups_is_kept() -> None:
    names = [[group.name for group in section.groups] for section in sections(GROUPS, "group")]
    assert names == [["wide", "narrow"], ["pair"]]
    assert [section.networks for section in sections(GROUPS, "group")] == [2, 1]
    assert [section.networks for section in sections(GROUPS, "none")] == [2, 2]
    assert [section.networks for section in sections(GROUPS, "all")] == [1]
    assert [section.separate for section in sections(GROUPS[:2], "group")] == [False, False]


Piece = tuple[torch.nn.Parameter, torch.nn.Parameter, list[list[int]]]


def pieces(one: Bank, many: Bank, inputs: list[int], outputs: list[int]) -> Iterator[Piece]:
    """Parameters of a network alone, those of a bank, and which columns of them it has."""
    every, last = list(range(6)), len(one.weights) - 1
    for layer in range(last + 1):
        rows = outputs if layer == last else every[: one.biases[layer].shape[1]]
        columns = inputs if layer == 0 else every[: one.weights[layer].shape[2]]
        yield one.weights[layer], many.weights[layer], [rows, columns]
        yield one.biases[layer], many.biases[layer], [rows]


def piece(x: torch.Tensor, place: int, columns: list[list[int]]) -> torch.Tensor:
    """The columns of one network."""
    for axis, some in enumerate(columns, start=1):
        x = x.index_select(axis, torch.tensor(some))
    return x[place : place + 1]


def test_losses_and_gradients_side_by_side_are_those_of_each_alone() -> None:
    """Unequal widths, advantages of unequal size, ratios within the bounds and out of them."""
    drawn = torch.Generator().manual_seed(1)
    actor, critic = built(Section(ALONE, separate=True))
    for parameter in (*actor.parameters(), *critic.parameters()):
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=drawn)
    seen = {g.name: torch.randn(STEPS, 1, len(g.observation_names), generator=drawn) for g in ALONE}
    rows, state = actor.section.rows(seen), torch.randn(STEPS, STATE, generator=drawn)
    actions = actor.mean(rows).detach() + torch.randn(STEPS, 2, 3, generator=drawn)
    surprise = (actions - actor.mean(rows)) / actor.log_std.exp()
    density = (actor.log_prob(surprise) + 0.3 * torch.randn(STEPS, 2, generator=drawn)).detach()
    advantage = torch.randn(STEPS, 2, generator=drawn) * torch.tensor([1.0, 20.0])
    returns = torch.randn(STEPS, 2, 1, generator=drawn)
    batch = Batch(rows, actions, density, advantage, returns)
    both = losses(actor, critic, batch, state, clip=0.2)
    assert 0.1 < float(both.clipped) < 0.9
    (both.policy + both.value - both.entropy).backward()
    apart: list[Losses] = []
    for place, group in enumerate(ALONE):
        one, value = built(Section((group,), separate=False))
        inputs, levers = (
            list(range(len(x))) for x in (group.observation_names, group.action_names)
        )
        known = [*inputs, *range(4, 4 + STATE)]  # the state comes behind what pads
        shared = [
            (one.log_std, actor.log_std, [levers]),
            *pieces(one.bank, actor.bank, inputs, levers),
            *pieces(value.bank, critic.bank, known, [0]),
        ]
        for small, large, columns in shared:
            small.data.copy_(piece(large.data, place, columns))
        here = slice(place, place + 1)
        alone = Batch(
            seen[group.name],
            actions[:, here, : len(levers)],
            *(x[:, here] for x in (density, advantage, returns)),
        )
        found = losses(one, value, alone, state, clip=0.2)
        (found.policy + found.value - found.entropy).backward()
        for small, large, columns in shared:
            assert small.grad is not None
            assert large.grad is not None
            assert torch.allclose(small.grad, piece(large.grad, place, columns), atol=1e-5)
        apart.append(found)
    for name in ("policy", "value", "entropy"):
        wanted = sum(getattr(found, name) for found in apart)
        assert torch.allclose(getattr(both, name), wanted, atol=1e-5), name
    told = torch.tensor([found.record(networks=1) for found in apart]).mean(0)
    assert torch.allclose(torch.tensor(both.record(networks=2)), told, atol=1e-5)


def test_moments_of_groups_do_not_mix() -> None:
    actor, _ = built(Section(ALONE, separate=True))
    seen = {"wide": torch.full((9, 1, 4), 5.0), "narrow": torch.full((9, 1, 2), -3.0)}
    actor.moments.update(actor.section.rows(seen))
    assert actor.moments.mean.tolist() == [[5.0] * 4, [-3.0, -3.0, 0.0, 0.0]]
    pair, _ = built(Section(GROUPS[1:2], separate=True))
    pair.moments.update(torch.tensor([[[0.0, 1.0], [2.0, 3.0]]]))
    assert pair.moments.mean.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("kind", ["ippo", "mappo"])
@pytest.mark.parametrize("sharing", ["group", "none"])
def test_the_policy_has_a_network_for_each_group_without_padding(
    kind: str, sharing: str, tmp_path: Path
) -> None:
    core = NullCore(GROUPS, 8, horizon=5, state_size=STATE)
    trained = learner(kind, core, 3, sharing=sharing)
    finish(trained)
    agents.save(trained.policy(), tmp_path)
    policy = agents.load(tmp_path)
    assert agents.mismatches(policy, core.groups) == []
    seen, _ = core.reset(seed=3)
    actions = policy.act(seen)
    for actor in trained.actors:
        rows = actor.moments(actor.section.rows(seen))
        for group, wanted in actor.section.spread(actor.mean(rows)).items():
            assert torch.allclose(actions[group], wanted.clamp(-1, 1), atol=1e-5), group
    again = learner(kind, core, 3, sharing=sharing)
    finish(again)
    assert same(weights(trained), weights(again))
