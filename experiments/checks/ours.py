"""What the project promises of every scenario beside the contracts of other libraries.

Shapes: B environments, n agents of a group, A levers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from envs.adapters.layout import OBSERVATION_BOUND
from envs.groups import StepResult
from experiments.checks.check import Subject

#: Steps that worlds are compared for.
STEPS = 12
#: Rows of the batch that one row is taken out of, and which.
CROWD, ROW = 64, 37
#: Largest relative difference of a row of a batch from the same row alone, in float64: batched
#: matrix products round differently.
ROUNDING = 1e-9


def made(subject: Subject) -> None:
    """The core is made, and its groups say how wide its tensors are."""
    env = subject.make(2)
    names = [agent for group in env.groups for agent in group.agents]
    assert len(set(names)) == len(names), "two agents share a name"
    result = env.step(drawn(env, 0))
    for group in env.groups:
        expected = {
            "observations": (2, group.size, len(group.observation_names)),
            "rewards": (2, group.size),
            "costs": (2, group.size, len(group.cost_names)),
        }
        for table, shape in expected.items():
            found = tuple(getattr(result, table)[group.name].shape)
            assert found == shape, f"{table} of {group.name}: {found}, expected {shape}"
        assert len(group.budgets) == len(group.cost_names), f"{group.name}: a budget is missing"
    assert tuple(result.info["state"].shape) == (2, env.state_size), "state has another size"


def row_alone(subject: Subject) -> None:
    """Row i of 64 is the world of the same seed alone."""
    exact: dict[str, Any] = {"dtype": torch.float64, **_long(subject)}
    crowd, alone = subject.make(CROWD, **exact), subject.make(1, seed=ROW, **exact)
    for step in range(STEPS):
        actions = drawn(crowd, step)
        together = crowd.step(actions)
        single = alone.step({name: a[ROW : ROW + 1] for name, a in actions.items()})
        for name, values in figures(single).items():
            torch.testing.assert_close(
                figures(together)[name][ROW : ROW + 1],
                values,
                rtol=ROUNDING,
                atol=ROUNDING,
                msg=f"{name} of row {ROW} differs in step {step + 1}",
            )


def neighbours(subject: Subject) -> None:
    """Another environment alive, stepped in between, changes nothing, to the bit."""
    quiet, disturbed = subject.make(2, **_long(subject)), subject.make(2, **_long(subject))
    other = subject.make(3, seed=99, **_long(subject))
    for step in range(STEPS):
        other.step(drawn(other, step + 100))
        torch.rand(3)
        _same(quiet.step(drawn(quiet, step)), disturbed.step(drawn(quiet, step)), step)


def same_seed(subject: Subject) -> None:
    """The same seed gives the same numbers to the bit, another seed gives others."""
    env, fresh = (subject.make(2, seed=3, **_long(subject)) for _ in range(2))

    def played(seed: int) -> list[StepResult]:
        env.reset(seed=seed)
        return [env.step(drawn(env, step)) for step in range(STEPS)]

    first, again, other = played(3), played(3), played(4)
    anew = [fresh.step(drawn(fresh, step)) for step in range(STEPS)]
    for step in range(STEPS):
        _same(first[step], again[step], step)
        _same(first[step], anew[step], step)
    steady = subject.options.get("dynamics") == "steady"
    last, moved = figures(first[-1]), figures(other[-1])
    changed = any(not torch.equal(value, moved[name]) for name, value in last.items())
    assert changed or steady, "another seed gives the same numbers"


def gradients(subject: Subject) -> None:
    """Rewards are differentiable in every group's actions: finite, and not all zero."""
    env = subject.make(2, **_long(subject))
    actions = {name: (0.1 * a).requires_grad_() for name, a in drawn(env, 0).items()}
    total = torch.zeros((), dtype=env.dtype, device=env.device)
    for _ in range(3):
        for reward in env.step(actions).rewards.values():
            total = total + reward.sum()
    slopes = torch.autograd.grad(total, list(actions.values()), allow_unused=True)
    for name, slope in zip(actions, slopes, strict=True):
        assert slope is not None, f"rewards do not depend on the actions of {name}"
        assert bool(torch.isfinite(slope).all()), f"gradients of {name} are not finite"
        assert float(slope.abs().max()) > 0, f"gradients of {name} are all zero"


def bounds(subject: Subject) -> None:
    """With all levers at either bound for an episode everything is finite, costs at least 0."""
    for level in (-1.0, 1.0):
        env = subject.make(2)
        actions = {name: torch.full_like(a, level) for name, a in drawn(env, 0).items()}
        for step in range(env.steps_per_episode):
            result = env.step(actions)
            for name, values in figures(result).items():
                where = f"{name} at action {level:+g} in step {step + 1}"
                assert bool(torch.isfinite(values).all()), f"{where} is not finite"
                assert not name.startswith("cost") or bool((values >= 0).all()), f"{where} < 0"
            for name, seen in result.observations.items():
                assert float(seen.abs().max()) <= OBSERVATION_BOUND, f"{name} sees beyond bounds"


def unknown_options(subject: Subject) -> None:
    """An option that the scenario does not have is refused by its name."""
    try:
        subject.make(1, no_such_option=1)
    except TypeError as error:
        refusal = str(error)
    else:
        raise AssertionError("an unknown option is accepted")
    assert "no_such_option" in refusal, f"the message does not name it: {refusal}"


def drawn(env: Any, step: int) -> dict[str, Tensor]:
    """Random actions [B, n, A] by group, the same for the same shapes and step."""
    stream = torch.Generator().manual_seed(step)
    return {
        group.name: (
            2 * torch.rand(env.num_envs, group.size, len(group.action_names), generator=stream) - 1
        ).to(env.device, env.dtype)
        for group in env.groups
    }


def figures(result: StepResult) -> dict[str, Tensor]:
    """Everything a step tells, by name."""
    tables: Mapping[str, Mapping[str, Tensor]] = {
        "observation": result.observations,
        "reward": result.rewards,
        "cost": result.costs,
        "welfare": result.info.get("welfare", {}),
    }
    named = {f"{table} {name}": x for table, row in tables.items() for name, x in row.items()}
    return named | {"state": result.info["state"]}


def _same(one: StepResult, other: StepResult, step: int) -> None:
    for name, value in figures(one).items():
        assert torch.equal(value, figures(other)[name]), f"{name} differs in step {step + 1}"


def _long(subject: Subject) -> dict[str, int]:
    """Episodes that outlast the comparison, so that no end is paid for."""
    return {"horizon": subject.months_per_step * 2 * STEPS}
