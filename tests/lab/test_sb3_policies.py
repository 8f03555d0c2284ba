"""Squashed, recurrent and central policies: densities, memories, joined governors, broken files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from torch import Tensor

import agents
from agents.policy import spaces_of
from tests.fakes import BOARDS, PLANNING

GROUPS = (PLANNING, BOARDS)
ROWS: dict[str, Any] = {
    "hidden": (6,),
    "activation": "tanh",
    "observation_size": 4,
    "action_size": 2,
    "identified": True,
    "standardised": True,
    "clip": 10.0,
}
WHOLE = ROWS | {"observation_size": 15, "action_size": 5, "identified": False}
SIZES = {"planning": 1, "boards": 3}


def drawn_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weights = {k: 0.5 * torch.randn(shape, generator=generator) for k, shape in shapes.items()}
    return weights | {"observation.variance": weights["observation.variance"].square() + 0.5}


def policy(kind: str, control: str = "shared") -> Any:
    """A policy with drawn weights."""
    chosen = agents.KINDS[kind]
    rows = (WHOLE if control == "central" else ROWS) | (
        {"memory": 5} if kind == "recurrent" else {}
    )
    options: Any = chosen.Settings(**rows)
    if control == "central":
        chosen = agents.CentralPolicy
        options = agents.CentralPolicy.Settings(SIZES, {"kind": kind, **rows})
    return chosen(GROUPS, options, drawn_weights(chosen.weight_shapes(spaces_of(GROUPS), options)))


def seen(num_envs: int = 3, seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        g.name: torch.randn(num_envs, g.size, len(g.observation_names), generator=generator)
        for g in GROUPS
    }


EVERY = [(k, c) for k in ("network", "squashed", "recurrent") for c in ("shared", "central")]


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_what_is_drawn_has_the_probability_it_is_said_to_have(kind: str, control: str) -> None:
    made = policy(kind, control)
    assert agents.behaviour(made) is made
    made.reset(3)
    decisions = made.decide(seen(), torch.Generator().manual_seed(5))
    made.reset(3)
    again = made.log_probability(seen(), {name: d.drawn for name, d in decisions.items()})
    for group in GROUPS:
        decision = decisions[group.name]
        assert decision.drawn.shape == (3, group.size, len(group.action_names))
        assert decision.log_probability.shape == (3, group.size)
        assert torch.equal(again[group.name], decision.log_probability)
        assert bool((decision.action.abs() <= 1).all())


def test_the_squashed_density_is_that_of_stable_baselines3() -> None:
    made = policy("squashed")
    decisions = made.decide(seen(), torch.Generator().manual_seed(5))
    for name, (mean, deviation) in made.laws(seen()).items():
        theirs = SquashedDiagGaussianDistribution(mean.shape[-1], epsilon=0.0)
        theirs.proba_distribution(
            mean.double().flatten(0, 1), deviation.double().log().flatten(0, 1)
        )
        wanted = theirs.log_prob(decisions[name].drawn.double().flatten(0, 1))
        assert decisions[name].log_probability.flatten() == pytest.approx(wanted, abs=1e-6)


def test_the_squashed_density_holds_a_probability_of_one() -> None:
    made = policy("squashed")
    levers = torch.linspace(-0.999999, 0.999999, 20001, dtype=torch.float64)
    mean, deviation = torch.tensor([0.3]), torch.tensor([0.7])
    density = made._log_density(levers[:, None], mean, deviation).exp().squeeze(-1)
    assert float(torch.trapezoid(density, levers)) == pytest.approx(1.0, abs=1e-4)


def test_draws_stay_inside_the_bounds_and_chance_can_be_left_out() -> None:
    made = policy("squashed")
    made.tensors["log_std.bias"] += 2.0
    torch.manual_seed(0)
    levers = [made.act(seen(), deterministic=False)["boards"] for _ in range(2)]
    assert not torch.equal(*levers)
    assert all(bool((lever.abs() <= 1).all()) for lever in levers)
    decision = made.decide(seen(), torch.Generator().manual_seed(0))["boards"]
    assert bool(decision.log_probability.isfinite().all())


@pytest.mark.parametrize("control", ["shared", "central"])
def test_a_memory_is_each_rows_own_and_is_cleared_by_reset(control: str) -> None:
    made = policy("recurrent", control)
    made.reset(3)
    first, second = made.act(seen(seed=1)), made.act(seen(seed=2))
    made.reset(3)
    fresh = made.act(seen(seed=2))
    assert not torch.allclose(second["boards"], fresh["boards"])
    made.reset(1)
    alone = [made.act({k: x[1:2] for k, x in seen(seed=s).items()}) for s in (1, 2)]
    for group in GROUPS:
        assert torch.allclose(alone[0][group.name], first[group.name][1:2], atol=1e-6)
        assert torch.allclose(alone[1][group.name], second[group.name][1:2], atol=1e-6)


def test_one_governor_sees_what_all_see() -> None:
    """Any agent's observation moves every lever; with shared parameters only that agent's."""
    changed = seen()
    changed["boards"][:, 2, 0] += 1.0
    for control, moved in (("central", [True] * 3), ("shared", [False, False, True])):
        made = policy("network", control)
        before, after = made.act(seen()), made.act(changed)
        differs = (before["boards"] != after["boards"]).any(-1).any(0)
        assert differs.tolist() == moved
        assert torch.equal(before["planning"], after["planning"]) == (control == "shared")


@pytest.mark.parametrize(("kind", "control"), EVERY)
def test_a_saved_policy_acts_as_before(kind: str, control: str, tmp_path: Path) -> None:
    made = policy(kind, control)
    loaded = agents.load(agents.save(made, tmp_path))
    assert loaded.spaces == made.spaces
    assert agents.fingerprint(loaded) == agents.fingerprint(made)
    for each in (made, loaded):
        each.reset(3)
    before, after = made.act(seen()), loaded.act(seen())
    assert all(torch.equal(before[name], after[name]) for name in before)


def refused(folder: Path, **settings: Any) -> str:
    """Why a saved policy with other settings is not loaded."""
    path = folder / "policy.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"settings": card["settings"] | settings}))
    with pytest.raises(agents.PolicyError) as error:
        agents.load(folder)
    return str(error.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sizes": {"planning": 1}}, ["spaces: group 'boards' has no size"]),
        ({"sizes": SIZES | {"water": 1}}, ["size of an unknown group 'water'"]),
        ({"sizes": SIZES | {"boards": 4}}, ["group 'governor' is wider than the network"]),
        ({"policy": {"kind": "netwrok"}}, ["settings.policy: kind: unknown choice", "'network'"]),
        ({"policy": {"kind": "squashed"}}, ["hidden: missing", "clip: missing"]),
        ({"policy": {"kind": "squashed", **WHOLE}}, ["missing tensor 'log_std.weight'"]),
    ],
)
def test_a_broken_governor_is_refused_with_every_fault(
    settings: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    message = refused(agents.save(policy("network", "central"), tmp_path), **settings)
    assert all(word in message for word in words), message


def test_a_governor_says_that_there_are_other_numbers_of_agents() -> None:
    fewer = dataclasses.replace(BOARDS, agents=BOARDS.agents[:2])
    (problem,) = agents.mismatches(policy("network", "central"), (PLANNING, fewer))
    assert problem == "group 'boards': networks for 3 agents, not 2"
